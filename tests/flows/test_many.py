"""Sessions side by side, through a real server process: each comes out as if it were alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .conftest import World, make_world
from .many import Many
from .process import Process


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        made.extra = {
            "GITHUB_CREATES_PER_MINUTE": "100000",
            "GITHUB_CREATES_PER_HOUR": "1000000",
        }
        yield made


async def test_eight_sessions_at_once(world: World) -> None:
    server = Process(world)
    await server.start()
    try:
        many = Many(world)
        await many.ask(8)
        await many.finished(seconds=120)
        assert many.wrong() == []
        await many.cancel(seconds=60)
        _, peak = server.memory()
        assert peak < 300
    finally:
        await server.gone()
