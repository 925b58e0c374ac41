"""Benchmarks are `bench_*.py`: `make bench` runs them, and no other target does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from support.sandbox_fixtures import boxes, listener

__all__ = ["boxes", "listener"]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    named = file_path.suffix == ".py" and file_path.name.startswith("bench_")
    if named and not parent.session.isinitpath(file_path):  # a named file is taken anyway
        module: pytest.Module = pytest.Module.from_parent(parent, path=file_path)
        return module
    return None


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Tables are read by people, and writing logs would be measured too."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()
