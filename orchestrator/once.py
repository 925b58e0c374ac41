"""Creating at GitHub what it would create twice: it knows no idempotency keys.

A create whose answer was lost may have happened, and listings show what is new only after a
while. So a second one is sent only when the first has not shown up for `LAG_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from orchestrator.github.errors import GitHubError, UncertainOutcome
from orchestrator.ports import Clock
from orchestrator.session import Session, SessionId
from orchestrator.settle import EffectDeferred

LAG_SECONDS = 11.0
"""Listings are taken to be complete after 10 s."""


class Once:
    """Remembers creates that certainly did not happen, so that nobody looks for them; what a
    crash makes us forget is looked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._absent: set[tuple[SessionId, str]] = set()

    async def create(
        self,
        s: Session,
        key: str,
        *,
        again: bool,
        find: Callable[[], Awaitable[str | None]],
        make: Callable[[], Awaitable[str]],
    ) -> str:
        """The id of the one thing that effect `key` of the session makes.

        Raises `EffectDeferred` while an earlier try may still come to light.
        """
        absent = not again or (s.id, key) in self._absent
        self._absent.discard((s.id, key))
        if not absent:
            found = await find()
            if found is not None:
                return found
            self._wait_for_light(s, key)
        try:
            return await make()
        except UncertainOutcome:
            raise
        except GitHubError:
            if absent:
                self._absent.add((s.id, key))
            raise

    def _wait_for_light(self, s: Session, key: str) -> None:
        visible = s.attempts[key].intended_at + timedelta(seconds=LAG_SECONDS)
        left = (visible - self._clock.now()).total_seconds()
        if left > 0:
            raise EffectDeferred("It may be there already; it is looked for again.", after=left)
