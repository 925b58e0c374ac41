"""One way in: commands of a session one after another, sessions side by side, nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from orchestrator.engine import MAX_CONFLICTS, Engine
from orchestrator.ports import Conflict, StoredSession
from orchestrator.session import SessionId
from orchestrator.session.commands import AddPrompt, Opening, Stop
from orchestrator.session.errors import NoSession
from orchestrator.session.events import Event, PromptQueued
from orchestrator.session.values import (
    Home,
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
from orchestrator.stores.memory import MemoryStore

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ALICE = Person(id=UserId(1), login="alice")


def session(number: int = 41) -> SessionId:
    return session_id(RepositoryId(7), number)


def source(number: int) -> Source:
    return Source(
        kind=SourceKind.ISSUE_COMMENT, id=number, thread=41, updated_at=AT, sha256="0", url=""
    )


def prompt(number: int) -> AddPrompt:
    return AddPrompt(
        at=AT,
        prompt=Prompt(
            key=PromptKey(f"comment-{number}"), author=ALICE, text="fix it", source=source(number)
        ),
        opening=Opening(
            repository="acme/app", home=Home.ISSUE, title="t", branch="b", public=True, plan=Plan()
        ),
    )


class Gate(MemoryStore):
    """A store that can be made to wait, and counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.loads = 0
        self.waiting = 0

    async def load(self, session: SessionId) -> StoredSession:
        self.loads += 1
        return await super().load(session)

    async def append(self, session: SessionId, expected: int, events: Sequence[Event]) -> int:
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        return await super().append(session, expected, events)


async def test_what_a_command_led_to_is_stored_told_and_remembered() -> None:
    store = Gate()
    engine = Engine(store)
    heard: list[tuple[int, list[str]]] = []
    engine.listen(lambda s, events: heard.append((s.version, [type(e).__name__ for e in events])))
    told = await engine.tell(session(), prompt(1))
    stored = await store.load(session())
    assert stored.events == told.events
    assert told.session.version == stored.version == 3
    assert heard == [(3, ["SessionOpened", "PromptQueued", "TurnStarted"])]
    assert await engine.get(session()) is told.session
    assert store.loads == 2, "read once, and once by this test"


async def test_a_refusal_changes_nothing_and_nobody_hears_of_it() -> None:
    engine = Engine(Gate())
    heard: list[object] = []
    engine.listen(lambda s, events: heard.append(events))
    with pytest.raises(NoSession):
        await engine.tell(session(), Stop(at=AT, key=PromptKey("c"), by=ALICE, source=source(1)))
    assert (await engine.get(session())).version == 0
    assert heard == []


async def test_a_command_that_decides_nothing_is_not_stored() -> None:
    store = Gate()
    engine = Engine(store)
    await engine.tell(session(), prompt(1))
    told = await engine.tell(session(), prompt(1))
    assert told.events == ()
    assert (await store.load(session())).version == 3


async def test_nobody_hears_of_what_is_not_stored_yet() -> None:
    store = Gate()
    engine = Engine(store)
    heard: list[int] = []
    engine.listen(lambda s, events: heard.append(s.version))
    store.open.clear()
    telling = asyncio.create_task(engine.tell(session(), prompt(1)))
    while not store.waiting:
        await asyncio.sleep(0)
    assert heard == []
    store.open.set()
    await telling
    assert heard == [3]


async def test_sessions_do_not_wait_for_one_another_and_their_own_commands_do() -> None:
    store = Gate()
    engine = Engine(store)
    store.open.clear()
    mine = [asyncio.create_task(engine.tell(session(41), prompt(n))) for n in (1, 2, 3)]
    other = asyncio.create_task(engine.tell(session(42), prompt(4)))
    while store.waiting < 2:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert store.waiting == 2, "one command of each session is at the store"
    store.open.set()
    await asyncio.gather(*mine, other)
    queued = [e.prompt.key for e in (await store.load(session(41))).events
              if isinstance(e, PromptQueued)]  # fmt: skip
    assert queued == ["comment-1", "comment-2", "comment-3"]


async def test_what_someone_else_wrote_is_read_and_decided_upon_again() -> None:
    store = Gate()
    mine, other = Engine(store), Engine(store)
    await mine.tell(session(), prompt(1))
    await other.tell(session(), prompt(2))
    told = await mine.tell(session(), prompt(3))
    assert [p.key for p in told.session.waiting] == ["comment-2", "comment-3"]
    assert (await mine.tell(session(), prompt(2))).events == (), "it knows the other's prompt now"


async def test_a_store_that_always_conflicts_is_given_up_on() -> None:
    class Contested(MemoryStore):
        tries = 0

        async def append(self, session: SessionId, expected: int, events: Sequence[Event]) -> int:
            self.tries += 1
            raise Conflict("someone else was first")

    store = Contested()
    with pytest.raises(Conflict):
        await Engine(store).tell(session(), prompt(1))
    assert store.tries == MAX_CONFLICTS


async def test_forgotten_means_read_again() -> None:
    store = Gate()
    mine, other = Engine(store), Engine(store)
    await mine.tell(session(), prompt(1))
    await other.tell(session(), prompt(2))
    assert len((await mine.get(session())).waiting) == 0
    mine.forget(session())
    assert len((await mine.get(session())).waiting) == 1


async def test_memory_is_bounded_and_what_fell_out_is_read_again() -> None:
    store = Gate()
    engine = Engine(store, kept=3)
    for number in range(1, 6):
        await engine.tell(session(number), prompt(number))
        await engine.get(session(1))  # used all the time, so it stays
    loads = store.loads
    await engine.get(session(1))
    assert store.loads == loads
    assert (await engine.get(session(2))).version == 3
    assert store.loads == loads + 1
