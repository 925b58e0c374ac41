"""What an append costs, and how fast sessions reach the remote, each beside the plain way.

The plain ways, in the same run: one SQLite FULL transaction for each event, and one push for
each event. Targets (design, two cores): durable appends of 64 writers >= 10 times one
transaction each, p99 < 5 ms; >= 300 updates/s to the remote, >= 50 times one push per event.
The machine may be busy, so what is asserted are ratios, with room.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from support.event_stores import branch_store
from support.git_http import GitServer, git_server
from support.stored import a_session, finished_story, intended, opened

from orchestrator.clock import SystemClock
from orchestrator.codec import decode, encode
from orchestrator.session.events import Event
from orchestrator.stores.flusher import Pace
from orchestrator.stores.journal import Journal
from orchestrator.stores.journaled import JournaledStore
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.record import Batch, Record

pytestmark = pytest.mark.bench
WRITERS, EVENTS_EACH = 64, 250
NEVER = Pace(delay=3600, spacing=3600)


class Table:
    def __init__(self, title: str) -> None:
        self._rows = [f"\n{title}"]

    def add(self, what: str, figure: str, note: str = "") -> None:
        self._rows.append(f"  {what:<52}{figure:>14}   {note}".rstrip())

    def print(self) -> None:
        print("\n".join(self._rows))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with git_server(tmp_path) as server:
        yield server


def test_codec() -> None:
    table = Table("Codec, events of one finished session")
    story = finished_story(a_session()) * 400
    began = time.perf_counter()
    lines = [encode(event) for event in story]
    encoded = time.perf_counter()
    for line in lines:
        decode(line)
    decoded = time.perf_counter()
    table.add("encode", f"{len(story) / (encoded - began):,.0f}/s")
    table.add("decode", f"{len(story) / (decoded - encoded):,.0f}/s")
    table.add("both", f"{len(story) / (decoded - began):,.0f}/s")
    table.print()


def one_transaction_each(path: Path, lines: list[str]) -> float:
    """Events a second of the plain way, at its best: one connection, no loop, no codec."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE events (session TEXT, seq INTEGER, line TEXT, UNIQUE(session, seq))")
    began = time.perf_counter()
    for seq, line in enumerate(lines):
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO events VALUES (?,?,?)", ("s", seq, line))
        db.execute("COMMIT")
    taken = time.perf_counter() - began
    db.close()
    return len(lines) / taken


async def writers(
    append: Callable[[int, int], Awaitable[object]], count: int, each: int
) -> tuple[float, list[float]]:
    """Appends a second, and how long each one waited."""
    waited: list[float] = []

    async def write(writer: int) -> None:
        for version in range(each):
            began = time.perf_counter()
            await append(writer, version)
            waited.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(write(writer) for writer in range(count)))
    return count * each / (time.perf_counter() - began), sorted(waited)


def percentile(waited: list[float], part: float) -> str:
    return f"{waited[min(len(waited) - 1, int(len(waited) * part))] * 1000:.1f} ms"


async def test_durable_appends(tmp_path: Path) -> None:
    sessions = [a_session(home) for home in range(1, WRITERS + 1)]
    lines = [encode(intended(n)) for n in range(EVENTS_EACH)]
    plain = one_transaction_each(tmp_path / "plain.sqlite3", (lines * 64)[:4000])
    table = Table(f"Durable appends, {WRITERS} writers of {EVENTS_EACH} events")
    table.add("one SQLite FULL transaction each", f"{plain:,.0f}/s")

    journal = await Journal.open(tmp_path / "journal.sqlite3")
    rate, waited = await writers(
        lambda writer, version: journal.append(sessions[writer], version, [lines[version]]),
        WRITERS,
        EVENTS_EACH,
    )
    note = f"{rate / plain:.1f} x, p50 {percentile(waited, 0.5)}, p99 {percentile(waited, 0.99)}"
    table.add("journal alone", f"{rate:,.0f}/s", note)

    record = MemoryStore()

    async def record_of(repository: int) -> Record:
        return record

    store = JournaledStore(journal, record_of, SystemClock(), pace=NEVER)
    others = [a_session(home) for home in range(1001, 1001 + WRITERS)]
    events = [intended(n) for n in range(EVENTS_EACH)]
    stored, waited = await writers(
        lambda writer, version: store.append(others[writer], version, [events[version]]),
        WRITERS,
        EVENTS_EACH,
    )
    note = f"{stored / plain:.1f} x, p50 {percentile(waited, 0.5)}, p99 {percentile(waited, 0.99)}"
    table.add("journaled store (codec, cache, flusher)", f"{stored:,.0f}/s", note)
    await store.close()
    await journal.close()
    table.print()
    assert rate > 3 * plain


