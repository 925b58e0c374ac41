"""The journal's tables, and how its file is opened so that what it took is on disk."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

VERSION: Final = 1
APPLICATION: Final = 0x6F696A31
"""`oij1`: tells this file from other SQLite files."""

TABLES: Final = """
CREATE TABLE deliveries (
    guid TEXT PRIMARY KEY,
    semantic TEXT UNIQUE,
    event TEXT NOT NULL,
    installation INTEGER,
    repository INTEGER,
    received_at TEXT NOT NULL,
    body BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'decided', 'repeat'))
);
CREATE INDEX deliveries_waiting ON deliveries (received_at) WHERE state = 'waiting';
CREATE INDEX deliveries_old ON deliveries (received_at) WHERE state <> 'waiting';

CREATE TABLE decisions (
    guid TEXT PRIMARY KEY,
    repository INTEGER,
    thread INTEGER,
    decided_at TEXT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX decisions_thread ON decisions (repository, thread, decided_at);
CREATE INDEX decisions_old ON decisions (decided_at);

CREATE TABLE sessions (
    session TEXT PRIMARY KEY,
    repository INTEGER NOT NULL,
    home INTEGER NOT NULL,
    kind TEXT NOT NULL,
    generation INTEGER NOT NULL,
    opened_at TEXT NOT NULL,
    open INTEGER NOT NULL,
    pushed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_home ON sessions (repository, home, kind, generation);
CREATE INDEX sessions_open ON sessions (repository, opened_at) WHERE open;

CREATE TABLE pulls (
    repository INTEGER NOT NULL,
    number INTEGER NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (repository, number)
) WITHOUT ROWID;

CREATE TABLE events (
    journal_seq INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    seq INTEGER NOT NULL,
    repository INTEGER NOT NULL,
    line TEXT NOT NULL,
    UNIQUE (session, seq)
);
CREATE INDEX events_waiting ON events (repository, journal_seq);

CREATE TABLE refused (
    session TEXT NOT NULL,
    seq INTEGER NOT NULL,
    line TEXT NOT NULL,
    refused_at TEXT NOT NULL,
    why TEXT NOT NULL
);
"""
"""`events` holds what the record does not have yet; `sessions.pushed` is how much it has.

A delivery's body is dropped once it is decided. `refused` keeps events that the record would
not take any more, because somebody else had continued the session, for people to look at.
"""


class JournalInUse(Exception):
    """Another process has this journal open."""


class JournalRefused(Exception):
    """This file is not a journal of ours, or a newer program wrote it."""


class ProcessLock:
    """Held by one process for as long as the object lives; the kernel frees it at a crash."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise JournalInUse(f"another process has {path.name} locked") from None

    def release(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def connect(path: Path) -> sqlite3.Connection:
    """For the writing thread. What COMMIT returned is on disk: WAL with `synchronous=FULL`."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA temp_store=MEMORY")
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only=ON")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not empty and application != APPLICATION:
        raise JournalRefused(f"{path.name} is not a journal")
    if version > VERSION:
        raise JournalRefused(f"{path.name} has schema {version}, this program knows {VERSION}")
    if empty:
        connection.executescript(
            f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id={APPLICATION};"
            f" PRAGMA user_version={VERSION}; COMMIT;"
        )
