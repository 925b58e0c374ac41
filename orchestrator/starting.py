"""How many sandboxes may start at once, and whose turn it is.

An agent's start is the one part of a session that takes a whole processor for seconds: fifty at
once would all be late, where a few at once are ready one after another. Repositories take turns,
so that one with many sessions does not hold up the others.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from orchestrator.ports import Clock
from orchestrator.session.values import RepositoryId, SessionId, parse_session_id

HOLD_SECONDS = 30.0
"""A start that takes longer gives its place up: it waits for something, or for `setup.sh`."""


class Closing(Exception):
    """Nothing is started any more."""


class Starting:
    """`enter` waits for a place; `leave` gives it back, which time does in the end."""

    def __init__(self, at_once: int, clock: Clock) -> None:
        self._free = at_once
        self._clock = clock
        self._waiting: OrderedDict[RepositoryId, deque[asyncio.Future[None]]] = OrderedDict()
        self._holding: dict[SessionId, asyncio.Task[None]] = {}
        self._closing = False

    async def enter(self, session: SessionId) -> None:
        """Raises `Closing` where the server is shutting down meanwhile."""
        if self._closing:
            raise Closing
        if session in self._holding:
            return
        if self._free > 0:
            self._free -= 1
        else:
            repository, *_ = parse_session_id(session)
            await self._wait(repository)
        self._holding[session] = asyncio.create_task(self._expire(session), name=f"start {session}")

    def leave(self, session: SessionId) -> None:
        """Also for one that holds no place."""
        holding = self._holding.pop(session, None)
        if holding is not None:
            holding.cancel()
            self._hand_on()

    def close(self) -> None:
        """Whoever waits hears `Closing`; places are free."""
        self._closing = True
        for queue in self._waiting.values():
            for turn in queue:
                if not turn.done():
                    turn.set_exception(Closing())
        for session in list(self._holding):
            self.leave(session)

    async def _wait(self, repository: RepositoryId) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(repository, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._hand_on()  # the place came with the cancellation
            raise

    def _hand_on(self) -> None:
        """The place goes to the repository whose turn it is; those that gave up are passed by."""
        while self._waiting:
            repository, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[repository] = queue  # at the end of the line
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    async def _expire(self, session: SessionId) -> None:
        await self._clock.sleep(HOLD_SECONDS)
        if self._holding.pop(session, None) is not None:
            self._hand_on()
