"""Processes of this machine, by id, start time and boot: ids are used again."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        started = _start_time(pid)
        return None if started is None else cls(pid=pid, started=started, boot=_boot())

    def alive(self) -> bool:
        return self.boot == _boot() and _start_time(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send only if it is still that process; the descriptor keeps the id from being reused."""
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if self.alive():
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)


def reap(process: Process) -> None:
    """Where we are the machine's init (a container's first process), orphans become ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def family(init: Process) -> list[int]:
    """Every process of the sandbox: the descendants of its init, which adopts all orphans."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _stat(int(folder.name))
            if fields is not None:
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, waiting = [], [init.pid] if init.alive() else []
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def process_state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else "X"


def _start_time(pid: int) -> int | None:
    """Field 22 of proc(5)'s stat; a zombie counts as gone."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def _stat(pid: int) -> list[str] | None:
    """The fields from the third on: the second, a name, may contain anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
