"""The journal on a real disk: what it acknowledged is there, whatever happens next."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.clock import until
from support.stored import REPOSITORY, a_session

from orchestrator.ports import Conflict
from orchestrator.session.values import RepositoryId
from orchestrator.stores.deliveries import Delivery
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.journal import Journal, Known
from orchestrator.stores.schema import JournalInUse, JournalRefused

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SESSION = a_session()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(path)
    yield journal
    await journal.close()


def delivery(guid: str, semantic: str | None = None, minutes: float = 0) -> Delivery:
    return Delivery(
        guid=guid,
        event="issue_comment",
        received_at=NOW + timedelta(minutes=minutes),
        body=b'{"action":"created"}',
        semantic=semantic,
        installation=5,
        repository=REPOSITORY,
    )


async def test_a_delivery_waits_until_it_is_decided(journal: Journal) -> None:
    late, early = delivery("b", minutes=1), delivery("a", "7001/comment/1")
    assert await journal.record_delivery(late)
    assert await journal.record_delivery(early)
    assert await journal.waiting_deliveries() == [early, late]
    assert await journal.waiting_deliveries(limit=1) == [early]
    await journal.decide_delivery("a", '{"outcome":"accepted"}', NOW)
    assert await journal.waiting_deliveries() == [late]


async def test_a_delivery_is_new_only_once(journal: Journal) -> None:
    assert await journal.record_delivery(delivery("a", "same"))
    assert not await journal.record_delivery(delivery("a", "same"))
    assert not await journal.record_delivery(delivery("a"))
    assert not await journal.record_delivery(delivery("b", "same")), "redelivered under a new id"
    assert not await journal.record_delivery(delivery("b", "else")), "that id was seen"
    assert await journal.record_delivery(delivery("c"))
    assert [d.guid for d in await journal.waiting_deliveries()] == ["a", "c"]


async def test_of_the_same_delivery_fifty_times_at_once_one_is_new(journal: Journal) -> None:
    news = await asyncio.gather(
        *(journal.record_delivery(delivery(f"guid-{n % 25}", "same")) for n in range(50))
    )
    assert news.count(True) == 1


async def test_decisions_are_found_by_delivery_and_by_thread(journal: Journal) -> None:
    for number in range(4):
        await journal.record_delivery(delivery(str(number)))
        await journal.decide_delivery(
            str(number),
            f'{{"n":{number}}}',
            NOW + timedelta(minutes=number),
            repository=REPOSITORY,
            thread=41 + number // 3,
        )
    await journal.decide_delivery("0", '{"n":"again"}', NOW)
    decision = await journal.decision("0")
    assert decision is not None
    assert (decision.record, decision.decided_at) == ('{"n":0}', NOW)
    assert await journal.decision("9") is None
    of_thread = await journal.decisions_for_thread(REPOSITORY, 41)
    assert [d.guid for d in of_thread] == ["2", "1", "0"]
    assert [d.guid for d in await journal.decisions_for_thread(REPOSITORY, 41, 1)] == ["2"]
    assert await journal.decisions_for_thread(RepositoryId(1), 41) == []


async def test_old_decisions_go_and_undecided_deliveries_stay(journal: Journal) -> None:
    for guid in ("old", "new", "waiting"):
        await journal.record_delivery(delivery(guid, guid, minutes=0 if guid != "new" else 600))
    await journal.decide_delivery("old", "{}", NOW)
    await journal.decide_delivery("new", "{}", NOW + timedelta(minutes=600))
    await journal.prune(NOW + timedelta(days=30, minutes=1))
    assert await journal.decision("old") is None
    assert await journal.decision("new") is not None
    assert [d.guid for d in await journal.waiting_deliveries()] == ["waiting"]
    assert await journal.record_delivery(delivery("old", "old"))
    assert not await journal.record_delivery(delivery("new", "new"))


async def test_the_body_of_a_decided_delivery_is_not_kept(journal: Journal, path: Path) -> None:
    await journal.record_delivery(delivery("a"))
    await journal.decide_delivery("a", "{}", NOW)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT body FROM deliveries").fetchall() == [(b"",)]


async def test_everything_is_there_after_a_restart(journal: Journal, path: Path) -> None:
    await journal.record_delivery(delivery("a"))
    await journal.append(SESSION, 0, ["one", "two"], opened_at=NOW, pulls=[128])
    await journal.acknowledge([(SESSION, 1)])
    await journal.close()
    again = await Journal.open(path)
    assert [d.guid for d in await again.waiting_deliveries()] == ["a"]
    assert await again.known(SESSION) == Known(pushed=1, lines=("two",))
    assert list(await again.open_sessions(REPOSITORY)) == [SESSION]
    assert await again.session_of_pull(REPOSITORY, 128) == SESSION
    with pytest.raises(Conflict):
        await again.append(SESSION, 1, ["other"])
    assert await again.append(SESSION, 2, ["three"]) == 3
    await again.close()


async def test_what_is_released_is_gone_and_sequence_numbers_never_come_again(
    journal: Journal,
) -> None:
    await journal.append(SESSION, 0, ["one", "two"])
    before = [row.journal_seq for row in await journal.waiting(REPOSITORY, 10)]
    await journal.acknowledge([(SESSION, 2)])
    assert await journal.waiting(REPOSITORY, 10) == []
    assert await journal.waiting_counts() == {}
    await journal.append(SESSION, 2, ["three"])
    (row,) = await journal.waiting(REPOSITORY, 10)
    assert row.seq == 3
    assert row.journal_seq > max(before)


async def test_a_session_closes_only_at_the_version_it_was_judged_at(journal: Journal) -> None:
    await journal.append(SESSION, 0, ["one"])
    await journal.append(SESSION, 1, ["two"])
    await journal.close_session(SESSION, 1)
    assert SESSION in await journal.open_sessions(REPOSITORY)
    await journal.close_session(SESSION, 2)
    assert SESSION not in await journal.open_sessions(REPOSITORY)
    await journal.append(SESSION, 2, ["three"])
    assert SESSION in await journal.open_sessions(REPOSITORY)


async def test_a_bug_in_one_write_does_not_take_others_with_it(journal: Journal) -> None:
    unspeakable = "\ud800"  # SQLite takes no half surrogates; the codec never hands one over
    results = await asyncio.gather(
        journal.append(a_session(1), 0, ["one"]),
        journal.append(a_session(2), 0, ["one", unspeakable]),
        journal.append(a_session(3), 0, ["one"]),
        return_exceptions=True,
    )
    assert results[0] == results[2] == 1
    assert isinstance(results[1], UnicodeEncodeError)
    assert await journal.known(a_session(2)) is None
    assert await journal.append(a_session(2), 0, ["one"]) == 1


async def test_a_closed_journal_takes_nothing(journal: Journal) -> None:
    await journal.close()
    with pytest.raises(JournalUnavailable):
        await journal.append(SESSION, 0, ["one"])


async def test_a_second_process_is_refused(journal: Journal, path: Path) -> None:
    with pytest.raises(JournalInUse):
        await Journal.open(path)
    program = f"import asyncio,pathlib\nfrom orchestrator.stores.journal import Journal\n\
asyncio.run(Journal.open(pathlib.Path({str(path)!r})))"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stderr=asyncio.subprocess.PIPE
    )
    _, err = await child.communicate()
    assert b"JournalInUse" in err
    await journal.close()
    await (await Journal.open(path)).close()


@pytest.mark.parametrize("change", ["PRAGMA user_version=99", "PRAGMA application_id=7"])
async def test_a_file_of_somebody_else_is_refused(path: Path, change: str) -> None:
    await (await Journal.open(path)).close()
    with sqlite3.connect(path) as db:
        db.execute(change)
    with pytest.raises(JournalRefused):
        await Journal.open(path)


async def test_a_file_that_is_no_database_is_unavailable(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(JournalUnavailable):
        await Journal.open(path)
    assert path.read_bytes().startswith(b"not a database")


WRITER = """
import asyncio, pathlib, sys
from datetime import datetime, UTC
from orchestrator.ports import Conflict
from orchestrator.stores.deliveries import Delivery
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.journal import Journal

