"""What is owed is done, done once, tried again when it fails, and taken up after a restart."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from support.clock import StillClock, until

from orchestrator.engine import Engine
from orchestrator.ports import Conflict, StoredSession
from orchestrator.session import Session, SessionId
from orchestrator.session.commands import (
    AddPrompt,
    Finished,
    NoteHanded,
    NoteLaunched,
    NoteReady,
    NoteReleased,
    NoteWork,
    Opening,
    Receive,
)
from orchestrator.session.effects import (
    Effect,
    HandPrompt,
    LaunchSandbox,
    ReleaseSandbox,
    TakeWork,
)
from orchestrator.session.events import Event
from orchestrator.session.values import (
    Home,
    Outcome,
    Person,
    Plan,
    Prompt,
    PromptKey,
    RepositoryId,
    Source,
    SourceKind,
    UserId,
    session_id,
)
from orchestrator.settle import BACKOFF_SECONDS, PAUSES, EffectDeferred, EffectImpossible, Settler
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.memory import MemoryStore

ID = session_id(RepositoryId(7), 41)


class World:
    """A performer that counts, fails on request, and plays a sandbox whose agent ends at once."""

    def __init__(self, store: MemoryStore, clock: StillClock) -> None:
        self.clock = clock
        self.engine = Engine(store)
        self.settler = Settler(self.engine, self, clock)
        self.done: Counter[str] = Counter()
        self.again: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.hold: asyncio.Event | None = None
        self.hold_dismissal: asyncio.Event | None = None

    def attend(self, session: Session) -> None:
        return None

    async def dismiss(self, session: SessionId) -> None:
        if self.hold_dismissal is not None:
            await self.hold_dismissal.wait()

    async def perform(self, session: Session, effect: Effect, *, again: bool) -> str:
        if again:
            self.again.append(effect.key)
        if self.hold is not None and isinstance(effect, LaunchSandbox):
            await self.hold.wait()
        if effect.key in self.failing:
            raise self.failing[effect.key]
        self.done[effect.key] += 1
        now = self.clock.now()
        match effect:
            case LaunchSandbox(launch=launch):
                await self.tell_launched(launch)
            case HandPrompt(turn=turn, launch=launch):
                await self.engine.tell(ID, NoteHanded(at=now, turn=turn, launch=launch))
                box = (await self.engine.get(ID)).sandbox
                assert box is not None
                end = Finished(turn=turn, reason="end_turn", error="", produced=True)
                await self.engine.tell(
                    ID,
                    Receive(
                        at=now, launch=launch, upto=box.upto + 1, turn=turn, said="", finished=end
                    ),
                )
            case TakeWork(turn=turn):
                await self.engine.tell(ID, NoteWork(at=now, turn=turn, work=None))
            case ReleaseSandbox(launch=launch):
                await self.engine.tell(ID, NoteReleased(at=now, launch=launch, snapshot="s"))
            case _:
                pass
        return "ref"

    async def tell_launched(self, launch: int) -> None:
        now = self.clock.now()
        await self.engine.tell(
            ID,
            NoteLaunched(
                at=now,
                launch=launch,
                sandbox=f"sb-{launch}",
                workspace_present=True,
                restored=False,
                base="a" * 40,
                note="",
                seconds=0,
            ),
        )
        await self.engine.tell(
            ID,
            NoteReady(
                at=now, launch=launch, agent="a", agent_session="s", resumed=False, seconds=0
            ),
        )

    async def ask(self, number: int) -> None:
        source = Source(
            kind=SourceKind.ISSUE_COMMENT,
            id=number,
            thread=41,
            updated_at=self.clock.now(),
            sha256="",
            url="",
        )
        prompt = Prompt(
            key=PromptKey(f"comment-{number}"),
            author=Person(id=UserId(1), login="alice"),
            text="fix it",
            source=source,
        )
        opening = Opening(
            repository="acme/app",
            home=Home.ISSUE,
            title="t",
            branch="b",
            public=False,
            plan=Plan(),
        )
        await self.engine.tell(ID, AddPrompt(at=self.clock.now(), prompt=prompt, opening=opening))

    async def state(self) -> Session:
        return await self.engine.get(ID)

    async def at_rest(self) -> bool:
        state = await self.state()
        return state.turn is None and state.ref(f"turn/{len(state.turns)}/label-off") is not None


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(MemoryStore(), StillClock())
    yield made
    await made.settler.close()


async def rest(world: World) -> Session:
    async with asyncio.timeout(10):
        while not await world.at_rest():
            await asyncio.sleep(0.001)
    return await world.state()


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


async def turns_of_the_loop(number: int = 300) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


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
