"""The sandboxes of this machine on disk: one JSON file each, and the processes they name.

A record is written before its sandbox starts, so that whatever moment we die at, the next of us
knows what to look for. A process is its id, its start time and the boot of the machine: ids are
used again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..spec import Launched, Resources, SandboxId, SandboxInfo

State = Literal["starting", "running", "ended"]
LockKind = Literal["name", "frozen", "warm", "build", "births"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One sandbox. `reason` says why we ended it, where we did."""

    id: SandboxId
    name: str
    tags: dict[str, str]
    state: State
    started_at: float
    resources: Resources
    groups: tuple[Path, ...] = ()
    lower: str | None = None
    """Key of the warm checkout below the overlay; None where the workspace is a plain directory."""
    objects: Path | None = None
    programs: dict[str, str] = field(default_factory=dict)
    workspace_present: bool = False
    restored: bool = False
    note: str = ""
    reason: str = ""
    monitor: Process | None = None
    init: Process | None = None

    @property
    def live(self) -> bool:
        return self.state == "running" and self.init is not None and self.init.alive()

    def launched(self) -> Launched:
        return Launched(
            id=self.id,
            workspace_present=self.workspace_present,
            restored=self.restored,
            note=self.note,
        )

    def info(self) -> SandboxInfo:
        return SandboxInfo(id=self.id, name=self.name, tags=self.tags, started_at=self.started_at)


class Registry:
    """Records under `root/sandboxes/<id>/record.json`, written whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def home(self, sandbox: SandboxId) -> Path:
        return self._root / "sandboxes" / sandbox

    def register(self, record: Record) -> None:
        """The first writing of a record."""
        with self.locked("births", shared=True):
            self.home(record.id).mkdir(mode=0o700)
            self.write(record)

    def write(self, record: Record) -> None:
        folder = self.home(record.id)
        written = folder / "record.new"
        written.write_text(json.dumps(asdict(record), default=str))
        written.replace(folder / "record.json")

    def read(self, sandbox: SandboxId) -> Record | None:
        if "/" in sandbox or sandbox.startswith("."):
            return None
        try:
            text = (self.home(sandbox) / "record.json").read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _record(json.loads(text))

    def all(self) -> list[Record]:
        found = []
        for folder in (self._root / "sandboxes").iterdir():
            record = self.read(SandboxId(folder.name))
            if record is not None:
                found.append(record)
        return found

    def unregistered(self) -> list[SandboxId]:
        """Directories without a record: we died between the two."""
        with self.locked("births"):
            folders = (self._root / "sandboxes").iterdir()
            return [SandboxId(each.name) for each in folders if not (each / "record.json").exists()]

    @contextlib.contextmanager
    def locked(
        self, kind: LockKind, key: str = "", *, shared: bool = False, wait: bool = True
    ) -> Iterator[bool]:
        """Hold a lock that other processes see too; False where it is taken and `wait` is False.

        A kind has 64 locks for all its keys, so that the files do not grow without end. Taken
        in the order of `LockKind`, never two of one kind, so nobody waits in a circle.
        """
        number = hashlib.sha256(key.encode()).digest()[0] % 64
        with (self._root / "locks" / f"{kind}.{number}").open("a") as file:
            how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            try:
                fcntl.flock(file, how if wait else how | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


def kill(record: Record, *, within: float = 10.0) -> bool:
    """End the sandbox: with its init goes every process of its pid namespace. True once gone."""
    known = [each for each in (record.init, record.monitor) if each is not None]
    deadline, pause = time.monotonic() + within, 0.001
    patience = time.monotonic() + within / 10
    # Looked for again each time: a launcher may start its bubblewrap after we have looked.
    while alive := [each for each in known if each.alive()] + strays(record.id):
        if time.monotonic() > deadline:
            return False
        known += [each for each in alive if each not in known]
        for process in alive:
            # The monitor ends by itself once it has buried its child, the init.
            if process != record.monitor or time.monotonic() > patience:
                process.signal(signal.SIGKILL)
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    for process in known:
        _reap(process)
    return True


def _reap(process: Process) -> None:
    """Where we are the machine's init (a container's first process), orphans become ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


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


def _record(words: dict[str, Any]) -> Record:
    words["groups"] = tuple(map(Path, words["groups"]))
    words["objects"] = Path(words["objects"]) if words["objects"] else None
    words["resources"] = Resources(**words["resources"])
    for name in ("monitor", "init"):
        words[name] = Process(**words[name]) if words[name] else None
    return Record(**words)
