"""A sandbox is lost only when it does not come back, not because wires were lost over a day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from support.clock import StillClock, until

from orchestrator.attend import HELD_SECONDS, REATTACH_SECONDS, Attendant, BootPlan
from orchestrator.engine import Engine
from orchestrator.session import Session, SessionId
from orchestrator.session.commands import AddPrompt, NoteLaunched, Opening
from orchestrator.session.events import Event
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
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.memory import MemoryStore
from sandbox.commands import Command
from sandbox.provider import Link, SandboxGone, StreamHandler, SupervisorHello, WireStream
from sandbox.reports import Numbered, StillWorking
from sandbox.spec import (
    Launched,
    SandboxId,
    SandboxInfo,
    SandboxSpec,
    SnapshotId,
)

ID = session_id(RepositoryId(7), 41)
SANDBOX = SandboxId("sb-1")
OFTEN = 2 * len(REATTACH_SECONDS)


class Wire:
    """One attach; `say` and `lose` are what the sandbox's side does."""

    hello = SupervisorHello(phase="ready", last_seq=0, running_turn=None, finished_turn=None)

    def __init__(self) -> None:
        self._coming: asyncio.Queue[Numbered | None] = asyncio.Queue()
        self.acknowledged: list[int] = []
        self.closed = False

    def say(self, seq: int) -> None:
        report = StillWorking(turn=1, what="it builds", seconds=15)
        self._coming.put_nowait(Numbered(seq=seq, at=0, report=report))

    def lose(self) -> None:
        self._coming.put_nowait(None)

    async def reports(self) -> AsyncIterator[Numbered]:
        while (numbered := await self._coming.get()) is not None:
            yield numbered
        raise SandboxGone("the wire was lost")

    async def acknowledge(self, seq: int) -> None:
        self.acknowledged.append(seq)

    async def send(self, command: Command) -> None:
        raise AssertionError("it runs already")

    async def open(self, kind: str, meta: Mapping[str, object]) -> WireStream:
        raise AssertionError("nothing is opened here")

    async def close(self) -> None:
        self.closed = True


class Place:
    """A provider with one sandbox that runs throughout."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []

    async def attach(
        self,
        sandbox: SandboxId,
        *,
        epoch: int,
        after: int,
        handlers: Mapping[str, StreamHandler],
    ) -> Link:
        self.wires.append(Wire())
        return self.wires[-1]

    async def list(self, tags: Mapping[str, str]) -> Sequence[SandboxInfo]:
        return [SandboxInfo(id=SANDBOX, name="s", tags=tags, started_at=0)]

    async def launch(self, spec: SandboxSpec) -> Launched:
        raise AssertionError("not here")

    async def snapshot(self, sandbox: SandboxId) -> SnapshotId:
        raise AssertionError("not here")

    async def terminate(self, sandbox: SandboxId) -> None:
        raise AssertionError("not here")

    async def delete_snapshot(self, snapshot: SnapshotId) -> None:
        raise AssertionError("not here")


class FullDisk(MemoryStore):
    full = False
    refused = 0

    async def append(self, session: SessionId, expected: int, events: Sequence[Event]) -> int:
        if self.full:
            self.refused += 1
            raise JournalUnavailable("disk full")
        return await super().append(session, expected, events)


class Attended:
    def __init__(self) -> None:
        self.clock = StillClock()
        self.store = FullDisk()
        self.engine = Engine(self.store)
        self.place = Place()

    async def begin(self) -> None:
        at = datetime(2026, 11, 24, tzinfo=UTC)
        source = Source(
            kind=SourceKind.ISSUE_COMMENT, id=1, thread=41, updated_at=at, sha256="", url=""
        )
        prompt = Prompt(
            key=PromptKey("comment-1"),
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
        await self.engine.tell(ID, AddPrompt(at=at, prompt=prompt, opening=opening))
        await self.engine.tell(
            ID,
            NoteLaunched(
                at=at,
                launch=1,
                sandbox=SANDBOX,
                workspace_present=True,
                restored=False,
                base="a" * 40,
                note="",
                seconds=0,
            ),
        )

        async def no_boot(session: Session) -> BootPlan:
            raise AssertionError("it runs already")

        self.attendant = Attendant(
            session=ID,
            launch=1,
            sandbox=SANDBOX,
            engine=self.engine,
            provider=self.place,
            clock=self.clock,
            handlers={},
            boot_plan=no_boot,
            clean=str,
        )

    async def attached(self, number: int) -> Wire:
        """The `number`th wire, with the waits before it gone by."""

        def there() -> bool:
            self.clock.advance(REATTACH_SECONDS[-1] if self.clock.sleepers else 0)
            return len(self.place.wires) >= number or self.attendant.task.done()

        await until(there)
        assert len(self.place.wires) >= number
        return self.place.wires[number - 1]

    async def kept(self) -> bool:
        return (await self.engine.get(ID)).sandbox is not None


@pytest.fixture
async def attended() -> AsyncIterator[Attended]:
    made = Attended()
    await made.begin()
    yield made
    made.store.full = False
    await made.attendant.close()


async def test_wires_lost_between_reports_do_not_add_up(attended: Attended) -> None:
    for number in range(1, OFTEN):
        wire = await attended.attached(number)
        wire.say(number)
        await until(lambda wire=wire: wire.acknowledged)
        wire.lose()
        await until(lambda wire=wire: wire.closed)
    await attended.attached(OFTEN)
    assert await attended.kept()


async def test_wires_that_held_a_while_do_not_add_up(attended: Attended) -> None:
    for number in range(1, OFTEN):
        wire = await attended.attached(number)
        await attended.attendant.link()
        attended.clock.advance(HELD_SECONDS)
        wire.lose()
        await until(lambda wire=wire: wire.closed)
    await attended.attached(OFTEN)
    assert await attended.kept()


async def test_wires_lost_at_once_are_a_lost_sandbox(attended: Attended) -> None:
    for number in range(1, len(REATTACH_SECONDS) + 2):
        wire = await attended.attached(number)
        await attended.attendant.link()
        wire.lose()
        await until(lambda wire=wire: wire.closed)
    await until(attended.attendant.task.done)
    assert not await attended.kept()


async def test_a_journal_that_takes_nothing_is_waited_for(attended: Attended) -> None:
    wire = await attended.attached(1)
    attended.store.full = True
    wire.say(1)
    for _ in range(OFTEN):
        refused = attended.store.refused
        await until(lambda: attended.clock.sleepers)
        attended.clock.advance(60)
        await until(lambda refused=refused: attended.store.refused > refused)
    assert wire.acknowledged == []
    attended.store.full = False
    attended.clock.advance(60)
    await until(lambda: wire.acknowledged == [1])
    assert attended.place.wires == [wire]
    assert await attended.kept()
