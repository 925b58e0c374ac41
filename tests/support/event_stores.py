"""Every event store there is, made from real parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from orchestrator.clock import SystemClock
from orchestrator.courier.hostgit import HostGit
from orchestrator.ports import EventStore
from orchestrator.secret import Secret
from orchestrator.stores.branch import BranchStore
from orchestrator.stores.chain import Keys
from orchestrator.stores.flusher import Pace
from orchestrator.stores.journal import Journal
from orchestrator.stores.journaled import JournaledStore
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.record import Record

from .clock import StillClock
from .git_http import GitServer, git_server


@dataclass
class Stores:
    another: Callable[[], Awaitable[EventStore]]
    """One more door to the same sessions."""


async def memory(folder: Path, stack: AsyncExitStack) -> Stores:
    only = MemoryStore()

    async def another() -> EventStore:
        return only

    return Stores(another)


async def journaled(folder: Path, stack: AsyncExitStack) -> Stores:
    journal = await Journal.open(folder / "journal.sqlite3")
    stack.push_async_callback(journal.close)
    record = MemoryStore()

    async def record_of(repository: int) -> Record:
        return record

    only = JournaledStore(journal, record_of, StillClock(), kept_events=50)
    await only.start()
    stack.push_async_callback(only.close)

    async def another() -> EventStore:
        return only

    return Stores(another)


async def branch(folder: Path, stack: AsyncExitStack) -> Stores:
    """Every door is a process of its own as far as git can tell."""
    server = await stack.enter_async_context(git_server(folder))
    doors = count()

    async def another() -> EventStore:
        return branch_store(server, folder / f"copy-{next(doors)}", stale_after=0)

    return Stores(another)


async def journaled_branch(folder: Path, stack: AsyncExitStack) -> Stores:
    """The whole road: journal, flusher, git over HTTP."""
    server = await stack.enter_async_context(git_server(folder))
    journal = await Journal.open(folder / "journal.sqlite3")
    stack.push_async_callback(journal.close)
    record = branch_store(server, folder / "copy")

    async def record_of(repository: int) -> Record:
        return record

    only = JournaledStore(
        journal, record_of, SystemClock(), kept_events=50, pace=Pace(delay=0.05, spacing=0.1)
    )
    await only.start()
    stack.push_async_callback(only.close)

    async def another() -> EventStore:
        return only

    return Stores(another)


def branch_store(
    server: GitServer,
    folder: Path,
    *,
    stale_after: float = 60,
    keys: Keys | None = None,
    clean: Callable[[str], str] | None = None,
) -> BranchStore:
    return BranchStore(
        folder,
        server.remote,
        git=HostGit(),
        author=("openinspect[bot]", "5+openinspect[bot]@users.noreply.github.example"),
        keys=keys or Keys(Secret("not-a-key")),
        stale_after=stale_after,
        clean=clean,
    )


KINDS = {
    "memory": memory,
    "journaled": journaled,
    "branch": branch,
    "journaled-branch": journaled_branch,
}
