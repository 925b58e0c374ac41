"""The event stores, each behind the same two fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support.event_stores import KINDS, Stores

from orchestrator.ports import EventStore


@pytest.fixture(params=KINDS)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    async with AsyncExitStack() as stack:
        yield await KINDS[request.param](tmp_path, stack)


@pytest.fixture
async def store(stores: Stores) -> EventStore:
    return await stores.another()
