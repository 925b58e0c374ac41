"""The record that a journal is emptied into: an event store that takes many sessions at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.ports import Conflict, EventStore
from orchestrator.session.events import Event
from orchestrator.session.values import SessionId


class StateRefused(Exception):
    """Stored state that must not be believed: `where` it is and `why`. Nothing was changed."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class RecordUnavailable(Exception):
    """The record cannot be reached or does not let us write, and why; nothing is lost by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events that follow version `expected` of one session."""

    session: SessionId
    expected: int
    events: tuple[Event, ...]


class Record(EventStore, Protocol):
    async def append_many(
        self, batches: Sequence[Batch], *, journal: int = 0
    ) -> Mapping[SessionId, int | Conflict | StateRefused]:
        """Append to several sessions in one step, and say for each what became of it.

        Safe to repeat: a batch that is there already, event for event, counts as appended.
        `journal` is the newest journal sequence among the events. Raises `RecordUnavailable`
        where nothing could be written.
        """
        ...

    def as_recorded(self, event: Event) -> Event:
        """What `load` gives back for `event`: the record may clean texts."""
        ...
