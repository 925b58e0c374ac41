"""At start and by timer: see to every open session, so that nothing depends on one event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import count

import structlog

from orchestrator.engine import Engine
from orchestrator.ports import Clock
from orchestrator.session.values import RepositoryId, SessionId
from orchestrator.settle import Settler

log = structlog.get_logger()

EVERY_SECONDS = 60.0
TIDY_EVERY = 60
"""Sweeps between two times of tidying up."""


class Sweeper:
    """`repositories` lists those that may have open sessions."""

    def __init__(
        self,
        *,
        engine: Engine,
        settler: Settler,
        clock: Clock,
        repositories: Callable[[], Awaitable[Iterable[RepositoryId]]],
        tidy: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._settler = settler
        self._clock = clock
        self._repositories = repositories
        self._tidy = tidy

    async def sweep(self) -> int:
        """Keep every open session; how many there are."""
        found: list[SessionId] = []
        for repository in await self._repositories():
            found.extend(await self._engine.store.open_sessions(repository))
        for session in found:
            self._settler.keep(session)
        return len(found)

    async def run(self) -> None:
        """`tidy` takes away what dead sandboxes left, at the start and once an hour."""
        for minute in count():
            try:
                if minute % TIDY_EVERY == 0:
                    await self._tidy()
                if minute:
                    await self.sweep()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("sweep_failed")
            await self._clock.sleep(EVERY_SECONDS)
