"""The sandboxes of this machine on disk: one JSON file each, and the processes they name.

A record is written before its sandbox starts, so that whatever moment we die at, the next of us
knows what to look for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..spec import Launched, Resources, SandboxId, SandboxInfo
from .local_processes import Process

State = Literal["starting", "running", "ended"]
LockKind = Literal["name", "frozen", "warm", "build", "births"]


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

    def age(self, sandbox: SandboxId) -> float:
        """Seconds since the record was last written."""
        try:
            return time.time() - (self.home(sandbox) / "record.json").stat().st_mtime
        except FileNotFoundError:
            return 0.0

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


def _record(words: dict[str, Any]) -> Record:
    words["groups"] = tuple(map(Path, words["groups"]))
    words["objects"] = Path(words["objects"]) if words["objects"] else None
    words["resources"] = Resources(**words["resources"])
    for name in ("monitor", "init"):
        words[name] = Process(**words[name]) if words[name] else None
    return Record(**words)
