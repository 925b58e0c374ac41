"""What is owed is done, done once, tried again when it fails, and taken up after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from support.clock import StillClock, until
from support.settling import World, rest, turns_of_the_loop

from orchestrator.ports import Conflict, StoredSession
from orchestrator.session import SessionId
from orchestrator.session.events import Event
from orchestrator.session.values import (
    Outcome,
    RepositoryId,
)
from orchestrator.settle import BACKOFF_SECONDS, EffectDeferred, EffectImpossible
from orchestrator.stores.memory import MemoryStore


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(MemoryStore(), StillClock())
    yield made
    await made.settler.close()


async def test_everything_owed_is_done_once(world: World) -> None:
    await world.ask(1)
    state = await rest(world)
    assert state.turns[0].outcome is Outcome.SUCCEEDED
    assert set(world.done.values()) == {1}
    assert world.again == []


async def test_what_fails_is_tried_again_after_its_wait_and_told_so(world: World) -> None:
    world.failing["launch/1"] = EffectDeferred("no luck")
    await world.ask(1)
    await until(lambda: world.clock.sleepers)
    attempt = (await world.state()).attempts["launch/1"]
    assert attempt.failed == "no luck"
    assert attempt.retry_at == world.clock.now() + timedelta(seconds=BACKOFF_SECONDS[0])
    del world.failing["launch/1"]
    world.clock.advance(BACKOFF_SECONDS[0])
    await rest(world)
    assert world.again == ["launch/1"]


async def test_a_longer_wait_that_was_asked_for_is_kept(world: World) -> None:
    world.failing["status"] = EffectDeferred("rate limit", after=1234)
    await world.ask(1)
    await until(lambda: "status" not in world.done and world.clock.sleepers)
    attempt = (await world.state()).attempts["status"]
    assert attempt.retry_at == world.clock.now() + timedelta(seconds=1234)


async def test_what_is_impossible_is_given_up_with_the_reason(world: World) -> None:
    world.failing |= {f"launch/{n}": EffectImpossible("no disk") for n in (1, 2)}
    await world.ask(1)
    state = await rest(world)
    assert state.turns[0].outcome is Outcome.FAILED
    assert "no disk" in state.turns[0].reason


async def test_a_bug_in_an_effect_is_said_in_words_and_tried_again(world: World) -> None:
    world.failing["launch/1"] = KeyError("a secret of the code")
    await world.ask(1)
    await until(lambda: world.clock.sleepers)
    attempt = (await world.state()).attempts["launch/1"]
    assert attempt.failed == "Something broke on our side; the log has it."


async def test_a_new_process_takes_up_what_the_old_one_left(world: World) -> None:
    world.hold = asyncio.Event()
    await world.ask(1)
    await until(lambda: world.done["turn/1/label-on"])
    store = world.engine.store
    assert isinstance(store, MemoryStore)
    closing = asyncio.create_task(world.settler.close())
    await asyncio.sleep(0)
    world.hold.set()
    await closing

    second = World(store, world.clock)
    for session in await store.open_sessions(RepositoryId(7)):
        second.settler.keep(session)
    try:
        state = await rest(second)
        assert state.turns[0].outcome is Outcome.SUCCEEDED
        both = world.done + second.done
        assert both["status"] == 1
        assert both["turn/1/result"] == 1
    finally:
        await second.settler.close()


async def test_an_idle_sandbox_is_let_go_by_time_alone(world: World) -> None:
    await world.ask(1)
    await rest(world)
    assert (await world.state()).sandbox is not None
    await until(lambda: world.clock.sleepers)
    world.clock.advance(600)
    await until(lambda: world.done["launch/1/release"])
    async with asyncio.timeout(5):
        while (await world.state()).sandbox is not None:
            await asyncio.sleep(0.001)
    await until(lambda: world.settler.kept() == ())


class Contended(MemoryStore):
    """Another process writes first, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conflicts = 2

    async def append(self, session: SessionId, expected: int, events: Sequence[Event]) -> int:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict
        return await super().append(session, expected, events)

    async def load(self, session: SessionId) -> StoredSession:
        return await super().load(session)


async def test_a_conflict_is_decided_again_on_what_is_there_now() -> None:
    world = World(Contended(), StillClock())
    try:
        await world.ask(1)
        assert (await world.state()).version > 0
    finally:
        await world.settler.close()


async def test_what_is_asked_while_the_keeper_lets_go_is_done(world: World) -> None:
    await world.ask(1)
    await rest(world)
    await until(lambda: world.clock.sleepers)
    world.hold_dismissal = asyncio.Event()
    world.clock.advance(600)
    async with asyncio.timeout(5):
        while (await world.state()).sandbox is not None:
            await asyncio.sleep(0.001)
    await turns_of_the_loop()
    await world.ask(2)
    await turns_of_the_loop()
    assert "launch/2" not in world.done
    world.hold_dismissal.set()
    async with asyncio.timeout(5):
        while (await world.state()).turns[1].outcome is None:
            await asyncio.sleep(0.001)
