"""What the orchestrator needs from outside, as small Protocols beside their users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.session.events import Event
from orchestrator.session.values import RepositoryId, SessionId


class Conflict(Exception):
    """Someone else wrote to this session first: load it and decide again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session's whole history, in order; `version` is the number of events."""

    events: tuple[Event, ...]
    version: int


class EventStore(Protocol):
    """Where sessions are kept. Appending is atomic; what `append` returned is durable."""

    async def load(self, session: SessionId) -> StoredSession:
        """Empty and version 0 where there is no such session."""
        ...

    async def append(self, session: SessionId, expected: int, events: Sequence[Event]) -> int:
        """Add `events` after version `expected` and return the new version.

        Raises `Conflict`, having written nothing, where the session is not at `expected`.
        """
        ...

    async def open_sessions(self, repository: RepositoryId) -> Sequence[SessionId]:
        """Sessions that still owe something or hold a sandbox, in the order they were opened."""
        ...

    async def session_of_pull(self, repository: RepositoryId, number: int) -> SessionId | None:
        """The session that opened this pull request, if one did."""
        ...

    async def generation(self, repository: RepositoryId, home: int) -> int:
        """The newest generation of the main session at `home`; 0 where there is none."""
        ...


class Clock(Protocol):
    """Time as a port: durations and deadlines in tests pass without waiting."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...
