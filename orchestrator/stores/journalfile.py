"""One SQLite file that one process writes to: opening, reading, the grouped writes, closing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from .groupwriter import GroupWriter, JournalUnavailable
from .schema import ProcessLock, connect, connect_reader

T = TypeVar("T")


class JournalFile:
    """Open with `await Journal.open(path)`. Every method that writes returns after the fsync,
    and raises `JournalUnavailable` where the disk does not take it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = ProcessLock(path.with_name(f"{path.name}.lock"))
        try:
            self._writer = GroupWriter(self._connect)
            self._reader = connect_reader(path)
        except BaseException:
            self._lock.release()
            raise
        self._reading = ThreadPoolExecutor(1, "journal-reader")

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Raises `JournalInUse` or `JournalRefused`."""
        try:
            return await asyncio.to_thread(cls, path)
        except (sqlite3.Error, OSError) as error:
            raise JournalUnavailable(f"{path.name}: {error}") from error

    @property
    def healthy(self) -> bool:
        """Whether the last write reached the disk."""
        return self._writer.healthy

    async def close(self) -> None:
        """Whatever was handed over before is on disk when this returns."""
        await self._writer.close()
        self._reading.shutdown()
        self._reader.close()
        self._lock.release()

    def _connect(self) -> sqlite3.Connection:
        """On the writing thread, at the start and again after every failure of the disk."""
        return connect(self._path)

    async def _read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._reading, act, self._reader)
        except sqlite3.Error as error:
            raise JournalUnavailable(str(error)) from error


def stamp(at: datetime | None) -> str:
    """Sorts as text as the times do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at is not None else ""
