"""Sessions that were used lately, in memory: their events, and their state when it is asked for."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence

from orchestrator.ports import StoredSession
from orchestrator.session import Session, evolve, initial, is_open
from orchestrator.session.events import Event
from orchestrator.session.values import SessionId


class Entry:
    __slots__ = ("_events", "_state", "_stored")

    def __init__(self, session: SessionId, events: Sequence[Event]) -> None:
        self._events = list(events)
        self._state = initial(session)
        self._stored: StoredSession | None = None

    @property
    def version(self) -> int:
        return len(self._events)

    def extend(self, expected: int, events: Sequence[Event]) -> None:
        if self.version == expected:
            self._events.extend(events)
            self._stored = None

    def stored(self) -> StoredSession:
        if self._stored is None:
            self._stored = StoredSession(events=tuple(self._events), version=self.version)
        return self._stored

    def state(self) -> Session:
        for event in self._events[self._state.version :]:
            self._state = evolve(self._state, event)
        return self._state

    def is_open(self) -> bool:
        return is_open(self.state())


class Recent:
    """Holds about `most` events; the sessions used least lately go first, pinned ones never."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[SessionId, Entry] = OrderedDict()
        self._counted: dict[SessionId, int] = {}
        self._total = 0
        self._pins: Counter[SessionId] = Counter()

    def get(self, session: SessionId) -> Entry | None:
        entry = self._entries.get(session)
        if entry is not None:
            self._entries.move_to_end(session)
        return entry

    def put(self, session: SessionId, entry: Entry) -> Entry:
        """The entry that counts: one that is here already may have grown meanwhile."""
        entry = self._entries.setdefault(session, entry)
        self._count(session, entry)
        return entry

    def extend(self, session: SessionId, expected: int, events: Sequence[Event]) -> None:
        entry = self._entries.get(session)
        if entry is not None:
            entry.extend(expected, events)
            self._count(session, entry)

    def _count(self, session: SessionId, entry: Entry) -> None:
        size = entry.version + 1
        self._total += size - self._counted.get(session, 0)
        self._counted[session] = size
        if self._total > self._most:
            self._let_go(keep=session)

    def drop(self, session: SessionId) -> None:
        if self._entries.pop(session, None) is not None:
            self._total -= self._counted.pop(session)

    def pin(self, session: SessionId) -> None:
        """While an append is under way: an entry read meanwhile could miss it."""
        self._pins[session] += 1

    def unpin(self, session: SessionId) -> None:
        self._pins[session] -= 1
        if not self._pins[session]:
            del self._pins[session]

    def _let_go(self, keep: SessionId) -> None:
        for session in list(self._entries):
            if self._total <= self._most:
                return
            if session != keep and session not in self._pins:
                self.drop(session)
