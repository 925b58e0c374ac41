"""The server as a process, killed where it hurts: sandboxes go on, and nothing is said twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from .conftest import SECRET, STATE_KEY, World, make_world

SERVE = (sys.executable, "-I", "-m", "bot", "serve")


class Process:
    """`openinspect serve` on a world's disk and a fixed port."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._running: asyncio.subprocess.Process | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        world.github.set_webhook(world.app, f"http://127.0.0.1:{self.port}/webhooks/github", SECRET)

    async def start(self) -> None:
        world = self._world
        key = world.root / "app.pem"
        key.write_text(world.app.private_key_pem, encoding="ascii")
        environment = {
            "PATH": os.environ["PATH"],
            "GITHUB_APP_ID": str(world.app.id),
            "GITHUB_APP_PRIVATE_KEY_FILE": str(key),
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "GITHUB_API_URL": world.github.api_url,
            "GITHUB_GRAPHQL_URL": world.github.graphql_url,
            "GITHUB_SERVER_URL": world.github.url,
            "OPENINSPECT_DATA": str(world.root / "server"),
            "OPENINSPECT_PORT": str(self.port),
            "OPENINSPECT_STATE_KEY": STATE_KEY,
        }
        with (world.root / "server.log").open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(
                *SERVE, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        await self._ready()

    async def _ready(self) -> None:
        assert self._running is not None
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while True:
                if self._running.returncode is not None:
                    raise AssertionError((self._world.root / "server.log").read_text())
                with contextlib.suppress(aiohttp.ClientError):
                    url = f"http://127.0.0.1:{self.port}/healthz"
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def end(self, number: signal.Signals) -> int:
        assert self._running is not None
        self._running.send_signal(number)
        code = await self._running.wait()
        self._running = None
        return code

    async def gone(self) -> None:
        if self._running is not None and self._running.returncode is None:
            await self.end(signal.SIGKILL)


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
