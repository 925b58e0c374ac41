"""Fifty sessions at once through a real server process: all come out right, in little memory.

The agent is the line agent of the flow tests, so what is measured is ours: sandboxes, git,
reports, comments and state. GitHub is embedded in the measuring process, not in the measured one.
"""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from flows.conftest import World, make_world
from flows.many import Many
from flows.process import Process
from support.sandboxes import needs_bwrap

pytestmark = [pytest.mark.bench, pytest.mark.sandboxed, needs_bwrap]

SESSIONS = 50
MOST_MIB = 300


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        # GitHub's own limits on content would be what is measured otherwise.
        made.extra = {
            "GITHUB_CREATES_PER_MINUTE": "100000",
            "GITHUB_CREATES_PER_HOUR": "1000000",
        }
        yield made


async def test_fifty_sessions_at_once(world: World) -> None:
    server = Process(world)
    await server.start()
    try:
        idle, _ = server.memory()
        files = server.open_files()
        many = Many(world)
        await many.ask(SESSIONS)
        opened, ended = await many.finished(seconds=1200)
        wrong = many.wrong()
        busy, _ = server.memory()
        spent = server.processor_seconds()
        await many.cancel(seconds=300)
        after, peak_after = server.memory()
        print(f"\n{SESSIONS} sessions at once, one server process (line agent)")
        say("pull request opened, s after the last was asked", spread(opened))
        say("end shown in the status comment", spread(ended))
        say("turns per minute", f"{60 * SESSIONS / opened[-1]:.0f}")
        say("server CPU per session", f"{spent / SESSIONS:.2f} s")
        verdict = "ok" if peak_after < MOST_MIB else "MISSED"
        say("server memory, peak", f"{peak_after:.0f} MiB  (< {MOST_MIB} {verdict})")
        say(
            "server memory before / all done / all cancelled",
            f"{idle:.0f} / {busy:.0f} / {after:.0f} MiB",
        )
        say("open files before / after", f"{files} / {server.open_files()}")
        for kind, (count, mean) in sorted((await server.effects()).items()):
            say(f"  {kind}", f"{count:4d} times, mean {mean:.2f} s")
        assert wrong == []
        assert peak_after < MOST_MIB
    finally:
        await server.gone()


def say(what: str, figures: str) -> None:
    print(f"{what:52s} {figures}")


def spread(figures: list[float]) -> str:
    return (
        f"first {figures[0]:.1f}, median {statistics.median(figures):.1f}, last {figures[-1]:.1f}"
    )
