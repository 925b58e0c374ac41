"""How long to wait after the n-th failure."""

import random
from typing import Callable, Protocol


class Backoff(Protocol):
    def pause(self, attempt: int) -> float:
        """Seconds to wait after attempt number `attempt` (from 1) has failed."""
        ...


class Constant:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def pause(self, attempt: int) -> float:
        return self._seconds


class Exponential:
    """`first`, then `factor` times as long after each failure, never longer than `limit`."""

    def __init__(self, first: float = 0.1, factor: float = 2.0, limit: float = 60.0) -> None:
        if first <= 0 or factor < 1:
            raise ValueError("an exponential backoff has to grow")
        self._first = first
        self._factor = factor
        self._limit = limit

    def pause(self, attempt: int) -> float:
        try:
            return min(self._limit, self._first * self._factor ** (attempt - 1))
        except OverflowError:
            return self._limit


class Jittered:
    """Another backoff's pause, shortened by up to `share` of it, so that callers spread out."""

    def __init__(
        self,
        inner: Backoff,
        share: float = 0.5,
        rand: Callable[[], float] = random.random,
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError("share is a part of the pause, from 0 to 1")
        self._inner = inner
        self._share = share
        self._rand = rand

    def pause(self, attempt: int) -> float:
        return self._inner.pause(attempt) * (1 - self._share * self._rand())