async def write(journal, home):
    session, version = f"7001-{home}-main-1", 0
    while True:
        version = await journal.append(session, version, [f"event {version + 1}" + "." * 500])
        print(session, version, flush=True)

async def main():
    journal = await Journal.open(pathlib.Path(sys.argv[1]))
    try:
        await asyncio.gather(*(write(journal, home) for home in range(1, 17)))
    except JournalUnavailable as error:
        print("unavailable", error, flush=True)
        known = await journal.known("7001-1-main-1")
        print("reads", len(known.lines), flush=True)
    await journal.close()
"""


@pytest.mark.parametrize("after", [1, 40, 300, 1500])
async def test_kill_9_in_the_middle_of_writing_loses_nothing(path: Path, after: int) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"{WRITER}\nasyncio.run(main())",
        str(path),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    acknowledged: dict[str, int] = {}
    lines = 0
    async with asyncio.timeout(60):
        while line := await child.stdout.readline():
            if not line.endswith(b"\n"):
                break  # the kill tore it
            session, version = line.decode().split()
            acknowledged[session] = int(version)
            lines += 1
            if lines == after:
                child.send_signal(signal.SIGKILL)
        await child.wait()
    assert child.returncode == -signal.SIGKILL
    journal = await Journal.open(path)
    for home in range(1, 17):
        known = await journal.known(a_session(home))
        there = known.lines if known is not None else ()
        assert len(there) >= acknowledged.get(a_session(home), 0)
        assert [line.split(".")[0] for line in there] == [
            f"event {seq}" for seq in range(1, len(there) + 1)
        ]
    await journal.close()


async def test_a_full_disk_is_said_and_nothing_acknowledged_is_lost(path: Path) -> None:
    limit = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
{WRITER}
asyncio.run(main())
"""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", limit, str(path), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, _ = await child.communicate()
    assert child.returncode == 0
    acknowledged: dict[str, int] = {}
    for line in out.decode().splitlines():
        first, *rest = line.split()
        if first == "reads":
            assert int(rest[0]) >= acknowledged[a_session(1)], "reading goes on meanwhile"
        elif first != "unavailable":
            acknowledged[first] = int(rest[0])
    assert b"\nunavailable" in out
    journal = await Journal.open(path)
    for session, version in acknowledged.items():
        known = await journal.known(a_session(int(session.split("-")[1])))
        assert known is not None
        assert len(known.lines) >= version
    assert await journal.append(a_session(99), 0, ["there is room again"]) == 1
    await journal.close()


