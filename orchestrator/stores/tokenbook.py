"""The API tokens of a deployment, and what was asked with them: one small SQLite file.

The server and the command line use it at the same time, so nothing is remembered between calls:
a token that is revoked is refused from the next request on.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from orchestrator.apitokens import (
    ApiToken,
    Scope,
    TokenRepository,
    TokenUnknown,
    checked,
    digest,
    new_token,
    scopes_from,
)
from orchestrator.secret import Secret
from orchestrator.session.values import Person, RepositoryId, UserId

from .journalfile import stamp

FILE: Final = "tokens.sqlite3"
USE_NOTED: Final = timedelta(minutes=1)
"""The time of last use is written at most so often."""
REQUESTS_KEPT: Final = timedelta(days=30)
_APPLICATION: Final = 0x6F697431
_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    user_id INTEGER NOT NULL,
    login TEXT NOT NULL,
    scopes TEXT NOT NULL,
    repositories TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    last_used_at TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS tokens_name ON tokens (name) WHERE revoked_at IS NULL;
CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    asked_at TEXT NOT NULL,
    thread INTEGER,
    session TEXT,
    decision TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_old ON requests (asked_at);
"""
_COLUMNS = (
    "id, name, user_id, login, scopes, repositories, created_at, expires_at, revoked_at,"
    " last_used_at"
)


class TokensUnavailable(OSError):
    """The tokens cannot be read or written now, and why."""


class NameTaken(Exception):
    """A token of this name is in use. Revoke it, or choose another name."""

    def __init__(self) -> None:
        super().__init__((type(self).__doc__ or "").strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What became of a request that came with this key before. `thread` alone is set where an
    issue was opened for it and the rest did not come about."""

    fingerprint: bytes
    asked_at: datetime
    thread: int | None
    session: str | None
    decision: str | None


class TokenBook:
    """Every method blocks for a moment and may be called from any thread.

    All raise `TokensUnavailable`. The file is for its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise TokensUnavailable(f"{path}: {error}") from error
        try:
            self._prepare(path)
        except sqlite3.Error as error:
            self._db.close()
            raise TokensUnavailable(f"{path}: {error}") from error
        except TokensUnavailable:
            self._db.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _prepare(self, path: Path) -> None:
        self._db.execute("PRAGMA busy_timeout=5000")
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and application != _APPLICATION:
            raise TokensUnavailable(f"{path} does not hold tokens")
        if version > _VERSION:
            raise TokensUnavailable(f"{path} was written by a newer program")
        if not tables:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id={_APPLICATION};"
                f" PRAGMA user_version={_VERSION}; COMMIT;"
            )

    def create(
        self,
        *,
        name: str,
        person: Person,
        scopes: frozenset[Scope],
        repositories: Sequence[TokenRepository] | None,
        now: datetime,
        life: timedelta,
    ) -> tuple[ApiToken, Secret]:
        """The secret is in nobody's hands but the caller's. Raises `NameTaken`."""
        secret = new_token()
        token = ApiToken(
            id=secrets.token_hex(4),
            name=name,
            person=person,
            scopes=scopes,
            repositories=None if repositories is None else tuple(repositories),
            created_at=now,
            expires_at=now + life,
        )
        listed = (
            None
            if repositories is None
            else json.dumps([[one.id, one.full_name] for one in repositories])
        )
        values = (
            token.id,
            token.name,
            digest(secret.reveal()),
            person.id,
            person.login,
            json.dumps(sorted(scopes)),
            listed,
            stamp(now),
            stamp(token.expires_at),
        )
        try:
            self._run(
                "INSERT INTO tokens (id, name, hash, user_id, login, scopes, repositories,"
                " created_at, expires_at) VALUES (?,?,?,?,?,?,?,?,?)",
                values,
            )
        except sqlite3.IntegrityError as error:
            raise NameTaken from error
        return token, secret

    def all(self) -> list[ApiToken]:
        """Oldest first, also those that are good no more."""
        query = f"SELECT {_COLUMNS} FROM tokens ORDER BY created_at, id"  # noqa: S608
        return [_token(row) for row in self._run(query, ())]

    def revoke(self, name_or_id: str, now: datetime) -> ApiToken | None:
        """None where no such token is in use."""
        rows = self._run(
            "UPDATE tokens SET revoked_at = ? WHERE revoked_at IS NULL AND (name = ? OR id = ?)"  # noqa: S608
            f" RETURNING {_COLUMNS}",
            (stamp(now), name_or_id, name_or_id),
        )
        return _token(rows[0]) if rows else None

    def find(self, token: str, now: datetime) -> ApiToken:
        """Raises a `TokenRefused`. What is looked up is the hash, so neither the time that it
        takes nor what is on disk tells anything of a token."""
        wanted = digest(token)
        if wanted is None:
            raise TokenUnknown
        rows = self._run(f"SELECT hash, {_COLUMNS} FROM tokens WHERE hash = ?", (wanted,))  # noqa: S608
        if not rows or not hmac.compare_digest(rows[0][0], wanted):
            raise TokenUnknown
        found = checked(_token(rows[0][1:]), now)
        used = found.last_used_at
        if used is None or now - used >= USE_NOTED:
            self._run("UPDATE tokens SET last_used_at = ? WHERE id = ?", (stamp(now), found.id))
        return found

    def request(self, key: str, now: datetime) -> Request | None:
        """What is known of a request; those older than 30 days are forgotten."""
        self._run("DELETE FROM requests WHERE asked_at < ?", (stamp(now - REQUESTS_KEPT),))
        rows = self._run(
            "SELECT fingerprint, asked_at, thread, session, decision FROM requests WHERE key = ?",
            (key,),
        )
        if not rows:
            return None
        fingerprint, asked_at, thread, session, decision = rows[0]
        return Request(
            fingerprint=fingerprint,
            asked_at=datetime.fromisoformat(asked_at),
            thread=thread,
            session=session,
            decision=decision,
        )

    def note_request(self, key: str, request: Request) -> None:
        """Keep it, over what was known."""
        values = (
            key,
            request.fingerprint,
            stamp(request.asked_at),
            request.thread,
            request.session,
            request.decision,
        )
        self._run("REPLACE INTO requests VALUES (?,?,?,?,?,?)", values)

    def _run(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._db.execute(statement, values).fetchall()
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise TokensUnavailable(f"the API tokens cannot be used: {error}") from error


def _token(row: tuple[Any, ...]) -> ApiToken:
    identity, name, user, login, scopes, repositories, created, expires, revoked, used = row
    listed = None
    if repositories is not None:
        listed = tuple(
            TokenRepository(id=RepositoryId(one), full_name=called)
            for one, called in json.loads(repositories)
        )
    return ApiToken(
        id=identity,
        name=name,
        person=Person(id=UserId(user), login=login),
        scopes=scopes_from(json.loads(scopes)),
        repositories=listed,
        created_at=datetime.fromisoformat(created),
        expires_at=datetime.fromisoformat(expires),
        revoked_at=datetime.fromisoformat(revoked) if revoked is not None else None,
        last_used_at=datetime.fromisoformat(used) if used is not None else None,
    )
