"""Deliveries and what was decided about each: the part of the journal that people ask `why`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orchestrator.session.values import RepositoryId

from .journalfile import JournalFile, stamp

KEPT: Final = timedelta(days=30)
"""Decisions, and the ids of deliveries: GitHub lets people redeliver for three days, and a
repeat is known for what it is well beyond the eight days that we promise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook as it came in. `semantic` is what it says rather than which envelope it came in
    (repository, event, object, action, version), None where that cannot be told."""

    guid: str
    event: str
    received_at: datetime
    body: bytes
    semantic: str | None = None
    installation: int | None = None
    repository: RepositoryId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    guid: str
    decided_at: datetime
    record: str


class DeliveryJournal(JournalFile):
    """A delivery is `waiting` from before it is acknowledged until it is decided."""

    async def record_delivery(self, delivery: Delivery) -> bool:
        """False where it was seen before, by its id or by what it says; it is noted even so."""
        d = delivery

        def act(db: sqlite3.Connection) -> bool:
            if db.execute("SELECT 1 FROM deliveries WHERE guid = ?", (d.guid,)).fetchone():
                return False
            repeat = (
                d.semantic is not None
                and db.execute(
                    "SELECT 1 FROM deliveries WHERE semantic = ?", (d.semantic,)
                ).fetchone()
            )
            db.execute(
                "INSERT INTO deliveries VALUES (?,?,?,?,?,?,?,?)",
                (
                    d.guid,
                    None if repeat else d.semantic,
                    d.event,
                    d.installation,
                    d.repository,
                    stamp(d.received_at),
                    b"" if repeat else d.body,
                    "repeat" if repeat else "waiting",
                ),
            )
            return not repeat

        return await self._writer.submit(act)

    async def newest_delivery(self) -> datetime | None:
        """When the last one came that is known; None for an empty journal."""
        query = "SELECT max(received_at) FROM deliveries"
        row = await self._read(lambda db: db.execute(query).fetchone())
        return datetime.fromisoformat(row[0]) if row and row[0] else None

    async def known_deliveries(self, guids: Sequence[str]) -> set[str]:
        """Those of `guids` that were recorded; at most 500 are asked for at once."""
        marks = ",".join("?" * len(guids))
        query = f"SELECT guid FROM deliveries WHERE guid IN ({marks})"  # noqa: S608 - marks only
        rows = await self._read(lambda db: db.execute(query, list(guids)).fetchall())
        return {row[0] for row in rows}

    async def waiting_deliveries(self, limit: int = 1_000) -> Sequence[Delivery]:
        """Recorded and not decided, oldest first."""
        rows = await self._read(
            lambda db: db.execute(
                "SELECT guid, event, received_at, body, semantic, installation, repository"
                " FROM deliveries WHERE state = 'waiting' ORDER BY received_at, rowid LIMIT ?",
                (limit,),
            ).fetchall()
        )
        return [
            Delivery(
                guid=guid,
                event=event,
                received_at=datetime.fromisoformat(received_at),
                body=body,
                semantic=semantic,
                installation=installation,
                repository=repository,
            )
            for guid, event, received_at, body, semantic, installation, repository in rows
        ]

    async def decide_delivery(
        self,
        guid: str,
        record: str,
        at: datetime,
        *,
        repository: RepositoryId | None = None,
        thread: int | None = None,
    ) -> None:
        """Keep the decision record (JSON); the first one of a delivery stays."""

        def act(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR IGNORE INTO decisions VALUES (?,?,?,?,?)",
                (guid, repository, thread, stamp(at), record),
            )
            db.execute(
                "UPDATE deliveries SET state = 'decided', body = x'' WHERE guid = ?"
                " AND state = 'waiting'",
                (guid,),
            )

        await self._writer.submit(act)

    async def decision(self, guid: str) -> Decision | None:
        found = await self._decisions("guid = ?", (guid,))
        return found[0] if found else None

    async def decisions_for_thread(
        self, repository: RepositoryId, thread: int, limit: int = 50
    ) -> Sequence[Decision]:
        """Newest first."""
        return await self._decisions(
            "repository = ? AND thread = ? ORDER BY decided_at DESC, rowid DESC LIMIT ?",
            (repository, thread, limit),
        )

    async def _decisions(self, where: str, values: tuple[object, ...]) -> list[Decision]:
        query = f"SELECT guid, decided_at, record FROM decisions WHERE {where}"  # noqa: S608
        rows = await self._read(lambda db: db.execute(query, values).fetchall())
        return [
            Decision(guid=guid, decided_at=datetime.fromisoformat(decided_at), record=record)
            for guid, decided_at, record in rows
        ]

    async def prune(self, now: datetime) -> None:
        """Forget decisions and decided deliveries older than 30 days."""
        old = (stamp(now - KEPT),)

        def act(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM decisions WHERE decided_at < ?", old)
            db.execute("DELETE FROM deliveries WHERE state <> 'waiting' AND received_at < ?", old)

        await self._writer.submit(act)
