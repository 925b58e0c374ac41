"""When to push: at once where a person waits for it, else soon, never too often, until it worked.

One of these per repository. It knows nothing of what is pushed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from orchestrator.ports import Clock

from .groupwriter import JournalUnavailable
from .record import RecordUnavailable, StateRefused

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`delay` bounds how long something waits, `spacing` how often is pushed (six a minute);
    what is urgent waits for neither. `longest_pause` bounds the pause between failures."""

    delay: float = 5.0
    spacing: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 60.0


class Flusher:
    """`flush` pushes what waits, as often as something does, and says whether more is left."""

    def __init__(
        self, name: str, flush: Callable[[], Awaitable[bool]], clock: Clock, pace: Pace
    ) -> None:
        self._name = name
        self._flush = flush
        self._clock = clock
        self._pace = pace
        self._waits_since: datetime | None = None
        self._pushed_at: datetime | None = None
        self._failures = 0
        self._urgent = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    def wake(self, *, urgent: bool) -> None:
        """Something waits. Never blocks, never raises."""
        if self._ended:
            return
        if self._waits_since is None:
            self._waits_since = self._clock.now()
        if urgent:
            self._urgent.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"flush-{self._name}")
            self._task.add_done_callback(_report)

    async def now(self) -> bool:
        """Push what waits, without pauses. False where that failed, which is logged."""
        async with self._one_at_a_time:
            return await self._push()

    async def end(self) -> None:
        """Push no more by itself."""
        self._ended = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._waits_since is not None:
            wait = (self._due(self._waits_since) - self._clock.now()).total_seconds()
            if wait > 0 and not self._failures:
                await self._sleep_unless_urgent(wait)
            async with self._one_at_a_time:
                pushed = await self._push()
            if not pushed:
                await self._clock.sleep(self._pause())

    def _due(self, since: datetime) -> datetime:
        soon = since + timedelta(seconds=self._pace.delay)
        if self._pushed_at is None:
            return soon
        return max(soon, self._pushed_at + timedelta(seconds=self._pace.spacing))

    async def _push(self) -> bool:
        self._urgent.clear()
        try:
            more = True
            while more:
                self._waits_since = None
                more = await self._flush()
        except (RecordUnavailable, StateRefused, JournalUnavailable) as error:
            self._failures += 1
            self._waits_since = self._waits_since or self._clock.now()
            log.warning(
                "state not pushed, will be tried again",
                repository=self._name,
                failures=self._failures,
                reason=str(error),
            )
            return False
        self._failures = 0
        self._pushed_at = self._clock.now()
        return True

    def _pause(self) -> float:
        doubled = self._pace.first_pause * 2.0 ** min(self._failures - 1, 16)
        return min(self._pace.longest_pause, doubled) * random.uniform(0.75, 1.25)  # noqa: S311

    async def _sleep_unless_urgent(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waiting = asyncio.ensure_future(self._urgent.wait())
        try:
            await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waiting.cancel()
            await asyncio.gather(sleeping, waiting, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    """A bug ends the task, and is said; the next event starts another one."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("flusher ended by a bug", task=task.get_name(), exc_info=error)
