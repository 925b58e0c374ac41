"""Appends wait for the disk only; the record gets everything, once, and soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import pytest
from support.clock import StillClock, until
from support.stored import (
    NOON,
    OCTOCAT,
    REPOSITORY,
    a_session,
    finished_story,
    intended,
    opened,
    settled,
)

from orchestrator.ports import Conflict, StoredSession
from orchestrator.session.events import EffectIntended, Event, SessionCancelled
from orchestrator.session.values import RepositoryId, SessionId
from orchestrator.stores.journal import Journal, Known
from orchestrator.stores.journaled import JournaledStore
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.record import Batch, Record, RecordUnavailable, StateRefused

SESSION = a_session()
CANCELLED = SessionCancelled(at=NOON, by=OCTOCAT, dropped=())


class Remote(MemoryStore):
    """A record that can be cut off, and that remembers how it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.pushes: list[int] = []
        self.tries = 0
        self.before_answer: Callable[[], None] = lambda: None
        self.refuse: set[SessionId] = set()

    async def load(self, session: SessionId) -> StoredSession:
        if self.down:
            raise RecordUnavailable("cut off")
        return await super().load(session)

    async def append_many(
        self, batches: Sequence[Batch], *, journal: int = 0
    ) -> Mapping[SessionId, int | Conflict | StateRefused]:
        self.tries += 1
        if self.down:
            raise RecordUnavailable("cut off")
        results = dict(await super().append_many(batches, journal=journal))
        results |= {s: StateRefused(str(s), "altered") for s in self.refuse & results.keys()}
        self.pushes.append(sum(len(batch.events) for batch in batches))
        self.before_answer()
        return results


