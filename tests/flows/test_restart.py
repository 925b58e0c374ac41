"""The server as a process, killed where it hurts: sandboxes go on, and nothing is said twice."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .conftest import World, make_world
from .process import Process


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        yield made


@pytest.fixture
async def server(world: World) -> AsyncIterator[Process]:
    process = Process(world)
    await process.start()
    yield process
    await process.gone()


SLOW = (
    "@openinspect go slowly\nsh: echo one\n"
    "sh: sleep 2; echo late > late.txt; git add -A; git commit -qm 'Come late'\n"
    "sh: echo three\nsay: Made it."
)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_restart_in_mid_turn_misses_no_report_and_says_nothing_twice(
    world: World, server: Process, how: signal.Signals
) -> None:
    number = await world.issue()
    await world.say(SLOW, on=number)
    await world.until(lambda: "- [x] Ran `echo one`" in world.status(number))
    code = await server.end(how)
    assert code == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    await server.start()
    await world.until(lambda: world.github.pulls(world.repo))
    await world.until_status(number, "Done")

    shown = world.status(number)
    for command in ("echo one", "echo late", "echo three"):
        assert command in shown
    assert "Made it." in shown
    assert len(world.github.pulls(world.repo)) == 1
    assert len(world.ours(number)) == 1
    [pull] = world.github.pulls(world.repo)
    titles = [c.title for c in world.github.commits(world.repo, pull.head)]
    assert titles == ["Come late", "Initial commit"]


async def test_a_delivery_that_was_acknowledged_is_decided_after_a_kill(
    world: World, server: Process
) -> None:
    number = await world.issue()
    await world.say("@openinspect say: not lost", on=number)
    await world.until(
        lambda: any(d.event == "issue_comment" and d.ok for d in world.github.deliveries)
    )
    await server.end(signal.SIGKILL)
    await server.start()
    await world.until(lambda: any("not lost" in c.body for c in world.ours(number)[1:]))
    assert len(world.ours(number)) == 2
