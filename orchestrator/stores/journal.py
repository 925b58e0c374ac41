"""What was accepted and is not on the record yet, durable on the local disk.

Deliveries are here before they are acknowledged, events before anything happens in the world.
The file may be deleted once everything is pushed; the record and GitHub know the rest.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.ports import Conflict
from orchestrator.session.values import Kind, RepositoryId, SessionId, parse_session_id

from .deliveries import DeliveryJournal
from .journalfile import stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One event that the record does not have yet."""

    journal_seq: int
    session: SessionId
    seq: int
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the journal knows of a session: how much is pushed, and the lines that are not."""

    pushed: int
    lines: tuple[str, ...]


class Journal(DeliveryJournal):
    """Deliveries, and the events of sessions that wait for the record."""

    def __init__(self, path: Path) -> None:
        self._versions: dict[SessionId, int] = {}  # the writing thread's own, as is `_open`
        self._open: set[SessionId] = set()
        super().__init__(path)

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        rows = connection.execute("SELECT session, pushed, open FROM sessions").fetchall()
        self._versions = {SessionId(session): pushed for session, pushed, _ in rows}
        self._open = {SessionId(session) for session, _, is_open in rows if is_open}
        newest = connection.execute("SELECT session, max(seq) FROM events GROUP BY session")
        self._versions.update({SessionId(session): seq for session, seq in newest})
        return connection

    def append(
        self,
        session: SessionId,
        expected: int,
        lines: Sequence[str],
        *,
        opened_at: datetime | None = None,
        pulls: Sequence[int] = (),
        then: Callable[[], None] | None = None,
    ) -> asyncio.Future[int]:
        """Add lines after version `expected`; `Conflict` where it is not there. The session
        counts as open until `close_session`; `pulls` are pull requests it has opened."""
        repository, home, kind, generation = parse_session_id(session)

        def act(db: sqlite3.Connection) -> int:
            present = self._versions.get(session)
            if (present or 0) != expected:
                raise Conflict(f"{session} is at {present or 0}, not at {expected}")
            if present is None or opened_at is not None:
                db.execute(
                    "INSERT INTO sessions VALUES (?,?,?,?,?,?,1,0)"
                    " ON CONFLICT DO UPDATE SET opened_at = excluded.opened_at, open = 1",
                    (session, repository, home, kind, generation, stamp(opened_at)),
                )
            elif session not in self._open:
                db.execute("UPDATE sessions SET open = 1 WHERE session = ?", (session,))
            for seq, line in enumerate(lines, expected + 1):
                db.execute(
                    "INSERT INTO events (session, seq, repository, line) VALUES (?,?,?,?)",
                    (session, seq, repository, line),
                )
            for number in pulls:
                db.execute("REPLACE INTO pulls VALUES (?,?,?)", (repository, number, session))
            self._open.add(session)
            self._versions[session] = expected + len(lines)
            return expected + len(lines)

        return self._writer.submit(act, then)

    async def adopt(
        self, session: SessionId, version: int, *, open: bool, opened_at: datetime | None
    ) -> None:
        """The record has this session up to `version`; lines up to there are not needed here."""
        repository, home, kind, generation = parse_session_id(session)

        def act(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO sessions VALUES (?,?,?,?,?,?,?,?)"
                " ON CONFLICT DO UPDATE SET pushed = max(pushed, excluded.pushed),"
                " open = max(open, excluded.open)",
                (session, repository, home, kind, generation, stamp(opened_at), open, version),
            )
            db.execute("DELETE FROM events WHERE session = ? AND seq <= ?", (session, version))
            self._versions[session] = max(version, self._versions.get(session, 0))
            if open:
                self._open.add(session)

        await self._writer.submit(act)

    async def acknowledge(self, pushed: Sequence[tuple[SessionId, int]]) -> None:
        """The record has these sessions up to these versions: let go of their lines."""

        def act(db: sqlite3.Connection) -> None:
            for session, version in pushed:
                db.execute("DELETE FROM events WHERE session = ? AND seq <= ?", (session, version))
                db.execute(
                    "UPDATE sessions SET pushed = max(pushed, ?) WHERE session = ?",
                    (version, session),
                )

        await self._writer.submit(act)

    async def give_up(self, session: SessionId, version: int, why: str, at: datetime) -> None:
        """Somebody else continued this session: the record's `version` counts, and our lines
        beyond what was pushed are set aside, where people can still find them."""

        def act(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO refused SELECT session, seq, line, ?, ? FROM events WHERE session = ?",
                (stamp(at), why, session),
            )
            db.execute("DELETE FROM events WHERE session = ?", (session,))
            db.execute("UPDATE sessions SET pushed = ? WHERE session = ?", (version, session))
            self._versions[session] = version

        await self._writer.submit(act)

    async def close_session(self, session: SessionId, version: int) -> None:
        """It owes nothing at `version`. Ignored where it has moved on since."""

        def act(db: sqlite3.Connection) -> None:
            if self._versions.get(session) == version:
                db.execute("UPDATE sessions SET open = 0 WHERE session = ?", (session,))
                self._open.discard(session)

        await self._writer.submit(act)

    async def known(self, session: SessionId) -> Known | None:
        def act(db: sqlite3.Connection) -> Known | None:
            db.execute("BEGIN")
            try:
                row = db.execute(
                    "SELECT pushed FROM sessions WHERE session = ?", (session,)
                ).fetchone()
                lines = db.execute(
                    "SELECT line FROM events WHERE session = ? AND seq > ? ORDER BY seq",
                    (session, row[0] if row else 0),
                ).fetchall()
            finally:
                db.execute("COMMIT")
            return Known(pushed=row[0], lines=tuple(line for (line,) in lines)) if row else None

        return await self._read(act)

    async def waiting(
        self, repository: RepositoryId, limit: int, without: Collection[SessionId] = ()
    ) -> Sequence[Waiting]:
        """Events that the record does not have, in the order in which they were taken."""
        marks = ",".join("?" * len(without))
        rows = await self._read(
            lambda db: db.execute(
                "SELECT journal_seq, session, seq, line FROM events WHERE repository = ?"  # noqa: S608
                f" AND session NOT IN ({marks}) ORDER BY journal_seq LIMIT ?",
                (repository, *without, limit),
            ).fetchall()
        )
        return [
            Waiting(journal_seq=number, session=session, seq=seq, line=line)
            for number, session, seq, line in rows
        ]

    async def waiting_counts(self) -> dict[RepositoryId, int]:
        """How many events wait for the record, by repository."""
        query = "SELECT repository, count(*) FROM events GROUP BY repository"
        return dict(await self._read(lambda db: db.execute(query).fetchall()))

    async def repositories(self) -> list[RepositoryId]:
        """Those that have sessions which count as open."""
        query = "SELECT DISTINCT repository FROM sessions WHERE open"
        rows = await self._read(lambda db: db.execute(query).fetchall())
        return [row[0] for row in rows]

    async def open_sessions(self, repository: RepositoryId) -> dict[SessionId, str]:
        """Sessions that count as open, with the time each was opened, oldest first."""
        rows = await self._read(
            lambda db: db.execute(
                "SELECT session, opened_at FROM sessions WHERE open AND repository = ?"
                " ORDER BY opened_at, session",
                (repository,),
            ).fetchall()
        )
        return dict(rows)

    async def session_of_pull(self, repository: RepositoryId, number: int) -> SessionId | None:
        query = "SELECT session FROM pulls WHERE repository = ? AND number = ?"
        row = await self._read(lambda db: db.execute(query, (repository, number)).fetchone())
        return row[0] if row else None

    async def generation(self, repository: RepositoryId, home: int) -> int:
        query = (
            "SELECT coalesce(max(generation), 0) FROM sessions"
            " WHERE repository = ? AND home = ? AND kind = ?"
        )
        values = (repository, home, Kind.MAIN)
        row = await self._read(lambda db: db.execute(query, values).fetchone())
        return int(row[0])
