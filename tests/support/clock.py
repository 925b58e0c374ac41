"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class StillClock:
    """`sleep` waits until `advance` has gone past its end; nothing takes real time."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            until = (self._now + timedelta(seconds=seconds), asyncio.Event())
            self._sleepers.append(until)
            try:
                await until[1].wait()
            finally:
                self._sleepers.remove(until)

    @property
    def sleepers(self) -> int:
        return len(self._sleepers)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        for until, woken in self._sleepers:
            if until <= self._now:
                woken.set()


async def until(condition: object, seconds: float = 10.0) -> None:
    """Wait in real time for something that other tasks or processes bring about."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
