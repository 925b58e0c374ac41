"""Sessions that are durable on this disk at once and on the record soon after.

An append waits for the journal only, and what waits for the record is pushed by a flusher per
repository. Delete the journal once it is pushed, and everything is read from the record again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby

import structlog

from orchestrator.codec import BadRecord, decode, encode
from orchestrator.ports import Clock, Conflict, StoredSession
from orchestrator.session.events import (
    Event,
    PullRequestOpened,
    SessionCancelled,
    SessionOpened,
    TurnEnded,
)
from orchestrator.session.values import RepositoryId, SessionId, parse_session_id

from .flusher import Flusher, Pace
from .journal import Journal, Known, Waiting
from .recent import Entry, Recent
from .record import Batch, Record, RecordUnavailable, StateRefused

log = structlog.get_logger(__name__)
FLUSH_EVENTS = 2_000
"""Most events of one push; what is left goes in the next one, without a pause."""


class JournaledStore:
    """`branch_for` gives the record of a repository; it is asked once per repository.

    Call `start` once at the beginning, so that what an earlier process left behind is pushed,
    and `drain` at the end.
    """

    def __init__(
        self,
        journal: Journal,
        branch_for: Callable[[RepositoryId], Awaitable[Record]],
        clock: Clock,
        *,
        pace: Pace | None = None,
        kept_events: int = 100_000,
    ) -> None:
        self._journal = journal
        self._branch_for = branch_for
        self._clock = clock
        self._pace = pace or Pace()
        self._recent = Recent(kept_events)
        self._loading: dict[SessionId, asyncio.Lock] = {}
        self._records: dict[RepositoryId, Record] = {}
        self._flushers: dict[RepositoryId, Flusher] = {}
        self._unsettled: dict[RepositoryId, set[SessionId]] = {}
        self._refused: set[SessionId] = set()

    async def start(self) -> None:
        for repository in await self._journal.waiting_counts():
            self._flusher(repository).wake(urgent=True)

    async def drain(self) -> int:
        """Push everything that waits, once. The number of events that could not be pushed."""
        for repository in await self._journal.waiting_counts():
            await self._flusher(repository).now()
        return sum((await self._journal.waiting_counts()).values())

    async def close(self) -> None:
        """End the flushers. What waits stays in the journal, which is not closed by this."""
        await asyncio.gather(*(flusher.end() for flusher in self._flushers.values()))

    # EventStore

    async def load(self, session: SessionId) -> StoredSession:
        return (await self._entry(session)).stored()

    async def append(self, session: SessionId, expected: int, events: Sequence[Event]) -> int:
        entry = await self._entry(session)
        if entry.version != expected:
            raise Conflict(f"{session} is at {entry.version}, not at {expected}")
        if not events:
            return expected
        repository, *_ = parse_session_id(session)
        opened = next((e.at for e in events if isinstance(e, SessionOpened)), None)
        pulls = [e.pull_request.number for e in events if isinstance(e, PullRequestOpened)]
        urgent = any(isinstance(event, TurnEnded | SessionCancelled) for event in events)

        def committed() -> None:
            self._recent.extend(session, expected, events)
            self._unsettled.setdefault(repository, set()).add(session)
            self._flusher(repository).wake(urgent=urgent)

        lines = [encode(event) for event in events]
        writing = self._journal.append(
            session, expected, lines, opened_at=opened, pulls=pulls, then=committed
        )
        self._recent.pin(session)
        writing.add_done_callback(lambda done: self._written(session, done))
        return await asyncio.shield(writing)

    def _written(self, session: SessionId, done: asyncio.Future[int]) -> None:
        """Also where whoever appended was cancelled meanwhile. After a failure only the disk
        knows what is true."""
        self._recent.unpin(session)
        if done.cancelled() or done.exception() is not None:
            self._recent.drop(session)

    async def open_sessions(self, repository: RepositoryId) -> Sequence[SessionId]:
        record = await self._record(repository)
        await self._settle(repository, self._unsettled.get(repository, set()))
        here = await self._journal.open_sessions(repository)
        for session in await record.open_sessions(repository):
            if session not in here and self._recent.get(session) is None:
                await self._entry(session)  # notes it as open, if nothing here says otherwise
        return list(await self._journal.open_sessions(repository))

    async def session_of_pull(self, repository: RepositoryId, number: int) -> SessionId | None:
        here = await self._journal.session_of_pull(repository, number)
        if here is not None:
            return here
        return await (await self._record(repository)).session_of_pull(repository, number)

    async def generation(self, repository: RepositoryId, home: int) -> int:
        here = await self._journal.generation(repository, home)
        record = await self._record(repository)
        return max(here, await record.generation(repository, home))

    # Reading: the record, and what waits for it

    async def _record(self, repository: RepositoryId) -> Record:
        record = self._records.get(repository)
        if record is None:
            record = self._records[repository] = await self._branch_for(repository)
        return record

    async def _entry(self, session: SessionId) -> Entry:
        entry = self._recent.get(session)
        if entry is not None:
            return entry
        repository, *_ = parse_session_id(session)
        async with self._loading.setdefault(session, asyncio.Lock()):
            entry = self._recent.get(session)
            if entry is None:
                events = await self._read(repository, session)
                entry = self._recent.put(session, Entry(session, events))
        self._loading.pop(session, None)
        return entry

    async def _read(self, repository: RepositoryId, session: SessionId) -> Sequence[Event]:
        # The journal first: what is pushed between the two reads is then seen twice, where the
        # other order would miss it.
        known = await self._journal.known(session)
        try:
            record = await self._record(repository)
            stored = await record.load(session)
        except RecordUnavailable:
            if known is None or known.pushed:
                raise
            return _waiting(session, known)  # it has never been anywhere else
        return await self._merge(record, session, stored, known)

    async def _merge(
        self, record: Record, session: SessionId, stored: StoredSession, known: Known | None
    ) -> Sequence[Event]:
        if known is None:
            if stored.version:
                await self._adopt(session, stored)
            return stored.events
        if stored.version < known.pushed:
            why = f"has {stored.version} events, but {known.pushed} were pushed: it was rolled back"
            raise StateRefused(str(session), why)
        waiting = _waiting(session, known)
        there = stored.events[known.pushed :]
        for mine, theirs in zip(waiting, there, strict=False):
            if record.as_recorded(mine) != record.as_recorded(theirs):
                await self._give_up(session, stored.version, "somebody else continued the session")
                return stored.events
        if there:
            await self._adopt(session, stored)
        return (*stored.events, *waiting[len(there) :])

    async def _adopt(self, session: SessionId, stored: StoredSession) -> None:
        entry = Entry(session, stored.events)
        opened = entry.state().opened
        opened_at = opened.at if opened is not None else None
        await self._journal.adopt(
            session, stored.version, open=entry.is_open(), opened_at=opened_at
        )

    async def _give_up(self, session: SessionId, version: int, why: str) -> None:
        log.error("events set aside: the record has others", session=session, reason=why)
        self._recent.drop(session)
        await self._journal.give_up(session, version, why, self._clock.now())

    # Pushing

    def _flusher(self, repository: RepositoryId) -> Flusher:
        flusher = self._flushers.get(repository)
        if flusher is None:
            flusher = self._flushers[repository] = Flusher(
                str(repository), lambda: self._flush(repository), self._clock, self._pace
            )
        return flusher

    async def _flush(self, repository: RepositoryId) -> bool:
        """One push of what waits. True where more is left that can be pushed."""
        rows = await self._journal.waiting(repository, FLUSH_EVENTS, self._refused)
        batches: list[Batch] = []
        for session, of_session in groupby(sorted(rows, key=_place), key=lambda row: row.session):
            try:
                batches.append(_batch(session, list(of_session)))
            except StateRefused as refusal:
                self._refuse(session, refusal)
        if not batches:
            return False
        record = await self._record(repository)
        results = await record.append_many(batches, journal=rows[-1].journal_seq)
        pushed = [(s, version) for s, version in results.items() if isinstance(version, int)]
        await self._journal.acknowledge(pushed)
        for session, result in results.items():
            if isinstance(result, Conflict):
                stored = await record.load(session)
                await self._give_up(session, stored.version, str(result))
            elif isinstance(result, StateRefused):
                self._refuse(session, result)
        await self._settle(repository, {session for session, _ in pushed})
        return len(rows) == FLUSH_EVENTS and bool(pushed)

    def _refuse(self, session: SessionId, refusal: StateRefused) -> None:
        """Keep its events, and try no more until the next start."""
        self._refused.add(session)
        log.error("state refused", session=session, where=refusal.where, why=refusal.why)

    async def _settle(self, repository: RepositoryId, sessions: set[SessionId]) -> None:
        """Take sessions that owe nothing any more off the list of open ones."""
        for session in sorted(sessions):
            try:
                entry = await self._entry(session)
            except (RecordUnavailable, StateRefused):
                continue
            version = entry.version
            if not entry.is_open():
                await self._journal.close_session(session, version)
            now = self._recent.get(session)
            if now is None or now.version == version:
                self._unsettled.get(repository, set()).discard(session)


def _event(session: SessionId, seq: int, line: str) -> Event:
    try:
        return decode(line)
    except BadRecord as error:
        raise StateRefused(f"journal, event {seq} of {session}", str(error)) from error


def _waiting(session: SessionId, known: Known) -> list[Event]:
    return [_event(session, n, line) for n, line in enumerate(known.lines, known.pushed + 1)]


def _place(row: Waiting) -> tuple[SessionId, int]:
    return row.session, row.seq


def _batch(session: SessionId, rows: Sequence[Waiting]) -> Batch:
    events = tuple(_event(session, row.seq, row.line) for row in rows)
    return Batch(session=session, expected=rows[0].seq - 1, events=events)