async def test_after_a_failure_of_the_disk_the_journal_goes_on_by_itself(path: Path) -> None:
    """The same process, once there is room again: nobody has to restart anything."""
    program = f"""
import resource
{WRITER}
async def main():
    journal = await Journal.open(pathlib.Path(sys.argv[1]))
    version = await journal.append("7001-1-main-1", 0, ["before"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    for _ in range(3):
        try:
            await journal.append("7001-1-main-1", version, ["during" * 500])
        except JournalUnavailable:
            print("refused", journal.healthy, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(await journal.append("7001-1-main-1", version, ["after"]), flush=True)
    print(await journal.known("7001-1-main-1"))
    await journal.close()
asyncio.run(main())
"""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(path), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, _ = await child.communicate()
    assert out.decode().splitlines() == [
        *["refused False"] * 3,
        "2",
        "Known(pushed=0, lines=('before', 'after'))",
    ]


async def test_writing_never_holds_up_the_loop(journal: Journal) -> None:
    """While the disk is held by somebody else, an append waits and everything else goes on."""
    blocker = sqlite3.connect(journal._path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(journal.append(SESSION, 0, ["one"]))
    turns = 0
    for _ in range(100):
        await asyncio.sleep(0)
        turns += 1
    assert turns == 100
    assert not waiting.done()
    blocker.execute("COMMIT")
    blocker.close()
    assert await waiting == 1


async def test_a_cut_off_append_still_happens(journal: Journal) -> None:
    told: list[str] = []
    appending = journal.append(SESSION, 0, ["one"], then=lambda: told.append("committed"))
    appending.cancel()
    await until(lambda: told == ["committed"])
    assert await journal.append(SESSION, 1, ["two"]) == 2