class House:
    """One machine: a disk, a remote, and processes that come and go."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.sqlite3"
        self.remote = Remote()
        self.clock = StillClock()
        self.journal: Journal
        self.store: JournaledStore

    async def start(self) -> None:
        self.journal = await Journal.open(self.path)
        self.store = JournaledStore(self.journal, self._record, self.clock)
        await self.store.start()

    async def stop(self) -> None:
        await self.store.close()
        await self.journal.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def lose_disk(self) -> None:
        await self.stop()
        for file in self.path.parent.glob("journal.sqlite3*"):
            file.unlink()
        await self.start()

    async def _record(self, repository: RepositoryId) -> Record:
        return self.remote

    async def waiting(self) -> int:
        return sum((await self.journal.waiting_counts()).values())

    async def pushed(self, pushes: int) -> None:
        await until(lambda: len(self.remote.pushes) >= pushes)
        async with asyncio.timeout(10):
            while await self.waiting():
                await asyncio.sleep(0.005)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.start()
    yield house
    await house.stop()


async def test_an_append_does_not_wait_for_the_record(house: House) -> None:
    await house.store.load(SESSION)
    house.remote.down = True
    assert await house.store.append(SESSION, 0, [opened(SESSION)]) == 1
    assert await house.store.append(SESSION, 1, [intended(1)]) == 2
    assert (await house.store.load(SESSION)).version == 2
    assert house.remote.pushes == []


async def test_the_first_event_is_on_the_record_after_five_seconds(house: House) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION)])
    await house.store.append(SESSION, 1, [intended(1)])
    await until(lambda: house.clock.sleepers == 1)
    house.clock.advance(4.9)
    assert house.remote.pushes == []
    house.clock.advance(0.1)
    await house.pushed(1)
    assert house.remote.pushes == [2]


async def test_later_ones_at_most_six_times_a_minute(house: House) -> None:
    version = 0
    for second in range(60):
        version = await house.store.append(SESSION, version, [intended(second)])
        await until(lambda: house.clock.sleepers == 1)
        before = len(house.remote.pushes)
        house.clock.advance(1)
        if second % 10 == 4:
            await house.pushed(before + 1)
    assert len(house.remote.pushes) == 6
    assert sum(house.remote.pushes) >= 50


@pytest.mark.parametrize("last", [CANCELLED, finished_story(SESSION)[12]], ids=["cancel", "turn"])
async def test_the_end_of_a_turn_is_pushed_at_once(house: House, last: Event) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION), last])
    await house.pushed(1)
    await house.store.append(SESSION, 2, [intended(1)])
    await house.store.append(SESSION, 3, [last])
    await house.pushed(2)
    assert house.remote.pushes == [2, 2], "without any time passing"


async def test_many_sessions_go_in_one_push(house: House) -> None:
    sessions = [a_session(home) for home in range(1, 31)]
    await asyncio.gather(*(house.store.append(s, 0, [opened(s)]) for s in sessions))
    await house.store.append(sessions[0], 1, [CANCELLED])
    await house.pushed(1)
    assert house.remote.pushes == [31]


async def test_a_push_that_fails_is_tried_again_later_and_later(house: House) -> None:
    await house.store.load(SESSION)
    house.remote.down = True
    await house.store.append(SESSION, 0, [opened(SESSION), CANCELLED])
    pauses = []
    for tries in range(1, 6):
        await until(lambda tries=tries: house.remote.tries == tries and house.clock.sleepers == 1)
        pause = 0.0
        while house.clock.sleepers:
            house.clock.advance(0.25)
            pause += 0.25
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        pauses.append(pause)
    assert pauses == sorted(pauses)
    assert 0.75 <= pauses[0] <= 1.5
    assert 12 <= pauses[4] <= 20.25
    house.remote.down = False
    async with asyncio.timeout(10):
        while await house.waiting():
            house.clock.advance(60)
    assert (await house.remote.load(SESSION)).version == 2


async def test_drain_pushes_what_waits_and_says_what_it_could_not(house: House) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION), intended(1)])
    house.remote.down = True
    assert await house.store.drain() == 2
    house.remote.down = False
    assert await house.store.drain() == 0
    assert (await house.remote.load(SESSION)).version == 2


async def test_what_a_crash_left_waiting_is_pushed_by_the_next_process(house: House) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION), intended(1)])
    await house.restart()
    await house.pushed(1)
    assert (await house.remote.load(SESSION)).version == 2


async def test_a_crash_between_push_and_release_doubles_nothing(house: House) -> None:
    def crash() -> None:
        raise RecordUnavailable("the answer never came")

    house.remote.before_answer = crash
    await house.store.append(SESSION, 0, [opened(SESSION), CANCELLED])
    await until(lambda: len(house.remote.pushes) == 1)
    assert await house.waiting() == 2
    house.remote.before_answer = lambda: None
    await house.restart()
    assert (await house.store.load(SESSION)).events == (opened(SESSION), CANCELLED)
    assert await house.store.append(SESSION, 2, [intended(1)]) == 3
    await house.store.drain()
    assert (await house.remote.load(SESSION)).events == (opened(SESSION), CANCELLED, intended(1))


async def test_a_lost_disk_is_rebuilt_from_the_record(house: House) -> None:
    story = settled(finished_story(SESSION), SESSION)
    other = a_session(42)
    await house.store.append(SESSION, 0, story)
    await house.store.append(other, 0, [opened(other), finished_story(other)[1]])
    await house.store.drain()
    await house.lose_disk()
    assert await house.store.open_sessions(REPOSITORY) == [other]
    assert (await house.store.load(SESSION)).events == tuple(story)
    assert await house.store.session_of_pull(REPOSITORY, 128) == SESSION
    assert await house.store.generation(REPOSITORY, 42) == 1
    assert await house.store.append(SESSION, len(story), [intended(1)]) == len(story) + 1
    await house.store.drain()
    assert (await house.remote.load(SESSION)).events == (*story, intended(1))


async def test_history_and_what_waits_are_read_as_one(house: House) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION), intended(1)])
    await house.store.drain()
    await house.store.append(SESSION, 2, [intended(2)])
    await house.restart()
    events = (await house.store.load(SESSION)).events
    assert events == (opened(SESSION), intended(1), intended(2))


async def test_events_by_somebody_else_on_the_record_are_taken_up(house: House) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION)])
    await house.store.drain()
    await house.stop()
    await house.remote.append(SESSION, 1, [intended(1)])
    await house.start()
    assert (await house.store.load(SESSION)).version == 2
    assert await house.store.append(SESSION, 2, [intended(2)]) == 3


async def test_where_somebody_else_was_first_the_record_counts(house: House) -> None:
    """Never under a lease. What was ours is set aside, not mixed in, and not thrown away."""
    await house.store.append(SESSION, 0, [opened(SESSION)])
    await house.store.drain()
    await house.store.append(SESSION, 1, [intended(1)])
    await house.remote.append(SESSION, 1, [intended(2)])
    assert await house.store.drain() == 0
    assert (await house.store.load(SESSION)).events == (opened(SESSION), intended(2))
    assert await house.store.append(SESSION, 2, [intended(3)]) == 3
    await house.store.drain()
    assert (await house.remote.load(SESSION)).version == 3
    rows = await house.journal._read(
        lambda db: db.execute("SELECT session, seq FROM refused").fetchall()
    )
    assert rows == [(SESSION, 2)]


async def test_the_same_found_out_after_a_restart(house: House) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION), intended(1), intended(3)])
    await house.stop()
    await house.remote.append(SESSION, 0, [opened(SESSION), intended(2)])
    house.remote.down = True
    await house.start()
    house.remote.down = False
    assert (await house.store.load(SESSION)).events == (opened(SESSION), intended(2))
    assert await house.journal.known(SESSION) == Known(pushed=2, lines=())


async def test_a_record_that_was_rolled_back_is_refused(house: House) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION), intended(1)])
    await house.store.drain()
    await house.stop()
    house.remote = Remote()
    await house.start()
    with pytest.raises(StateRefused, match="rolled back"):
        await house.store.load(SESSION)


async def test_a_refused_session_holds_up_no_other(house: House) -> None:
    other = a_session(42)
    await house.store.append(SESSION, 0, [opened(SESSION)])
    await house.store.append(other, 0, [opened(other)])
    house.remote.refuse = {SESSION}
    assert await house.store.drain() == 1
    await house.store.append(other, 1, [intended(1)])
    assert await house.store.drain() == 1
    assert (await house.remote.load(other)).version == 2


async def test_a_session_of_this_disk_alone_opens_while_the_record_is_away(house: House) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION)])
    house.remote.down = True
    await house.restart()
    assert (await house.store.load(SESSION)).version == 1
    assert await house.store.append(SESSION, 1, [intended(1)]) == 2
    with pytest.raises(RecordUnavailable):
        await house.store.load(a_session(77))


async def test_who_stops_waiting_does_not_confuse_who_comes_next(house: House) -> None:
    await house.store.append(SESSION, 0, [opened(SESSION)])
    appending = asyncio.ensure_future(house.store.append(SESSION, 1, [intended(1)]))
    await asyncio.sleep(0)
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    with pytest.raises(Conflict):
        await house.store.append(SESSION, 1, [intended(2)])
    assert (await house.store.load(SESSION)).events == (opened(SESSION), intended(1))


async def test_memory_is_bounded_and_nothing_is_forgotten(house: House) -> None:
    small = JournaledStore(house.journal, house._record, house.clock, kept_events=20)
    sessions = [a_session(home) for home in range(1, 40)]
    for session in sessions:
        await small.append(session, 0, [opened(session), intended(1)])
    assert sum(small._recent._counted.values()) <= 20
    for session in sessions:
        assert await small.append(session, 2, [intended(2)]) == 3
    await small.close()


async def test_what_is_on_the_record_does_not_stay_in_the_journal(house: House) -> None:
    version = 0
    for number in range(20):
        event: Event = EffectIntended(at=NOON, key=f"{number}")
        version = await house.store.append(SESSION, version, [event])
    await house.store.drain()
    assert await house.waiting() == 0
    assert await house.journal.known(SESSION) == Known(pushed=20, lines=())
