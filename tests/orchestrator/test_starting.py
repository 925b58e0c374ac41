"""Few sandboxes start at once, repositories take turns, and no place is ever lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clock import StillClock, until

from orchestrator.session.values import RepositoryId, SessionId, session_id
from orchestrator.starting import HOLD_SECONDS, Closing, Starting


def session(number: int, repository: int = 1) -> SessionId:
    return session_id(RepositoryId(repository), number)


class Line:
    """Sessions that want to start, and the order in which they did."""

    def __init__(self, at_once: int) -> None:
        self.clock = StillClock()
        self.starting = Starting(at_once, self.clock)
        self.started: list[SessionId] = []
        self.tasks: dict[SessionId, asyncio.Task[None]] = {}

    async def want(self, *sessions: SessionId) -> None:
        for one in sessions:
            self.tasks[one] = asyncio.create_task(self._start(one))
        await self.calm()

    async def _start(self, one: SessionId) -> None:
        await self.starting.enter(one)
        self.started.append(one)

    async def calm(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def leave(self, one: SessionId) -> None:
        self.starting.leave(one)
        await self.calm()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line(2)
    yield made
    made.starting.close()
    await asyncio.gather(*made.tasks.values(), return_exceptions=True)


async def test_no_more_than_so_many_start_and_the_rest_in_order(line: Line) -> None:
    wanted = [session(n) for n in range(1, 6)]
    await line.want(*wanted)
    assert line.started == wanted[:2]
    await line.leave(wanted[1])
    assert line.started == wanted[:3]
    await line.leave(wanted[0])
    await line.leave(wanted[2])
    assert line.started == wanted


async def test_a_repository_with_many_sessions_does_not_hold_up_another(line: Line) -> None:
    busy = [session(n, repository=1) for n in range(1, 8)]
    other = [session(n, repository=2) for n in (1, 2)]
    await line.want(*busy, *other)
    for _ in range(4):
        await line.leave(line.started[-1])
    assert line.started == [*busy[:3], other[0], busy[3], other[1]]


async def test_one_that_takes_too_long_gives_up_its_place(line: Line) -> None:
    await line.want(session(1), session(2), session(3))
    line.clock.advance(HOLD_SECONDS + 1)
    await until(lambda: session(3) in line.started)


async def test_leaving_twice_or_without_a_place_frees_nothing(line: Line) -> None:
    await line.want(*(session(n) for n in range(1, 6)))
    await line.leave(session(5))
    await line.leave(session(1))
    await line.leave(session(1))
    assert line.started == [session(1), session(2), session(3)]


async def test_entering_twice_holds_one_place(line: Line) -> None:
    await line.want(session(1))
    await line.starting.enter(session(1))
    await line.want(session(2))
    assert line.started == [session(1), session(2)]


async def test_one_that_gave_up_waiting_is_passed_by(line: Line) -> None:
    await line.want(*(session(n) for n in range(1, 5)))
    line.tasks[session(3)].cancel()
    await line.leave(session(1))
    assert line.started == [session(1), session(2), session(4)]


async def test_a_place_that_comes_with_the_cancellation_goes_to_the_next(line: Line) -> None:
    await line.want(*(session(n) for n in range(1, 5)))
    line.starting.leave(session(1))
    line.tasks[session(3)].cancel()
    await line.calm()
    assert line.started == [session(1), session(2), session(4)]


async def test_at_the_end_who_waits_hears_so_and_nobody_starts(line: Line) -> None:
    await line.want(*(session(n) for n in range(1, 4)))
    line.starting.close()
    with pytest.raises(Closing):
        await line.tasks[session(3)]
    with pytest.raises(Closing):
        await line.starting.enter(session(4))


@given(st.lists(st.tuples(st.sampled_from("wlc"), st.integers(1, 9)), max_size=40))
@settings(deadline=None, max_examples=100)
def test_whatever_happens_places_are_neither_lost_nor_made(acts: list[tuple[str, int]]) -> None:
    async def play() -> None:
        line = Line(2)
        try:
            for act, number in acts:
                one = session(number, repository=number % 3 + 1)
                if act == "w" and one not in line.tasks:
                    await line.want(one)
                elif act == "l":
                    await line.leave(one)
                elif act == "c" and one in line.tasks:
                    line.tasks[one].cancel()
                    await line.calm()
                assert len(line.starting._holding) <= 2
            for one in list(line.tasks) * 2:
                await line.leave(one)
            assert all(task.done() for task in line.tasks.values()), "nobody waits for ever"
            assert line.starting._free == 2 - len(line.starting._holding)
        finally:
            line.starting.close()
            await asyncio.gather(*line.tasks.values(), return_exceptions=True)

    asyncio.run(play())
