"""One thread that writes to SQLite and turns everything that waits into one transaction.

A durable commit costs one fsync however much is in it, so what arrives while one is under way
goes together into the next: nobody waits longer, and the disk does a fraction of the work.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from orchestrator.ports import Conflict

T = TypeVar("T")
MAX_GROUP: Final = 1_000


class JournalUnavailable(Exception):
    """The journal cannot take this now (disk full, input/output error, closed), and why.

    Whether it was kept is unknown; what was acknowledged before is safe.
    """


class _Job:
    __slots__ = ("act", "error", "future", "loop", "result", "then")

    def __init__(
        self,
        act: Callable[[sqlite3.Connection], Any],
        then: Callable[[], None] | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.act = act
        self.then = then
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """On the loop. `then` runs even where nobody waits for the result any more."""
        if self.error is None and self.then is not None:
            self.then()
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class GroupWriter:
    """`connect` opens the database and reads what `act`s rely on; after any failure of the
    disk the connection is dropped and opened anew: a failed fsync is never tried again, see
    https://lwn.net/Articles/752063/
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = connect()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(
        self, act: Callable[[sqlite3.Connection], T], then: Callable[[], None] | None = None
    ) -> asyncio.Future[T]:
        """Run `act` in the next transaction; done when that is on disk.

        `act` raises `Conflict` before it has written anything, or not at all. `then` runs on
        the loop right after the commit, before anyone who waits.
        """
        if self._closed:
            raise JournalUnavailable("it is closed")
        job = _Job(act, then, asyncio.get_running_loop())
        self._jobs.put(job)
        return job.future

    @property
    def healthy(self) -> bool:
        """False from a failed write until the next one that goes through."""
        return self._connection is not None

    async def close(self) -> None:
        """Everything submitted before is finished first."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        ending = False
        while not ending:
            group, ending = self._next_group()
            if group:
                self._write(group)
                _settle(group)
        self._drop()

    def _next_group(self) -> tuple[list[_Job], bool]:
        group: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            group.append(job)
            if len(group) == MAX_GROUP:
                return group, False
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return group, False
        return group, True

    def _write(self, group: list[_Job]) -> None:
        try:
            connection = self._connection
            if connection is None:
                connection = self._connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                try:
                    job.result = job.act(connection)
                except Conflict as conflict:
                    job.error = conflict
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._drop()
            for job in group:
                job.error = JournalUnavailable(str(error))
        except Exception as error:  # noqa: BLE001  a bug of one act must not fail the others
            self._drop()
            if len(group) == 1:
                group[0].error = error
                return
            for job in group:
                job.error = None
                self._write([job])

    def _drop(self) -> None:
        """Closing rolls back. The next group opens a new connection and reads anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _settle(group: list[_Job]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in group:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle_all, jobs)


def _settle_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job.settle()
