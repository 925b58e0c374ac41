"""Notices that nothing moves any more, or that nobody waits for the answer, and ends the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType

from orchestrator.ports import Clock
from sandbox.provider import SandboxError, WireStream

TICK_SECONDS = 1.0


class Stalled(Exception):
    """No byte moved for as long as was allowed."""


class Watch:
    """`async with Watch(...)`: raises `Stalled`, or the stream's own end, inside the block.

    Works like `asyncio.timeout` with a limit that every `moved()` pushes away, on our clock. A
    client that leaves while the model still thinks shows only when one writes: each tick writes
    nothing, which fails on a stream that is over.
    """

    def __init__(self, clock: Clock, stream: WireStream, seconds: float) -> None:
        self._clock = clock
        self._stream = stream
        self._allowed = timedelta(seconds=seconds)
        self._moved_at = clock.now()
        self._ended_by: Exception | None = None
        self._task: asyncio.Task[object] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._cancelling = 0

    def moved(self) -> None:
        self._moved_at = self._clock.now()

    async def __aenter__(self) -> Watch:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        self._ticker = asyncio.create_task(self._tick(self._task), name="watch a model call")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._task is not None and self._ticker is not None
        self._ticker.cancel()
        if (
            self._ended_by is not None
            and self._task.uncancel() <= self._cancelling
            and kind is not None
            and issubclass(kind, asyncio.CancelledError)
        ):
            raise self._ended_by from error

    async def _tick(self, task: asyncio.Task[object]) -> None:
        while self._ended_by is None:
            await self._clock.sleep(TICK_SECONDS)
            if self._clock.now() - self._moved_at >= self._allowed:
                self._ended_by = Stalled()
            else:
                try:
                    await self._stream.write(b"")
                except SandboxError as gone:
                    self._ended_by = gone
        task.cancel()


class Activity:
    """Calls `told` when bytes flow, at most once a second, so that silence means silence."""

    def __init__(self, clock: Clock, told: Callable[[], None]) -> None:
        self._clock = clock
        self._told = told
        self._last: datetime | None = None

    def saw_bytes(self) -> None:
        now = self._clock.now()
        if self._last is None or now - self._last >= timedelta(seconds=1):
            self._last = now
            self._told()