async def test_restart(tmp_path: Path) -> None:
    table = Table("Restart of the journal with 10,000 sessions, each with 5 events waiting")
    lines = [encode(intended(n)) for n in range(5)]
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    await asyncio.gather(*(journal.append(a_session(home), 0, lines) for home in range(1, 10_001)))
    await journal.close()
    began = time.perf_counter()
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    table.add("open", f"{(time.perf_counter() - began) * 1000:.0f} ms")
    began = time.perf_counter()
    assert len(await journal.open_sessions(7001)) == 10_000  # type: ignore[arg-type]
    table.add("list the open ones", f"{(time.perf_counter() - began) * 1000:.0f} ms")
    await journal.close()
    table.print()


async def test_pushing(tmp_path: Path, server: GitServer) -> None:
    table = Table("Session updates to the remote branch, git over HTTP")
    single = branch_store(server, tmp_path / "single")
    session = a_session(1)
    await single.append(session, 0, [opened(session)])
    began = time.perf_counter()
    for number in range(8):
        await single.append(session, number + 1, [intended(number)])
    alone = 8 / (time.perf_counter() - began)
    table.add("one push per event", f"{alone:,.1f}/s")
    for count in (64, 256, 1024):
        store = branch_store(server, tmp_path / f"copy-{count}")
        sessions = [a_session(count * 10 + n) for n in range(count)]
        first = [Batch(session=s, expected=0, events=(opened(s),)) for s in sessions]
        await store.append_many(first)
        rounds = 3
        began = time.perf_counter()
        for version in range(1, rounds + 1):
            more: tuple[Event, ...] = (intended(version),)
            await store.append_many(
                [Batch(session=s, expected=version, events=more) for s in sessions]
            )
        rate = count * rounds / (time.perf_counter() - began)
        note = f"{rate / alone:.0f} x, {count / rate * 1000:.0f} ms a push"
        table.add(f"{count} sessions in a push", f"{rate:,.0f}/s", note)
    table.print()
    assert rate > 5 * alone


async def test_growth(tmp_path: Path, server: GitServer) -> None:
    table = Table("One session's flush beside so many others on the branch")
    store = branch_store(server, tmp_path / "copy", stale_after=3600)
    there, costs = 0, []
    for count in (100, 1_000, 10_000):
        sessions = [a_session(home) for home in range(there + 1, count + 1)]
        for start in range(0, len(sessions), 1_000):
            await store.append_many(
                [
                    Batch(session=s, expected=0, events=tuple(finished_story(s)))
                    for s in sessions[start : start + 1_000]
                ]
            )
        there = count
        session, version, taken = a_session(count), len(finished_story(a_session())), []
        for number in range(7):
            began = time.perf_counter()
            await store.append(session, version + number, [intended(number)])
            taken.append(time.perf_counter() - began)
        began = time.perf_counter()
        await store.load(a_session(count // 2))
        read = time.perf_counter() - began
        costs.append(sorted(taken)[3])
        note = f"read one {read * 1000:.1f} ms"
        table.add(f"{count:,} sessions", f"{costs[-1] * 1000:,.0f} ms", note)
    table.print()


async def test_whole_road(tmp_path: Path, server: GitServer) -> None:
    """64 writers, the flusher pushing as it likes: how far behind the remote ends up."""
    table = Table("Journal to remote, 64 writers of 100 events, no pause between pushes")
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    record = branch_store(server, tmp_path / "copy", stale_after=3600)

    async def record_of(repository: int) -> Record:
        return record

    pace = Pace(delay=0.0, spacing=0.0)
    store = JournaledStore(journal, record_of, SystemClock(), pace=pace)
    sessions = [a_session(home) for home in range(1, 65)]
    began = time.perf_counter()
    rate, _ = await writers(
        lambda writer, version: store.append(sessions[writer], version, [intended(version)]),
        64,
        100,
    )
    appended = time.perf_counter()
    assert await store.drain() == 0
    pushed = time.perf_counter()
    table.add("appended", f"{rate:,.0f}/s")
    table.add("on the remote", f"{6400 / (pushed - began):,.0f}/s")
    table.add("remote behind the last append", f"{(pushed - appended) * 1000:,.0f} ms")
    await store.close()
    await journal.close()
    table.print()
