"""One limiter for all that an installation sends: while it is limited, nobody sends.

GitHub counts per installation and may ban an App that goes on asking while it is limited
(docs.github.com, "Best practices for using the REST API"). So the first answer that says "limited"
stops all callers, and when the time is over one of them tries before the others follow.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.ports import Clock

from .answers import Limited, RawAnswer, seconds_until
from .errors import RateLimited

PATIENCE_SECONDS = 120.0
"""The longest that one call waits for limits; beyond, `RateLimited` says until when."""
FIRST_PENALTY_SECONDS = 60.0
LONGEST_PENALTY_SECONDS = 3_600.0
AT_ONCE = 50
"""GitHub allows 100 concurrent requests, shared with everything else the App does."""
EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much content (comments, pull requests, reviews) an installation creates.

    GitHub's documented ceiling is 80 a minute and 500 an hour, people's own activity included.
    """

    per_minute: int = 40
    per_hour: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The primary rate, as the last answer told it."""

    limit: int
    remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Leave to send one request. `incident` is the newest limit known when it was given."""

    resource: str
    incident: int


class Limiter:
    """Shared by every caller of one installation, so that they stop together."""

    def __init__(self, *, clock: Clock, pace: Pace | None = None) -> None:
        self._clock = clock
        self._pace = pace or Pace()
        self._until: dict[str, datetime] = {}
        self._kind = "secondary"
        self._incident = 0
        self._strikes = 0
        self._careful = False
        self._one_tries = asyncio.Lock()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._created: deque[datetime] = deque()
        self.rates: dict[str, Rate] = {}

    @asynccontextmanager
    async def turn(
        self, *, resource: str, creates: bool, deadline: datetime
    ) -> AsyncIterator[Turn]:
        """Waits until sending is allowed; raises `RateLimited` if that is after `deadline`."""
        async with self._places:
            await self._clear(resource, deadline)
            if creates:
                await self._paced(resource, deadline)
            if self._careful:
                async with self._one_tries:
                    await self._clear(resource, deadline)
                    if self._alone():
                        yield Turn(resource=resource, incident=self._incident)
                        return
            yield Turn(resource=resource, incident=self._incident)

    def _alone(self) -> bool:
        """After a limit one request tries; not any more, once an earlier one got through."""
        return self._careful

    async def _clear(self, resource: str, deadline: datetime) -> None:
        while True:
            known = [self._until[key] for key in (EVERYTHING, resource) if key in self._until]
            now = self._clock.now()
            until = max(known, default=now)
            if until <= now:
                return
            if until > deadline:
                raise RateLimited(until=until, kind=self._kind)
            await self._clock.sleep((until - now).total_seconds())

    async def _paced(self, resource: str, deadline: datetime) -> None:
        while True:
            now = self._clock.now()
            until = self._next_creation(now)
            if until <= now:
                self._created.append(now)
                return
            if until > deadline:
                raise RateLimited(until=until, kind="content")
            await self._clock.sleep((until - now).total_seconds())
            await self._clear(resource, deadline)

    def _next_creation(self, now: datetime) -> datetime:
        while self._created and self._created[0] <= now - timedelta(hours=1):
            self._created.popleft()
        at = now
        for most, span in (
            (self._pace.per_minute, timedelta(minutes=1)),
            (self._pace.per_hour, timedelta(hours=1)),
        ):
            if len(self._created) >= most:
                at = max(at, self._created[-most] + span)
        return at

    def limited(self, turn: Turn, verdict: Limited) -> None:
        """Everyone stops. Requests already on their way add to the same incident, not a new one."""
        fresh = turn.incident == self._incident
        if fresh:
            self._incident += 1
            self._strikes += 1
        seconds = verdict.seconds
        if seconds is None:
            doubled = FIRST_PENALTY_SECONDS * 2 ** min(max(self._strikes, 1) - 1, 6)
            seconds = min(doubled, LONGEST_PENALTY_SECONDS)
            if not fresh:
                seconds = 0.0
        key = turn.resource if verdict.kind == "primary" else EVERYTHING
        until = self._clock.now() + timedelta(seconds=seconds)
        self._until[key] = max(until, self._until.get(key, until))
        self._kind = verdict.kind
        self._careful = True

    def answered(self, turn: Turn, answer: RawAnswer) -> None:
        """Any other answer: the way is free again, and the rate may say that it soon is not."""
        if turn.incident == self._incident:
            self._strikes = 0
            self._careful = False
        limit = answer.number("x-ratelimit-limit")
        remaining = answer.number("x-ratelimit-remaining")
        if limit is None or remaining is None:
            return
        resource = answer.headers.get("x-ratelimit-resource", turn.resource)
        self.rates[resource] = Rate(limit=int(limit), remaining=int(remaining))
        reset = answer.number("x-ratelimit-reset")
        if remaining <= 0 and reset is not None:
            now = self._clock.now()
            until = now + timedelta(seconds=seconds_until(answer, reset, now))
            self._until[resource] = max(until, self._until.get(resource, until))
            self._kind = "primary"
