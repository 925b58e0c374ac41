"""A journal that takes nothing for a while: asked seldom, and then everything goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs
from support.clock import StillClock, until
from support.settling import ID, World, rest, turns_of_the_loop

from orchestrator.session import SessionId
from orchestrator.session.events import Event
from orchestrator.session.values import (
    Outcome,
)
from orchestrator.settle import PAUSES
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.memory import MemoryStore


class FullDisk(MemoryStore):
    """Takes nothing while it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.refused = 0

    async def append(self, session: SessionId, expected: int, events: Sequence[Event]) -> int:
        if self.full:
            self.refused += 1
            raise JournalUnavailable("disk full")
        return await super().append(session, expected, events)


@pytest.fixture
async def full() -> AsyncIterator[tuple[World, FullDisk]]:
    store = FullDisk()
    made = World(store, StillClock())
    with capture_logs():  # tracebacks take longer to print than the rest takes to run
        yield made, store
        store.full = False
        await made.settler.close()


async def test_a_journal_that_takes_nothing_is_asked_ever_more_seldom(
    full: tuple[World, FullDisk],
) -> None:
    world, store = full
    await world.ask(1)
    store.full = True
    await turns_of_the_loop()
    at_once = store.refused
    assert 0 < at_once <= 4
    for pause in (*PAUSES, PAUSES[-1]):
        before = store.refused
        world.clock.advance(pause - 0.5)
        await turns_of_the_loop()
        assert store.refused == before
        world.clock.advance(0.5)
        await turns_of_the_loop()
        assert before < store.refused <= before + at_once
    store.full = False
    world.clock.advance(PAUSES[-1])
    state = await rest(world)
    assert state.turns[0].outcome is Outcome.SUCCEEDED


async def test_a_time_that_cannot_be_written_down_does_not_end_the_keeper(
    full: tuple[World, FullDisk],
) -> None:
    world, store = full
    await world.ask(1)
    await rest(world)
    await until(lambda: world.clock.sleepers)
    store.full = True
    world.clock.advance(600)
    await turns_of_the_loop()
    assert store.refused == 1
    assert world.settler.kept() == (ID,)
    store.full = False
    world.clock.advance(PAUSES[0])
    await until(lambda: world.done["launch/1/release"])


async def test_closing_does_not_wait_for_the_journal(full: tuple[World, FullDisk]) -> None:
    world, store = full
    await world.ask(1)
    store.full = True
    await turns_of_the_loop()
    async with asyncio.timeout(5):
        await world.settler.close()
