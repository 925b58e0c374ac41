"""Ends sandboxes that live too long or take too much, and those that have died already."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from ..spec import SandboxId
from .local_disk import usage
from .local_ground import Ground
from .local_limits import Mode
from .local_processes import Process, family
from .local_registry import Record, Registry

_FILES_PER_MIB = 64
"""So that a sandbox cannot use up the inodes: 655,360 files with the default 10 GiB."""
_MEASURE_SECONDS = 5.0
_SUDDEN_MIB = 512


class Watchdog:
    """`look` is called about once a second, in a thread, and ends what breaks its limits."""

    def __init__(
        self,
        ground: Ground,
        registry: Registry,
        *,
        mode: Mode,
        floor_mib: int,
        end: Callable[[Record, str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ground = ground
        self._registry = registry
        self._mode = mode
        self._floor_mib = floor_mib
        self._end = end
        self._clock = clock
        self._due: dict[SandboxId, float] = {}
        self._free_mib = float("inf")

    def look(self) -> None:
        free = free_mib(self._ground.root)
        alarm = free < self._floor_mib or self._free_mib - free > _SUDDEN_MIB
        self._free_mib = free
        live = [record for record in self._registry.all() if record.live]
        for gone in self._due.keys() - {record.id for record in live}:
            del self._due[gone]
        for record in live:
            reason = self._trouble(record, alarm)
            if reason:
                self._end(record, reason)

    def _trouble(self, record: Record, alarm: bool) -> str:
        limits = record.resources
        if self._clock() - record.started_at > limits.lifetime_seconds:
            return f"ended after its lifetime of {limits.lifetime_seconds:g} s"
        if self._mode == "rlimit" and record.init is not None:
            used = resident_mib(record.init)
            if used > limits.memory_mib:
                return f"ended: {used:.0f} MiB of memory, {limits.memory_mib} allowed"
        if not alarm and self._clock() < self._due.get(record.id, 0.0):
            return ""
        began = time.monotonic()
        home = self._registry.home(record.id)
        used_disk = usage(self._ground, [home / "layer", home / "run"])
        used_mib = used_disk.mib + _size_mib(home / "log")
        cost = time.monotonic() - began
        self._due[record.id] = self._clock() + max(_MEASURE_SECONDS, 50 * cost)
        if used_mib > limits.disk_mib:
            return f"ended: {used_mib:.0f} MiB of disk, {limits.disk_mib} allowed"
        if used_disk.files > limits.disk_mib * _FILES_PER_MIB:
            return f"ended: {used_disk.files} files, {limits.disk_mib * _FILES_PER_MIB} allowed"
        return ""


def free_mib(path: Path) -> float:
    return shutil.disk_usage(path).free / (1 << 20)


def resident_mib(init: Process) -> float:
    """Proportional memory of every process of the sandbox, or resident where that is hidden."""
    return sum(_memory_kib(pid) for pid in family(init)) / 1024


def _memory_kib(pid: int) -> int:
    for file, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
                if line.startswith(key):
                    return int(line.split()[1])
    return 0


def _size_mib(path: Path) -> float:
    try:
        return path.stat().st_blocks / 2048
    except FileNotFoundError:
        return 0.0
