"""At start and by timer: see to every open session, so that nothing depends on one event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from orchestrator.engine import Engine
from orchestrator.ports import Clock
from orchestrator.session.values import RepositoryId, SessionId
from orchestrator.settle import Settler

log = structlog.get_logger()

EVERY_SECONDS = 60.0


class Sweeper:
    """`repositories` lists those that may have open sessions."""

    def __init__(
        self,
        *,
        engine: Engine,
        settler: Settler,
        clock: Clock,
        repositories: Callable[[], Awaitable[Iterable[RepositoryId]]],
    ) -> None:
        self._engine = engine
        self._settler = settler
        self._clock = clock
        self._repositories = repositories

    async def sweep(self) -> int:
        """Keep every open session; how many there are."""
        found: list[SessionId] = []
        for repository in await self._repositories():
            found.extend(await self._engine.store.open_sessions(repository))
        for session in found:
            self._settler.keep(session)
        return len(found)

    async def run(self) -> None:
        while True:
            await self._clock.sleep(EVERY_SECONDS)
            try:
                await self.sweep()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("sweep_failed")
