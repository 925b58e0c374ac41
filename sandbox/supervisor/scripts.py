"""The repository's own scripts: run with bash, killed with their whole group at the timeout.

Semantics after Open-Inspect's hooks: working directory is the repository, standard output and
error are merged, a missing script is a success, the last 50 lines are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from asyncio.subprocess import STDOUT
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from ..commands import Script
from ..reports import ScriptFinished
from .clipping import last_lines
from .processes import Child, kill_tree, spawn

_LINE = 4 << 10


class Tail:
    """The last lines of an endless output, in bounded memory."""

    def __init__(self, lines: int = 50) -> None:
        self._lines: deque[bytes] = deque(maxlen=lines)
        self._open = b""

    def feed(self, data: bytes) -> None:
        *whole, rest = (self._open + data).split(b"\n")
        self._lines.extend(line[-_LINE:] for line in whole)
        self._open = rest[-_LINE:]

    def text(self) -> str:
        kept = [*self._lines, *([self._open] if self._open else [])]
        return last_lines(b"\n".join(kept).decode("utf-8", "replace"))


class ScriptRunner:
    """Keeps reading what background programs of a script print, so that they never block."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._drains: set[asyncio.Task[None]] = set()

    async def run(self, name: str, script: Script, env: Mapping[str, str]) -> ScriptFinished | None:
        """What became of it; None where there is no such file."""
        path = self._directory / script.path
        if not path.is_file():
            return None
        began = time.monotonic()
        tail = Tail()
        try:
            process = await spawn(
                ("bash", script.path), cwd=self._directory, env=env, stderr=STDOUT
            )
        except OSError as error:
            return ScriptFinished(
                name=name, exit_code=127, seconds=0.0, tail=f"bash: {error.strerror}"
            )
        drain = asyncio.create_task(_drain(process, tail), name=f"output of {name}")
        self._drains.add(drain)
        drain.add_done_callback(self._drains.discard)
        code: int | None = None
        try:
            async with asyncio.timeout(script.timeout_seconds):
                code = await process.exit_code()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                kill_tree(process.pid)
                await process.exit_code()
        # A background program may hold the pipe open for good: wait for the rest, not for the end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.shield(drain)
        return ScriptFinished(
            name=name, exit_code=code, seconds=time.monotonic() - began, tail=tail.text()
        )


async def _drain(process: Child, tail: Tail) -> None:
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        while data := await process.stdout.read(1 << 16):
            tail.feed(data)
