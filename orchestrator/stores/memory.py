"""Sessions in memory: a real store for tests and for a process that may forget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.ports import Conflict, StoredSession
from orchestrator.session import Session, evolve, initial, is_open
from orchestrator.session.events import Event, PullRequestOpened
from orchestrator.session.values import Kind, RepositoryId, SessionId, parse_session_id

from .record import Batch, StateRefused


class MemoryStore:
    """Everything is kept for as long as the object lives."""

    def __init__(self) -> None:
        self._events: dict[SessionId, tuple[Event, ...]] = {}
        self._states: dict[SessionId, Session] = {}
        self._pulls: dict[tuple[RepositoryId, int], SessionId] = {}

    async def load(self, session: SessionId) -> StoredSession:
        parse_session_id(session)
        events = self._events.get(session, ())
        return StoredSession(events=events, version=len(events))

    async def append(self, session: SessionId, expected: int, events: Sequence[Event]) -> int:
        repository, *_ = parse_session_id(session)
        present = self._events.get(session, ())
        if len(present) != expected:
            raise Conflict(f"{session} is at {len(present)}, not at {expected}")
        if not events:
            return expected
        state = self._states.get(session) or initial(session)
        for event in events:
            state = evolve(state, event)
            if isinstance(event, PullRequestOpened):
                self._pulls[repository, event.pull_request.number] = session
        self._events[session] = (*present, *events)
        self._states[session] = state
        return expected + len(events)

    async def append_many(
        self, batches: Sequence[Batch], *, journal: int = 0
    ) -> Mapping[SessionId, int | Conflict | StateRefused]:
        results: dict[SessionId, int | Conflict | StateRefused] = {}
        for batch in batches:
            present = self._events.get(batch.session, ())
            there = present[batch.expected : batch.expected + len(batch.events)]
            rest = batch.events[len(there) :]
            if there != batch.events[: len(there)] or len(present) < batch.expected:
                results[batch.session] = Conflict(f"{batch.session} went another way")
            elif not rest:
                results[batch.session] = len(present)
            else:
                results[batch.session] = await self.append(batch.session, len(present), rest)
        return results

    def as_recorded(self, event: Event) -> Event:
        return event

    async def open_sessions(self, repository: RepositoryId) -> Sequence[SessionId]:
        return [
            session
            for session, state in self._states.items()
            if parse_session_id(session)[0] == repository and is_open(state)
        ]

    async def session_of_pull(self, repository: RepositoryId, number: int) -> SessionId | None:
        return self._pulls.get((repository, number))

    async def generation(self, repository: RepositoryId, home: int) -> int:
        generations = [
            generation
            for of, at, kind, generation in map(parse_session_id, self._events)
            if (of, at, kind) == (repository, home, Kind.MAIN)
        ]
        return max(generations, default=0)
