"""Ending a sandbox, whatever of it there is, and whatever we know of it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from ..spec import SandboxId
from .local_limits import members
from .local_processes import Process, family, reap
from .local_registry import Record

_GENTLY_SECONDS = 1.0


def kill(record: Record, *, within: float = 10.0) -> bool:
    """End it: with its init goes every process of its pid namespace. True once all are gone."""
    deadline = time.monotonic() + within
    known = [each for each in (record.init, record.monitor) if each is not None]
    if record.init is not None:
        record.init.signal(signal.SIGKILL)
        # The monitor ends by itself once it has buried its child, the init.
        _gone(known, until=time.monotonic() + _GENTLY_SECONDS)
    while left := _left(record, known):
        for process in left:
            process.signal(signal.SIGKILL)
        if not _gone(left, until=deadline):
            return False
    for process in known:
        reap(process)
    return True


def strays(sandbox: SandboxId) -> list[Process]:
    """Launchers and bubblewraps of this sandbox, found by the mark in their command line."""
    named, mark = f"openinspect-sandbox-{sandbox}".encode(), sandbox.encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        launcher = mark in words and any(word.endswith(b"/local_launcher.py") for word in words)
        if words[0] == named or launcher:
            process = Process.of(int(folder.name))
            if process is not None:
                found.append(process)
    return found


def _left(record: Record, known: list[Process]) -> list[Process]:
    """What is alive: known, marked, below one that is marked, or in the control groups.

    Those marked are stopped before we look below them: a bubblewrap that we kill just after it
    has started the sandbox's init would leave that behind, which bears no mark.
    """
    marked = strays(record.id)
    for process in marked:
        process.signal(signal.SIGSTOP)
    pids = members(record.groups).union(*(family(process) for process in marked))
    found = {process for process in map(Process.of, pids) if process is not None}
    return [process for process in found.union(known, marked) if process.alive()]


def _gone(processes: list[Process], *, until: float) -> bool:
    pause = 0.001
    while any(process.alive() for process in processes):
        if time.monotonic() > until:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return True
