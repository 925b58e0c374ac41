"""Load, decide, append, again on Conflict: the one way in which a session changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.ports import Conflict, EventStore
from orchestrator.session import Session, SessionId, decide, evolve, initial, replay
from orchestrator.session.commands import Command
from orchestrator.session.events import Event

MAX_CONFLICTS = 8
KEPT_SESSIONS = 2048

Listener = Callable[[Session, Sequence[Event]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The session after a command, and the events that the command led to."""

    session: Session
    events: tuple[Event, ...]


class Engine:
    """Serialises the commands of each session; sessions do not wait for one another.

    What `tell` returned is durable. Listeners are called after that, in order, on the loop.
    """

    def __init__(self, store: EventStore, *, kept: int = KEPT_SESSIONS) -> None:
        self._store = store
        self._kept = kept
        self._known: OrderedDict[SessionId, Session] = OrderedDict()
        self._locks: dict[SessionId, asyncio.Lock] = {}
        self._listeners: list[Listener] = []

    @property
    def store(self) -> EventStore:
        return self._store

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def get(self, session: SessionId) -> Session:
        """The session as it is; one that was never opened has version 0."""
        known = self._known.get(session)
        if known is not None:
            self._known.move_to_end(session)
            return known
        async with self._lock(session):
            return await self._load(session)

    async def tell(self, session: SessionId, command: Command) -> Told:
        """Raises the `SessionError` by which the session refuses, having changed nothing."""
        async with self._lock(session):
            for attempt in range(MAX_CONFLICTS):
                state = await self._load(session)
                events = decide(state, command)
                if not events:
                    return Told(session=state, events=())
                try:
                    await self._store.append(session, state.version, events)
                except Conflict:
                    self._known.pop(session, None)
                    if attempt == MAX_CONFLICTS - 1:
                        raise
                    continue
                for event in events:
                    state = evolve(state, event)
                self._keep(state)
                for listener in self._listeners:
                    listener(state, events)
                return Told(session=state, events=tuple(events))
        raise AssertionError("unreachable")

    def forget(self, session: SessionId) -> None:
        """Read it afresh next time: someone else may have written to it."""
        self._known.pop(session, None)

    async def _load(self, session: SessionId) -> Session:
        known = self._known.get(session)
        if known is not None:
            return known
        stored = await self._store.load(session)
        state = replay(session, stored.events) if stored.events else initial(session)
        self._keep(state)
        return state

    def _keep(self, state: Session) -> None:
        self._known[state.id] = state
        self._known.move_to_end(state.id)
        while len(self._known) > self._kept:
            oldest, _ = self._known.popitem(last=False)
            lock = self._locks.get(oldest)
            if lock is not None and not lock.locked():
                del self._locks[oldest]

    def _lock(self, session: SessionId) -> asyncio.Lock:
        return self._locks.setdefault(session, asyncio.Lock())
