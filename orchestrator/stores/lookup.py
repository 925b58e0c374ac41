"""Decisions looked up from outside the server: read-only, beside whoever has the journal open."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from .deliveries import Decision
from .schema import APPLICATION, VERSION, JournalRefused

MOST: Final = 200
"""Decisions that one question is answered with."""
SHORTEST_PREFIX: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """Taken, and without a decision of its own: it waits, or repeats what another one said."""

    guid: str
    event: str
    received_at: datetime
    state: Literal["waiting", "repeat"]


class DecisionLookup:
    """SQLite's write-ahead log lets this read while the server writes; no lock of ours is taken.

    Raises `JournalRefused` for a file that is none of ours, `OSError` where there is none.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        try:
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        except sqlite3.Error as error:
            raise OSError(f"{path} cannot be opened: {error}") from error
        try:
            self._check(path)
        except BaseException:
            self._db.close()
            raise

    def _check(self, path: Path) -> None:
        try:
            application = self._db.execute("PRAGMA application_id").fetchone()[0]
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise JournalRefused(f"{path} cannot be read as a journal: {error}") from error
        if application != APPLICATION:
            raise JournalRefused(f"{path} is not a journal")
        if version > VERSION:
            raise JournalRefused(f"{path} has schema {version}, this program knows {VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def by_id(self, delivery: str) -> Sequence[Decision | Undecided]:
        """Newest first; the beginning of an id is enough where it is four characters or more."""
        if len(delivery) < SHORTEST_PREFIX:
            return ()
        bounds = (delivery, delivery + "\U0010ffff", MOST)
        decided = self._decisions(
            "guid >= ? AND guid < ? ORDER BY decided_at DESC, rowid DESC LIMIT ?", bounds
        )
        rows = self._db.execute(
            "SELECT guid, event, received_at, state FROM deliveries WHERE guid >= ? AND guid < ?"
            " AND state <> 'decided' ORDER BY received_at DESC LIMIT ?",
            bounds,
        ).fetchall()
        known = {decision.guid for decision in decided}
        undecided = [
            Undecided(guid=guid, event=event, received_at=datetime.fromisoformat(at), state=state)
            for guid, event, at, state in rows
            if guid not in known
        ]
        return (*undecided, *decided)

    def of_thread(self, full_name: str, number: int) -> Sequence[Decision]:
        """Everything decided on an issue or pull request, newest first; by the name that the
        repository had then."""
        repositories = [
            repository
            for (repository,) in self._db.execute(
                "SELECT DISTINCT repository FROM decisions WHERE repository IS NOT NULL"
            )
        ]
        found: list[Decision] = []
        for repository in repositories:
            named = self._db.execute(
                "SELECT 1 FROM decisions WHERE repository = ? AND"
                " lower(json_extract(record, '$.repository')) = ? LIMIT 1",
                (repository, full_name.lower()),
            ).fetchone()
            if named:
                found += self._decisions(
                    "repository = ? AND thread = ? ORDER BY decided_at DESC, rowid DESC LIMIT ?",
                    (repository, number, MOST),
                )
        return sorted(found, key=lambda decision: decision.decided_at, reverse=True)

    def _decisions(self, where: str, values: tuple[object, ...]) -> list[Decision]:
        query = f"SELECT guid, decided_at, record FROM decisions WHERE {where}"  # noqa: S608
        return [
            Decision(guid=guid, decided_at=datetime.fromisoformat(at), record=record)
            for guid, at, record in self._db.execute(query, values)
        ]
