"""Processes of the sandbox: started in groups of their own, and ended without leaving any.

The supervisor is a subreaper, so whatever a script or the agent leaves behind becomes its child
and is found again in /proc.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_LIMIT = 1 << 18


def become_subreaper() -> None:
    """Orphans inside the sandbox come to us (prctl(2)); best effort, pid 1 has them anyway."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def close_memory() -> None:
    """No other process of our uid may read or trace us (prctl(2)): the agent runs under it too."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


class _Watched(asyncio.subprocess.SubprocessStreamProtocol):
    """Tells when the process itself has ended."""

    def __init__(self) -> None:
        super().__init__(limit=_LIMIT, loop=asyncio.get_running_loop())
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class Child:
    """A process that we have started, in a session and group of its own.

    `asyncio`'s own `wait` returns only when the pipes are closed too, and a program that was left
    behind holds them open for good.
    """

    def __init__(self, transport: asyncio.SubprocessTransport, watched: _Watched) -> None:
        process = asyncio.subprocess.Process(transport, watched, asyncio.get_running_loop())
        self.pid: int = process.pid
        self.stdin = process.stdin
        self.stdout = process.stdout
        self.stderr = process.stderr
        self.communicate = process.communicate
        self._transport = transport
        self._watched = watched

    @property
    def returncode(self) -> int | None:
        return self._transport.get_returncode()

    async def exit_code(self) -> int:
        """Wait until the process has ended, whoever holds its pipes."""
        await self._watched.exited.wait()
        code = self.returncode
        assert code is not None
        return code

    async def end(self) -> None:
        """Make sure that it and all below it are gone, and let its pipes go."""
        if self.returncode is None:
            kill_tree(self.pid)
            await self.exit_code()
        self._transport.close()


async def spawn(
    command: Iterable[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int = asyncio.subprocess.PIPE,
) -> Child:
    """Start a program. Raises `OSError`."""
    transport, watched = await asyncio.get_running_loop().subprocess_exec(
        _Watched,
        *command,
        cwd=cwd,
        env=dict(env),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    return Child(transport, watched)


def kill_group(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def kill_tree(pid: int) -> None:
    """SIGKILL a process, its group, and all that descend from it."""
    family = descendants(pid)
    kill_group(pid)
    kill_each(family)


def kill_marked(mark: str) -> None:
    """SIGKILL whatever carries `mark` (`NAME=value`) in its environment, wherever it is now."""
    wanted = mark.encode()
    found = []
    for pid in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            if wanted in environ.split(b"\0"):
                found.append(pid)
    kill_each(found)


def kill_each(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def descendants(root: int) -> set[int]:
    """All living processes below `root`; zombies are not counted."""
    children: dict[int, list[int]] = {}
    for pid, parent, state in _processes():
        if state not in "ZX":
            children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    todo = [root]
    while todo:
        for child in children.get(todo.pop(), []):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def is_descendant(pid: int, root: int) -> bool:
    return pid in descendants(root)


async def kill_everything(seconds: float) -> bool:
    """SIGKILL and reap all our descendants; False where the time was not enough."""
    deadline = time.monotonic() + seconds
    adopted = Adopted()
    while (left := descendants(os.getpid())) or adopted.reap():
        if time.monotonic() > deadline:
            return False
        kill_each(left)
        await asyncio.sleep(0.02)
    return True


class Adopted:
    """Reaps orphans that came to us and died.

    A zombie is taken only when it was one at the round before: by then whoever started it
    directly (asyncio waits in a thread for each) would have taken it.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def reap(self) -> int:
        """How many dead children are still there."""
        us = os.getpid()
        zombies = {pid for pid, parent, state in _processes() if parent == us and state == "Z"}
        for pid in zombies & self._seen:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._seen = zombies
        return len(zombies)


def _processes() -> Iterable[tuple[int, int, str]]:
    """(pid, parent, state) of every process, from proc(5)."""
    for entry in os.listdir("/proc"):  # noqa: PTH208 half the cost of Path.iterdir
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{entry}/stat", "rb") as stat:  # noqa: PTH123
                    fields = stat.read().rpartition(b")")[2].split()
                yield int(entry), int(fields[1]), fields[0].decode()
