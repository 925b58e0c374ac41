"""Every event store there is, made from real parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from orchestrator.ports import EventStore
from orchestrator.stores.journal import Journal
from orchestrator.stores.journaled import JournaledStore
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.record import Record

from .clock import StillClock


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


KINDS = {"memory": memory, "journaled": journaled}
