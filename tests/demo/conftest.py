"""Shared by the demo's own tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sample_repository import sample_repository


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A fresh repository made of the sample project."""
    return sample_repository(tmp_path / "workspace")
