"""Fixtures for tests with real sandboxes; a folder's conftest imports those it wants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.providers.local_keeper import Options
from sandbox.spec import Checkout

from .sandboxes import Boxes, build_listener, make_mirror

FILES = {
    "README.md": "# Sample\n",
    "src/one.py": "ONE = 1\n",
    "src/two.py": "TWO = 2\n",
    "docs/deep/er/page.md": "text\n",
    "run.sh": "#!/bin/sh\necho ran\n",
}


@pytest.fixture(scope="session")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_listener(tmp_path_factory.mktemp("listener") / "listener.pyz")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return make_mirror(tmp_path_factory.mktemp("sample"), FILES)


@pytest.fixture
async def boxes(tmp_path: Path, listener: Path) -> AsyncIterator[Boxes]:
    made = Boxes(root=tmp_path / "sandboxes", options=Options(supervisor=listener))
    yield made
    await made.close()
