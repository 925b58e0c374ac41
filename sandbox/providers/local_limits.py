"""Memory, processes and CPU held from outside: control groups v2, else v1, else rlimits.

Groups are made inside our own group, so whatever holds us holds the sandboxes too.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..spec import Resources

Mode = Literal["v2", "v1", "rlimit"]
_V1 = ("memory", "pids", "cpu", "freezer")
_V2_NEEDED = frozenset({"memory", "pids"})
_PERIOD = 100_000  # microseconds; cpu.max and cpu.cfs_quota_us are per period
_FOLDER = "openinspect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How this machine holds a sandbox; `parents` are the groups in which ours are made."""

    mode: Mode
    parents: tuple[Path, ...] = ()

    @property
    def said(self) -> str:
        match self.mode:
            case "v2":
                return "memory, processes and CPU are limited by control groups (v2)"
            case "v1":
                return "memory, processes and CPU are limited by control groups (v1)"
            case "rlimit":
                return (
                    "no control groups can be written here: processes are limited by rlimits, "
                    "memory by a watchdog once a second, CPU by the number of cores"
                )

    def groups(self, sandbox: str) -> tuple[Path, ...]:
        return tuple(parent / sandbox for parent in self.parents)

    def make(self, sandbox: str, resources: Resources) -> tuple[Path, ...]:
        """Make the groups of one sandbox, limits set."""
        made = self.groups(sandbox)
        for group in made:
            group.mkdir(exist_ok=True)
            for name, value in _settings(self.mode, resources):
                file = group / name
                if file.exists():
                    file.write_text(value)
        return made

    def rlimits(self, resources: Resources) -> dict[str, int]:
        held = {"CORE": 0, "FSIZE": resources.disk_mib << 20, "NOFILE": 1 << 18}
        if self.mode == "rlimit":
            held["NPROC"] = resources.processes
        return held

    def cpus(self, resources: Resources) -> int:
        return max(1, round(resources.cpu)) if self.mode == "rlimit" else 0


def _settings(mode: Mode, resources: Resources) -> list[tuple[str, str]]:
    memory = str(resources.memory_mib << 20)
    quota = str(max(1000, int(resources.cpu * _PERIOD)))
    if mode == "v2":
        return [
            ("memory.max", memory),
            ("memory.swap.max", "0"),
            ("pids.max", str(resources.processes)),
            ("cpu.max", f"{quota} {_PERIOD}"),
        ]
    return [
        ("memory.limit_in_bytes", memory),
        ("memory.memsw.limit_in_bytes", memory),
        ("pids.max", str(resources.processes)),
        ("cpu.cfs_period_us", str(_PERIOD)),
        ("cpu.cfs_quota_us", quota),
    ]


def detect(
    *, cgroup_text: str | None = None, mountinfo_text: str | None = None, root: Path = Path("/")
) -> Limits:
    """What this machine lets us use. The arguments are for tests: they stand for /proc/self."""
    memberships = cgroup_text or Path("/proc/self/cgroup").read_text()
    mounts = mountinfo_text or Path("/proc/self/mountinfo").read_text()
    return _detect_v2(memberships, mounts, root) or _detect_v1(memberships, mounts, root)


def _detect_v2(memberships: str, mounts: str, root: Path) -> Limits | None:
    own = _own_group(memberships, mounts, "", root)
    if own is None:
        return None
    group, top = own
    # The nearest group that may have children with limits: one that already hands its
    # controllers down, or one without processes of its own; the root of all is exempt.
    while group.is_relative_to(top):
        if _hands_down(group):
            parent = group / _FOLDER
            with contextlib.suppress(OSError):
                parent.mkdir(exist_ok=True)
                (parent / "cgroup.subtree_control").write_text(_enabling(parent))
                if os.access(parent, os.W_OK):  # another user's may have been there
                    return Limits(mode="v2", parents=(parent,))
        group = group.parent
    return None


def _hands_down(group: Path) -> bool:
    try:
        if not set((group / "cgroup.controllers").read_text().split()) >= _V2_NEEDED:
            return False
        (group / "cgroup.subtree_control").write_text(_enabling(group))
    except OSError:
        return False
    return os.access(group, os.W_OK) and os.access(group / "cgroup.procs", os.W_OK)


def _enabling(group: Path) -> str:
    there = set((group / "cgroup.controllers").read_text().split())
    return " ".join(f"+{name}" for name in ("memory", "pids", "cpu") if name in there)


def _detect_v1(memberships: str, mounts: str, root: Path) -> Limits:
    parents = []
    for controller in _V1:
        own = _own_group(memberships, mounts, controller, root)
        if own is None:
            continue
        parent = own[0] / _FOLDER
        try:
            parent.mkdir(exist_ok=True)
        except OSError:
            continue
        if os.access(parent, os.W_OK):  # another user's may have been there
            parents.append(parent)
    found = {parent for parent in parents if (parent / "pids.max").exists()}
    limited = {parent for parent in parents if (parent / "memory.limit_in_bytes").exists()}
    if found and limited:
        return Limits(mode="v1", parents=tuple(parents))
    return Limits(mode="rlimit")


def _own_group(
    memberships: str, mounts: str, controller: str, root: Path
) -> tuple[Path, Path] | None:
    """Our own group of this hierarchy as a directory, and the top that is mounted."""
    for line in memberships.splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") and (controller or not controllers):
            break
    else:
        return None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        shown, place = left.split()[3:5]
        kind, _, options = right.split(" ", 2)
        fits = kind == "cgroup2" if not controller else kind == "cgroup"
        if not fits or (controller and controller not in options.split(",")):
            continue
        top = root / place.lstrip("/")
        below = os.path.relpath(path, shown)
        return (top if below.startswith("..") else top / below), top
    return None


def members(groups: Sequence[Path]) -> set[int]:
    """Every process in these groups."""
    found: set[int] = set()
    for group in groups:
        with contextlib.suppress(OSError):
            found.update(map(int, (group / "cgroup.procs").read_text().split()))
    return found


def freeze(groups: Sequence[Path], *, within: float = 5.0) -> bool:
    """Freeze; False where no group can, or it does not take hold in time."""
    for group in groups:
        v2, v1 = group / "cgroup.freeze", group / "freezer.state"
        if v2.exists():
            v2.write_text("1")
            return _until(within, lambda g=group: "frozen 1" in (g / "cgroup.events").read_text())
        if v1.exists():
            v1.write_text("FROZEN")
            return _until(within, lambda f=v1: f.read_text().strip() == "FROZEN")
    return False


def thaw(groups: Sequence[Path]) -> None:
    for group in groups:
        with contextlib.suppress(OSError):
            if (group / "cgroup.freeze").exists():
                (group / "cgroup.freeze").write_text("0")
            elif (group / "freezer.state").exists():
                (group / "freezer.state").write_text("THAWED")


def remove(groups: Sequence[Path], *, within: float = 5.0) -> None:
    """Remove empty groups; the kernel needs a moment after the last process is gone."""
    for group in groups:
        _until(within, lambda g=group: _removed(g))


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _until(within: float, done: object) -> bool:
    assert callable(done)
    deadline, pause = time.monotonic() + within, 0.001
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return True
