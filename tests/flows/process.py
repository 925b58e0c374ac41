"""`openinspect serve` as a process of its own, as people run it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from pathlib import Path

import aiohttp

from .conftest import SECRET, STATE_KEY, World

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
            **world.extra,
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

    def memory(self) -> tuple[float, float]:
        """Resident MiB now and at its peak, of the server's own process."""
        status = self._proc("status").read_text()
        now, peak = (re.search(rf"{name}:\s+(\d+) kB", status) for name in ("VmRSS", "VmHWM"))
        assert now is not None
        assert peak is not None
        return int(now[1]) / 1024, int(peak[1]) / 1024

    async def effects(self) -> dict[str, tuple[int, float]]:
        """How often each kind of effect was done, and the mean seconds it took."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            text = await answer.text()
        figures: dict[str, dict[str, float]] = {}
        line = r'^openinspect_effect_seconds_(sum|count)\{kind="(\w+)",result="done"\} (\S+)$'
        for name, kind, figure in re.findall(line, text, re.MULTILINE):
            figures.setdefault(kind, {})[name] = float(figure)
        return {kind: (int(f["count"]), f["sum"] / f["count"]) for kind, f in figures.items()}

    def processor_seconds(self) -> float:
        fields = self._proc("stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return len(list(self._proc("fd").iterdir()))

    def _proc(self, name: str) -> Path:
        assert self._running is not None
        return Path(f"/proc/{self._running.pid}/{name}")
