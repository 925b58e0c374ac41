"""One commit in the making: which batches go in, and the files that change by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import pygit2

from orchestrator.codec import encode
from orchestrator.ports import Conflict
from orchestrator.session import Session, evolve, initial, is_open, replay
from orchestrator.session.events import Event, PullRequestOpened
from orchestrator.session.values import SessionId, parse_session_id

from .chain import Head, Keys
from .layout import (
    README,
    README_TEXT,
    Tail,
    grown,
    open_path,
    pull_path,
    segment_path,
    session_folder,
    snapshot_path,
)
from .reading import read_session
from .record import Batch, StateRefused
from .snapshot import snapshot
from .trees import edited, folder_at, size_at
from .words import Told, message

Result = int | Conflict | StateRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A session as it is in one folder of the tree, so that it need not be read again."""

    folder: pygit2.Oid | None
    head: Head
    tail: Tail
    state: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """What is built upon. A tree without a commit: the branch was deleted, its content is not."""

    commit: pygit2.Oid | None = None
    tree: pygit2.Oid | None = None


class Building:
    """`add` batches, then `finish`. `behind` where a batch goes on from what is not here yet."""

    def __init__(
        self,
        repository: pygit2.Repository,
        tip: Tip,
        keys: Keys,
        known: Mapping[SessionId, Known],
        as_recorded: Callable[[Event], Event] | None,
    ) -> None:
        """`as_recorded`: where given, a batch that is there already counts as appended."""
        self.results: dict[SessionId, Result] = {}
        self.behind = False
        self.commit: pygit2.Oid | None = None
        self.tree: pygit2.Oid | None = None
        self.staged: dict[SessionId, Known] = {}
        self._repository = repository
        self._tip = tip
        self._keys = keys
        self._known = known
        self._as_recorded = as_recorded
        self._changes: dict[str, bytes | None] = {}
        self._told: list[Told] = []

    def add(self, batch: Batch) -> None:
        session = batch.session
        try:
            known = self._look(session)
            rest = self._missing(batch, known)
        except (Conflict, StateRefused) as refusal:
            self.results[session] = refusal
            return
        self.results[session] = known.head.n + len(rest)
        if rest:
            self._append(session, known, rest)

    def finish(self, author: tuple[str, str], now: datetime, journal: int, flush: str) -> None:
        """Makes the commit, unless there is nothing to write."""
        if not self._changes:
            return
        if self._tip.tree is None:
            self._changes[README] = README_TEXT.encode()
        tree = self.tree = edited(self._repository, self._tip.tree, self._changes)
        signature = pygit2.Signature(*author, int(now.timestamp()), 0)
        self.commit = self._repository.create_commit(
            None,
            signature,
            signature,
            message(self._told, journal=journal, flush=flush),
            tree,
            [self._tip.commit] if self._tip.commit is not None else [],
        )
        for session, known in self.staged.items():
            folder = folder_at(self._repository, tree, session_folder(session))
            self.staged[session] = replace(known, folder=folder)

    def _look(self, session: SessionId) -> Known:
        tree = self._tip.tree
        known = self._known.get(session)
        folder = None
        if tree is not None:
            folder = folder_at(self._repository, tree, session_folder(session))
        if known is not None and known.folder == folder:
            return known
        if tree is None:
            return Known(folder=None, head=Head(), tail=Tail(), state=initial(session))
        seen = known.head if known is not None else None
        found = read_session(self._repository, tree, session, self._keys, seen)
        state = replay(session, found.events)
        return Known(folder=folder, head=found.head, tail=found.tail, state=state)

    def _missing(self, batch: Batch, known: Known) -> tuple[Event, ...]:
        """Those events of a batch that are not there yet. Raises `Conflict`."""
        version = known.head.n
        if version < batch.expected:
            self.behind = True
        if version == batch.expected:
            return batch.events
        tree, as_recorded = self._tip.tree, self._as_recorded
        if version > batch.expected and as_recorded is not None and tree is not None:
            found = read_session(self._repository, tree, batch.session, self._keys)
            there = found.events[batch.expected : batch.expected + len(batch.events)]
            if tuple(map(as_recorded, there)) == batch.events[: len(there)]:
                return batch.events[len(there) :]
        raise Conflict(f"{batch.session} is at {version}, not at {batch.expected}")

    def _append(self, session: SessionId, known: Known, events: tuple[Event, ...]) -> None:
        repository, *_ = parse_session_id(session)
        head, state = known.head, known.state
        sealed: list[str] = []
        for event in events:
            line, head = self._keys.seal(head, encode(event), repository, session)
            sealed.append(line)
            state = evolve(state, event)
            if isinstance(event, PullRequestOpened):
                path = pull_path(repository, event.pull_request.number)
                self._changes[path] = f"{session}\n".encode()
        segments = grown(known.tail, sealed)
        for segment in segments:
            self._changes[segment_path(session, segment.number)] = segment.data
        self._changes[snapshot_path(session)] = snapshot(state, head).encode("utf-8", "replace")
        self._list(session, state, reopened=state.opened is not known.state.opened)
        self.staged[session] = Known(folder=None, head=head, tail=segments[-1], state=state)
        self._told.append(Told(state=state, events=events))

    def _list(self, session: SessionId, state: Session, *, reopened: bool) -> None:
        """In the index of open sessions or not: it may be large, so it is left alone if right."""
        path, listed = open_path(session), is_open(state)
        tree = self._tip.tree
        was_listed = tree is not None and size_at(self._repository, tree, path) > 0
        if listed and (reopened or not was_listed):
            opened_at = state.opened.at.isoformat() if state.opened is not None else ""
            self._changes[path] = f"{opened_at}\n".encode()
        elif was_listed and not listed:
            self._changes[path] = None
