"""What `openinspect serve` does when it cannot start, or is told to end while it starts."""

from __future__ import annotations

import asyncio

import pytest

from bot.commands.serve import until_told
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.schema import JournalInUse, JournalRefused


class Starting:
    """`error` None: the start hangs until it is cancelled."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.begun = asyncio.Event()
        self.calls: list[str] = []

    async def start(self) -> None:
        self.begun.set()
        if self.error is not None:
            raise self.error
        try:
            await asyncio.Event().wait()
        finally:
            self.calls.append("start let go")

    async def close(self) -> None:
        self.calls.append("closed")


@pytest.mark.parametrize(
    "error",
    [
        JournalInUse("another process has journal.lock locked"),
        JournalRefused("journal.sqlite3 is not a journal"),
        JournalUnavailable("journal.sqlite3: disk I/O error"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_journal_that_cannot_be_used_is_one_sentence(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await until_told(Starting(error), asyncio.Event(), str) == 1
    said = capsys.readouterr()
    assert said.err == f"The journal cannot be used: {error}.\n"
    assert said.out == ""


async def test_a_start_ends_when_it_is_told_to() -> None:
    server, stop = Starting(), asyncio.Event()
    async with asyncio.timeout(5):
        serving = asyncio.create_task(until_told(server, stop, str))
        await server.begun.wait()
        stop.set()
        assert await serving == 0
    assert server.calls == ["start let go", "closed"]


class Ready(Starting):
    async def start(self) -> None:
        self.begun.set()


async def test_a_server_runs_until_it_is_told_to_end() -> None:
    server, stop = Ready(), asyncio.Event()
    serving = asyncio.create_task(until_told(server, stop, str))
    await server.begun.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not serving.done()
    stop.set()
    assert await serving == 0
    assert server.calls == ["closed"]
