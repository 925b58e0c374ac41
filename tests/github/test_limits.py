"""One limiter per installation: while it is limited, nobody sends."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from support.github_server import FakeClock

from orchestrator.github.answers import Limited, RawAnswer
from orchestrator.github.errors import RateLimited
from orchestrator.github.limits import Limiter, Pace

OK = RawAnswer(status=200, headers={}, body=b"")


def limiter_of(clock: FakeClock, pace: Pace | None = None) -> Limiter:
    return Limiter(clock=clock, pace=pace)


async def sent(
    limiter: Limiter,
    clock: FakeClock,
    answer: RawAnswer | Limited = OK,
    *,
    resource: str = "core",
    creates: bool = False,
    patience: float = 120,
) -> datetime:
    """One request and its answer; when it was sent."""
    deadline = clock.now() + timedelta(seconds=patience)
    async with limiter.turn(resource=resource, creates=creates, deadline=deadline) as turn:
        at = clock.now()
        if isinstance(answer, Limited):
            limiter.limited(turn, answer)
        else:
            limiter.answered(turn, answer)
    return at


async def test_a_limit_stops_everyone_until_it_is_over(clock: FakeClock) -> None:
    limiter = limiter_of(clock)
    await sent(limiter, clock, Limited(kind="secondary", seconds=30))
    started = clock.now()
    times = await asyncio.gather(*(sent(limiter, clock) for _ in range(100)))
    assert min(times) >= started + timedelta(seconds=30)


async def test_without_a_number_it_is_a_minute_and_then_twice_that(clock: FakeClock) -> None:
    limiter = limiter_of(clock)
    unknown = Limited(kind="secondary", seconds=None)
    times = [await sent(limiter, clock, unknown, patience=9_999) for _ in range(4)]
    assert [(b - a).total_seconds() for a, b in pairwise(times)] == [
        60,
        120,
        240,
    ]
    await sent(limiter, clock, patience=9_999)
    again = await sent(limiter, clock, unknown)
    assert (await sent(limiter, clock) - again).total_seconds() == 60


async def test_a_limit_longer_than_ones_patience_is_raised_with_its_end(clock: FakeClock) -> None:
    limiter = limiter_of(clock)
    await sent(limiter, clock, Limited(kind="primary", seconds=1800))
    with pytest.raises(RateLimited) as raised:
        await sent(limiter, clock)
    assert raised.value.until == clock.now() + timedelta(seconds=1800)
    assert "primary limit" in str(raised.value) and "12:30:00 UTC" in str(raised.value)
    assert clock.slept == []


async def test_after_a_limit_one_tries_before_the_others(clock: FakeClock) -> None:
    limiter = limiter_of(clock)
    await sent(limiter, clock, Limited(kind="secondary", seconds=10))
    deadline = clock.now() + timedelta(seconds=120)
    inside, most, tried = 0, 0, asyncio.Event()

    async def request() -> None:
        nonlocal inside, most
        async with limiter.turn(resource="core", creates=False, deadline=deadline) as turn:
            inside += 1
            if not tried.is_set():
                most = max(most, inside)
                for _ in range(20):
                    await asyncio.sleep(0)
                tried.set()
            limiter.answered(turn, OK)
            inside -= 1

    await asyncio.gather(*(request() for _ in range(20)))
    assert most == 1


async def test_a_refused_try_stops_the_others_again(clock: FakeClock) -> None:
    """A hundred sessions wait; the end of the first penalty lets one request through, not all."""
    limiter = limiter_of(clock)
    unknown = Limited(kind="secondary", seconds=None)
    await sent(limiter, clock, unknown)
    refused: list[datetime] = []
    limit_ends = clock.now() + timedelta(seconds=60 + 120 + 240)

    async def request() -> None:
        deadline = clock.now() + timedelta(hours=1)
        while True:
            async with limiter.turn(resource="core", creates=False, deadline=deadline) as turn:
                if clock.now() >= limit_ends:
                    limiter.answered(turn, OK)
                    return
                refused.append(clock.now())
                limiter.limited(turn, unknown)

    await asyncio.gather(*(request() for _ in range(100)))
    assert len(refused) == 2


async def test_requests_already_on_their_way_are_one_incident(clock: FakeClock) -> None:
    limiter = limiter_of(clock)
    deadline = clock.now() + timedelta(seconds=120)
    started, finish = 0, asyncio.Event()

    async def request() -> None:
        nonlocal started
        async with limiter.turn(resource="core", creates=False, deadline=deadline) as turn:
            started += 1
            await finish.wait()
            limiter.limited(turn, Limited(kind="secondary", seconds=None))

    tasks = [asyncio.create_task(request()) for _ in range(10)]
    while started < 10:
        await asyncio.sleep(0)
    at = clock.now()
    finish.set()
    await asyncio.gather(*tasks)
    assert (await sent(limiter, clock) - at).total_seconds() == 60


async def test_no_more_requests_at_once_than_github_allows(clock: FakeClock) -> None:
    limiter = limiter_of(clock)
    deadline = clock.now() + timedelta(seconds=120)
    inside, most = 0, 0

    async def request() -> None:
        nonlocal inside, most
        async with limiter.turn(resource="core", creates=False, deadline=deadline):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(request() for _ in range(300)))
    assert most == 50


async def test_a_used_up_rate_stops_before_anything_is_refused(clock: FakeClock) -> None:
    limiter = limiter_of(clock)
    reset = int(clock.now().timestamp()) + 40
    headers = {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(reset),
        "x-ratelimit-resource": "core",
    }
    started = await sent(limiter, clock, RawAnswer(status=200, headers=headers, body=b""))
    assert await sent(limiter, clock, resource="graphql") == started, "it has a rate of its own"
    assert (await sent(limiter, clock) - started).total_seconds() == 41
    assert limiter.rates["core"].remaining == 0


async def test_content_is_created_at_githubs_pace(clock: FakeClock) -> None:
    limiter = limiter_of(clock, Pace(per_minute=3, per_hour=5))
    times = [await sent(limiter, clock, creates=True, patience=4_000) for _ in range(6)]
    seconds = [(at - times[0]).total_seconds() for at in times]
    assert seconds == [0, 0, 0, 60, 60, 3600]
    with pytest.raises(RateLimited, match="content"):
        for _ in range(10):
            await sent(limiter, clock, creates=True)


async def test_reading_does_not_wait_for_content(clock: FakeClock) -> None:
    limiter = limiter_of(clock, Pace(per_minute=1, per_hour=1))
    await sent(limiter, clock, creates=True)
    assert await sent(limiter, clock) == clock.now()
    assert clock.slept == []


async def test_one_who_gives_up_frees_the_place(clock: FakeClock) -> None:
    limiter = limiter_of(clock)
    deadline = clock.now() + timedelta(seconds=120)
    for _ in range(200):
        with pytest.raises(asyncio.CancelledError):
            async with limiter.turn(resource="core", creates=False, deadline=deadline):
                raise asyncio.CancelledError
    assert await sent(limiter, clock) == clock.now()
