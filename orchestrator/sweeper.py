"""At start and by timer: see to every open session, so that nothing depends on one event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count

import structlog

from orchestrator.engine import Engine
from orchestrator.github.errors import GitHubError
from orchestrator.ports import Clock
from orchestrator.session.values import RepositoryId, SessionId
from orchestrator.settle import Settler
from orchestrator.stores.record import RecordUnavailable, StateRefused

log = structlog.get_logger()

EVERY_SECONDS = 60.0
TIDY_EVERY = 60
"""Sweeps between two times of tidying up."""
MOST_AT_ONCE = 8
"""Repositories that are asked at the same time."""
PATIENCE_SECONDS = 30.0
"""For one repository; the next sweep asks it again."""


async def _nothing_known(repository: RepositoryId) -> Iterable[SessionId]:
    return ()


class Sweeper:
    """`repositories` lists those that may have open sessions. `known_open` tells what is known
    to be open in one of them without reaching it."""

    def __init__(
        self,
        *,
        engine: Engine,
        settler: Settler,
        clock: Clock,
        repositories: Callable[[], Awaitable[Iterable[RepositoryId]]],
        tidy: Callable[[], Awaitable[None]],
        known_open: Callable[[RepositoryId], Awaitable[Iterable[SessionId]]] = _nothing_known,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._engine = engine
        self._settler = settler
        self._clock = clock
        self._repositories = repositories
        self._tidy = tidy
        self._known_open = known_open
        self._patience = patience

    async def sweep(self) -> int:
        """Keep every open session; how many there are. A repository that cannot be reached
        takes nothing from the others."""
        turn = asyncio.Semaphore(MOST_AT_ONCE)

        async def found_in(repository: RepositoryId) -> Sequence[SessionId]:
            async with turn:
                found = await self._open_in(repository)
            for session in found:
                self._settler.keep(session)
            return found

        tasks = [asyncio.create_task(found_in(one)) for one in await self._repositories()]
        try:
            return sum(len(found) for found in await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _open_in(self, repository: RepositoryId) -> Sequence[SessionId]:
        try:
            async with asyncio.timeout(self._patience):
                return await self._engine.store.open_sessions(repository)
        except (RecordUnavailable, StateRefused, GitHubError, TimeoutError) as error:
            reason = str(error) or "it did not answer in time"
            log.warning("repository_not_swept", repository=repository, reason=reason)
            return tuple(await self._known_open(repository))

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
