"""Benchmarks are `bench_*.py`: `make bench` runs them, and no other target does."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sandbox_fixtures import boxes, listener

__all__ = ["boxes", "listener"]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    named = file_path.suffix == ".py" and file_path.name.startswith("bench_")
    if named and not parent.session.isinitpath(file_path):  # a named file is taken anyway
        module: pytest.Module = pytest.Module.from_parent(parent, path=file_path)
        return module
    return None
