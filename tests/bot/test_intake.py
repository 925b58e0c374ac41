"""What was taken is decided once, whatever fails for however long, and nobody waits for others."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from support.clock import StillClock, until

from bot import intake as under_test
from bot.intake import EVERY_SECONDS, MOST_AT_ONCE, TRIES, Intake
from bot.metrics import Metrics
from bot.missed import EVERY_SECONDS as LOOK_SECONDS
from bot.missed import Missed
from bot.webhook import Posted
from orchestrator.asking import Asking
from orchestrator.github.client import GitHub
from orchestrator.github.errors import RateLimited, Unavailable
from orchestrator.session.values import RepositoryId
from orchestrator.stores.deliveries import Delivery
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.journal import Journal


class UnsteadyJournal(Journal):
    """A real one whose disk refuses the next `refusals` decisions or reads."""

    refusals = 0
    broken: Exception | None = None

    def _refuse(self) -> None:
        if self.broken is not None:
            error, self.broken = self.broken, None
            raise error
        if self.refusals:
            self.refusals -= 1
            raise JournalUnavailable("the disk is full")

    async def decide_delivery(
        self,
        guid: str,
        record: str,
        at: datetime,
        *,
        repository: RepositoryId | None = None,
        thread: int | None = None,
    ) -> None:
        self._refuse()
        await super().decide_delivery(guid, record, at, repository=repository, thread=thread)

    async def waiting_deliveries(self, limit: int = 1_000) -> Sequence[Delivery]:
        self._refuse()
        return await super().waiting_deliveries(limit)


class Asked:
    """Answers everything, unless `fails` has something to raise for the repository."""

    def __init__(self) -> None:
        self.fails: Callable[[int], Exception | None] = lambda repository: None
        self.asked: Counter[str] = Counter()
        self.order: list[str] = []

    async def decide(self, delivery: str, event: str, payload: dict[str, Any]) -> object:
        self.asked[delivery] += 1
        error = self.fails(payload["repository"]["id"])
        if error is not None:
            raise error
        self.order.append(delivery)
        return SimpleNamespace(to_json=lambda: {"outcome": "accepted", "reason": "asked"})


class Rig:
    def __init__(self, journal: UnsteadyJournal) -> None:
        self.journal = journal
        self.clock = StillClock()
        self.asking = Asked()
        self.intake = Intake(
            journal=journal,
            asking=cast(Asking, self.asking),
            clock=self.clock,
            metrics=Metrics(),
        )

    def posted(self, guid: str, *, repository: int = 1, number: int = 7) -> Posted:
        body = {"repository": {"id": repository}, "issue": {"number": number}}
        at = self.clock.now()
        return Posted(guid=guid, event="issues", body=json.dumps(body).encode(), received_at=at)

    async def take(self, guid: str, *, repository: int = 1, number: int = 7) -> None:
        assert await self.intake.take(self.posted(guid, repository=repository, number=number))

    async def outcome(self, guid: str) -> str | None:
        decision = await self.journal.decision(guid)
        return json.loads(decision.record)["outcome"] if decision else None

    async def waiting(self) -> list[str]:
        return [d.guid for d in await Journal.waiting_deliveries(self.journal)]

    async def wake(self, seconds: float) -> None:
        """Once somebody sleeps; who wakes by that has gone on when this returns."""
        await until(lambda: self.clock.sleepers)
        self.clock.advance(seconds)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def pass_time(self, seconds: float, step: float = 300.0) -> None:
        """In steps, each once somebody sleeps."""
        while seconds > 0:
            await self.wake(min(step, seconds))
            seconds -= step

    async def past(self, waits: Sequence[float]) -> None:
        for wait in waits:
            await self.wake(wait)
        await asyncio.wait_for(self.intake.idle(), 10)

    @asynccontextmanager
    async def background(self, work: Any) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(work)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    journal = await UnsteadyJournal.open(tmp_path / "journal.sqlite3")
    rig = Rig(journal)
    yield rig
    await rig.intake.drain()
    await journal.close()


def times(count: int, error: Exception) -> Callable[[int], Exception | None]:
    left = [error] * count
    return lambda repository: left.pop() if left else None


async def test_a_decision_that_the_disk_refuses_is_kept_later_and_asked_once(rig: Rig) -> None:
    rig.journal.refusals = 2
    for guid in ("a", "b", "c"):
        await rig.take(guid)
    await rig.past(TRIES[:2])
    assert [await rig.outcome(guid) for guid in "abc"] == ["accepted"] * 3
    assert rig.asking.order == ["a", "b", "c"]
    assert set(rig.asking.asked.values()) == {1}
    assert await rig.waiting() == []


async def test_a_session_that_the_disk_refuses_is_told_later(rig: Rig) -> None:
    rig.asking.fails = times(2, JournalUnavailable("the disk is full"))
    await rig.take("a")
    await rig.past(TRIES[:2])
    assert await rig.outcome("a") == "accepted"


async def test_what_breaks_takes_nothing_else_with_it_and_is_tried_again(rig: Rig) -> None:
    rig.journal.broken = RuntimeError("a bug")
    await rig.take("a")
    await rig.take("b")
    await asyncio.wait_for(rig.intake.idle(), 10)
    assert await rig.outcome("b") == "accepted"
    assert await rig.waiting() == ["a"]
    async with rig.background(rig.intake.keep_up()):
        await rig.wake(EVERY_SECONDS)
        await until(lambda: rig.asking.asked["a"] == 2)
    await asyncio.wait_for(rig.intake.idle(), 10)
    assert await rig.outcome("a") == "accepted"


@pytest.mark.parametrize("error", [JournalUnavailable("locked"), RuntimeError("a bug")])
async def test_keeping_up_survives_what_goes_wrong(rig: Rig, error: Exception) -> None:
    await rig.journal.record_delivery(under_test.delivery_of(rig.posted("a"), None))
    async with rig.background(rig.intake.keep_up()) as task:
        rig.journal.broken = error
        for _ in range(2):
            await rig.wake(EVERY_SECONDS)
        await until(lambda: rig.asking.asked["a"])
        assert not task.done()


async def test_what_is_held_is_not_taken_up_twice(rig: Rig) -> None:
    rig.asking.fails = times(1, Unavailable(call="GET /x", said="", tries=5))
    await rig.take("a")
    await rig.take("b")
    await until(lambda: rig.clock.sleepers)
    assert await rig.intake.resume() == 0
    await rig.past(TRIES[:1])
    assert rig.asking.asked == {"a": 2, "b": 1}


async def test_everything_that_waits_is_taken_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "PAGE", 3)
    guids = [f"d{n}" for n in range(20)]
    for guid in guids:
        posted = rig.posted(guid)
        document = json.loads(posted.body)
        await rig.journal.record_delivery(under_test.delivery_of(posted, document))
    assert await rig.intake.resume() == 20
    await asyncio.wait_for(rig.intake.idle(), 10)
    assert rig.asking.order == guids
    assert await rig.intake.resume() == 0


async def test_an_outage_of_many_hours_is_waited_out(rig: Rig) -> None:
    rig.asking.fails = lambda repository: Unavailable(call="GET /x", said="", tries=5)
    await rig.take("a")
    await rig.pass_time(23 * 3600)
    assert await rig.outcome("a") is None
    assert await rig.waiting() == ["a"]
    rig.asking.fails = lambda repository: None
    await rig.past([300.0])
    assert await rig.outcome("a") == "accepted"


async def test_after_a_day_the_failure_is_the_decision(rig: Rig) -> None:
    rig.asking.fails = lambda repository: Unavailable(call="GET /x", said="", tries=5)
    await rig.take("a")
    await rig.pass_time(24 * 3600)
    await asyncio.wait_for(rig.intake.idle(), 10)
    assert await rig.outcome("a") == "failed"


async def test_whoever_waits_for_github_is_in_nobodys_way(rig: Rig) -> None:
    opens = rig.clock.now() + timedelta(hours=1)

    def limited(repository: int) -> Exception | None:
        first = repository == 1 and rig.clock.now() < opens
        return RateLimited(until=opens, kind="primary", call="GET /x") if first else None

    rig.asking.fails = limited
    for number in range(1, MOST_AT_ONCE + 1):
        await rig.take(f"one-{number}", repository=1, number=number)
    await until(lambda: rig.clock.sleepers == MOST_AT_ONCE)
    await rig.take("two", repository=2)
    await until(lambda: "two" in rig.asking.order)
    assert rig.asking.order == ["two"]
    await rig.past([3600.0])
    assert len(rig.asking.order) == MOST_AT_ONCE + 1


async def test_whoever_sleeps_does_not_hold_up_the_exit(rig: Rig) -> None:
    rig.asking.fails = lambda repository: Unavailable(call="GET /x", said="", tries=5)
    await rig.take("a")
    await rig.take("b")
    await until(lambda: rig.clock.sleepers)
    await asyncio.wait_for(rig.intake.drain(), 5)
    assert await rig.waiting() == ["a", "b"]


class Listed:
    """GitHub's list of deliveries: breaks once, then has one whose text is half a character."""

    def __init__(self, clock: StillClock) -> None:
        self.calls = 0
        self._clock = clock

    async def deliveries(self, cursor: str | None = None) -> object:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("a bug")
        one = SimpleNamespace(
            id=1, guid="m", event="issues", delivered_at=self._clock.now() - timedelta(minutes=1)
        )
        return SimpleNamespace(deliveries=(one,), next_cursor=None)

    async def delivery(self, number: int) -> object:
        issue = {"number": 7, "title": "half \ud83d"}
        return SimpleNamespace(payload={"repository": {"id": 1}, "issue": issue})


async def test_looking_for_the_missed_survives_whatever_it_meets(rig: Rig) -> None:
    listed = Listed(rig.clock)
    missed = Missed(
        github=cast(GitHub, listed), journal=rig.journal, intake=rig.intake, clock=rig.clock
    )
    with structlog.testing.capture_logs() as logs:
        async with rig.background(missed.run()) as task:
            await until(lambda: rig.clock.sleepers or task.done())
            rig.clock.advance(LOOK_SECONDS)
            await until(lambda: rig.asking.asked["m"] or task.done())
            assert not task.done()
    await asyncio.wait_for(rig.intake.idle(), 10)
    assert await rig.outcome("m") == "accepted"
    assert [e["log_level"] for e in logs if e["event"] == "missed_not_looked_for"] == ["error"]
