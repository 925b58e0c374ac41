"""Time as a parameter, so that tests never sleep."""

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ManualClock:
    """Stands still until someone sleeps; remembers every sleep."""

    def __init__(self) -> None:
        self._now = 0.0
        self.sleeps: "list[float]" = []

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self._now += seconds

    def advance(self, seconds: float) -> None:
        """Time passes without anybody sleeping: a slow call, for instance."""
        self._now += seconds
