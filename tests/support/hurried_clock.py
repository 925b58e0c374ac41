"""Real time, faster, and with leaps: for whole stories with real processes in them."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class HurriedClock:
    """`rate` seconds pass here in one second of the world; `leap` makes more pass at once."""

    def __init__(self, rate: float = 1.0) -> None:
        self._rate = rate
        self._began = time.monotonic()
        self._base = datetime.now(UTC)
        self._leapt = timedelta()
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        passed = time.monotonic() - self._began
        return self._base + timedelta(seconds=passed * self._rate) + self._leapt

    async def sleep(self, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        while (left := (until - self.now()).total_seconds()) > 0:
            changed = self._changed
            try:
                async with asyncio.timeout(left / self._rate):
                    await changed.wait()
            except TimeoutError:
                continue
        await asyncio.sleep(0)

    def leap(self, seconds: float) -> None:
        """Whoever sleeps less than that wakes."""
        self._leapt += timedelta(seconds=seconds)
        self._changed.set()
        self._changed = asyncio.Event()
