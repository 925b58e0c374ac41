"""What a local provider does, in plain blocking code, safe in many threads and processes at once.

One lock per name makes a launch happen once. The record is written before the process starts and
names its control groups; so after a crash at any point the sandbox is either found running or
found and removed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..provider import LaunchRefused, SandboxError, SandboxGone, SnapshotMissing
from ..spec import Launched, SandboxId, SandboxInfo, SandboxSpec, SnapshotId
from ..zipapp import build_supervisor
from . import local_limits, local_trash
from .local_checkouts import Checkouts, Warm
from .local_ending import kill
from .local_freezing import frozen, thaw
from .local_ground import SANDBOX_UID, Ground, Plan, find_bwrap, survey
from .local_limits import Limits
from .local_mounts import sandbox_plan
from .local_preflight import overlay_works
from .local_processes import Process
from .local_registry import Record, Registry
from .local_snapshots import Manifest, Snapshots
from .local_watchdog import Watchdog, free_mib

_PROGRAMS_BELOW = "/opt/"
_REASON_SECONDS = 86400.0  # how long it is remembered why we ended a sandbox
_NO_OVERLAY = "overlayfs cannot be mounted here, so the checkout was copied: slower to start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an operator may set, and what tests set."""

    uid: int = SANDBOX_UID
    """The uid and gid of sandboxes where we are root."""
    free_floor_mib: int = 2048
    """Less free disk than this and launches are refused."""
    warm_kept: int = 16
    """Warm checkouts kept although nothing uses them."""
    snapshots_kept_seconds: float = 14 * 24 * 3600.0
    """Snapshots older than this are removed by `sweep`."""
    snapshot_seconds: float = 120.0
    """The longest that a sandbox is kept frozen."""
    listen_seconds: float = 20.0
    """How long `attach` waits for a supervisor to listen."""
    supervisor: Path | None = None
    """A zipapp to run instead of our own."""
    limits: Limits | None = None
    overlay: bool | None = None


class Keeper:
    """Made by `open`, which finds out what the machine has."""

    def __init__(
        self, ground: Ground, limits: Limits, *, overlay: bool, supervisor: Path, options: Options
    ) -> None:
        self.limits = limits
        self.overlay = overlay
        self._ground = ground
        self._supervisor = supervisor
        self._options = options
        self._registry = Registry(ground.root)
        self._checkouts = Checkouts(ground, self._registry)
        self._snapshots = Snapshots(ground)
        self._ended: list[tuple[Record, str]] = []
        self._watchdog = Watchdog(
            ground,
            self._registry,
            mode=limits.mode,
            floor_mib=options.free_floor_mib,
            end=self._end,
        )
        self._copying_said = threading.Event()

    @classmethod
    def open(cls, root: Path, tools: Path | None, options: Options) -> Keeper:
        bwrap = find_bwrap(tools)
        if bwrap is None:
            raise LaunchRefused("bubblewrap is not installed: apt-get install bubblewrap")
        ground = survey(root, bwrap=bwrap, uid=options.uid)
        supervisor = options.supervisor or build_supervisor(root / "supervisors")
        overlay = overlay_works(ground) if options.overlay is None else options.overlay
        limits = options.limits or local_limits.detect()
        return cls(ground, limits, overlay=overlay, supervisor=supervisor, options=options)

    @property
    def owner(self) -> int:
        return self._ground.owner[0]

    def socket(self, sandbox: SandboxId) -> Path:
        return self._registry.home(sandbox) / "run" / "wire.sock"

    def launch(self, spec: SandboxSpec) -> Launched:
        _check(spec)
        with self._registry.locked("name", spec.name):
            for record in self._registry.all():
                if record.name == spec.name:
                    if record.live:
                        return record.launched()
                    self.terminate(record.id)
            free = free_mib(self._ground.root)
            if free < self._options.free_floor_mib:
                raise LaunchRefused(
                    f"{free:.0f} MiB of disk are free, {self._options.free_floor_mib} are needed"
                )
            return self._launch_from_snapshot(spec) or self._launch_from_checkout(spec)

    def live(self, sandbox: SandboxId) -> Record:
        record = self._registry.read(sandbox)
        if record is None or not record.live:
            raise SandboxGone(self.why_gone(sandbox))
        with self._registry.locked("frozen", sandbox, wait=False) as ours:
            if ours:  # nobody takes a snapshot: were it frozen, then by one of us who died
                thaw(record)
        return record

    def why_gone(self, sandbox: SandboxId) -> str:
        record = self._registry.read(sandbox)
        return (record.reason if record else "") or "the sandbox is not running any more"

    def listing(self, tags: Mapping[str, str]) -> list[SandboxInfo]:
        wanted = tags.items()
        return [
            each.info()
            for each in self._registry.all()
            if each.live and wanted <= each.tags.items()
        ]

    def snapshot(self, sandbox: SandboxId) -> SnapshotId:
        record = self.live(sandbox)
        manifest = Manifest(
            lower=record.lower,
            programs=record.programs,
            workspace_present=record.workspace_present,
        )
        with self._registry.locked("frozen", sandbox), frozen(record):
            try:
                return self._snapshots.pack(
                    self._registry.home(sandbox) / "layer",
                    manifest,
                    still_there=lambda: record.live,
                    within=self._options.snapshot_seconds,
                )
            except (SandboxError, OSError) as error:
                if record.live:
                    raise
                raise SandboxGone(self.why_gone(sandbox)) from error

    def terminate(self, sandbox: SandboxId) -> None:
        record = self._registry.read(sandbox)
        if record is not None:
            self._kill(record)
        if "/" not in sandbox and self._registry.home(sandbox).exists():
            local_trash.discard(self._ground, self._registry.home(sandbox))

    def delete_snapshot(self, snapshot: SnapshotId) -> None:
        with contextlib.suppress(SnapshotMissing):
            self._snapshots.delete(snapshot)

    def sweep(self) -> None:
        for record in self._registry.all():
            if record.live:
                self.live(record.id)  # thaws
            elif record.state != "ended" or self._registry.age(record.id) > _REASON_SECONDS:
                with self._registry.locked("name", record.name, wait=False) as ours:
                    if ours:
                        self.terminate(record.id)
        for sandbox in self._registry.unregistered():
            self.terminate(sandbox)
        self._snapshots.sweep(kept_seconds=self._options.snapshots_kept_seconds)
        local_trash.empty(self._ground)
        self._checkouts.prune(keep=self._options.warm_kept, used=self._lowers)

    def watch(self) -> list[tuple[Record, str]]:
        """One look of the watchdog; what it ended, and why."""
        self._watchdog.look()
        ended, self._ended = self._ended, []
        return ended

    def _launch_from_snapshot(self, spec: SandboxSpec) -> Launched | None:
        """None where there is no snapshot to start from."""
        if spec.snapshot is None:
            return None
        try:
            manifest = self._snapshots.manifest(spec.snapshot)
            if manifest.lower is None:
                return self._start(spec, None, manifest)
            with self._checkouts.kept(manifest.lower) as warm:
                if warm is None or not self.overlay:
                    raise SnapshotMissing("the checkout that the snapshot stands on is gone")
                return self._start(spec, warm, manifest)
        except SnapshotMissing as error:
            launched = self._launch_from_checkout(spec, note=f"{error}; started afresh")
            return replace(launched, restored=False)

    def _launch_from_checkout(self, spec: SandboxSpec, *, note: str = "") -> Launched:
        if spec.checkout is None:
            return self._start(spec, None, None, note=note)
        with self._checkouts.held(spec.checkout) as warm:
            return self._start(spec, warm, None, note=note)

    def _start(
        self, spec: SandboxSpec, warm: Warm | None, manifest: Manifest | None, *, note: str = ""
    ) -> Launched:
        sandbox = SandboxId(f"local-{secrets.token_hex(6)}")
        copied = warm is not None and manifest is None and not self.overlay
        if copied and not self._copying_said.is_set():
            self._copying_said.set()
            note = "; ".join(filter(None, (note, _NO_OVERLAY)))
        record = Record(
            id=sandbox,
            name=spec.name,
            tags=dict(spec.tags),
            state="starting",
            started_at=time.time(),
            resources=spec.resources,
            groups=self.limits.groups(sandbox),
            lower=warm.key if warm is not None and not copied else None,
            objects=warm.objects if warm is not None else None,
            programs={each.target: str(each.source) for each in spec.programs},
            workspace_present=manifest.workspace_present if manifest else warm is not None,
            restored=manifest is not None,
            note=note,
        )
        self._registry.register(record)
        try:
            self._furnish(record, spec, warm if copied else None, manifest)
            record = self._run(record, spec, warm if not copied else None)
        except BaseException as error:
            self.terminate(sandbox)
            if isinstance(error, OSError):
                raise SandboxError(f"the sandbox could not be made: {error}") from error
            raise
        return record.launched()

    def _furnish(
        self, record: Record, spec: SandboxSpec, copied: Warm | None, manifest: Manifest | None
    ) -> None:
        home = self._registry.home(record.id)
        self._ground.make_directory(home / "run")
        self._ground.make_directory(home / "layer")
        for name in ("upper", "work", "home", "tmp"):
            self._ground.make_directory(home / "layer" / name)
        (home / "layer" / "tmp").chmod(0o1777)
        if manifest is not None:
            assert spec.snapshot is not None
            seconds = self._options.snapshot_seconds
            self._snapshots.unpack(spec.snapshot, home / "layer", within=seconds)
        elif copied is not None:
            self._checkouts.copy(copied, home / "layer" / "upper")

    def _run(self, record: Record, spec: SandboxSpec, lower: Warm | None) -> Record:
        home = self._registry.home(record.id)
        argv, binds = sandbox_plan(
            sandbox=record.id,
            stage=self._ground.stage,
            etc=self._ground.root / "etc",
            python=self._ground.python,
            python_tree=self._ground.python_tree,
            layer=home / "layer",
            run=home / "run",
            supervisor=self._supervisor,
            lower=lower.tree if lower else None,
            objects=record.objects,
            programs=[(each.source, each.target) for each in spec.programs],
            shared_memory=max(64, spec.resources.memory_mib // 8) << 20,
        )
        groups = self.limits.make(record.id, spec.resources)
        plan = Plan(
            argv=argv,
            binds=binds,
            overlay=lower is not None,
            join=[group / "cgroup.procs" for group in groups],
            rlimits=self.limits.rlimits(spec.resources),
            cpus=self.limits.cpus(spec.resources),
            log=home / "log",
        )
        monitor, init = self._ground.start(plan, record.id)
        record = replace(
            record, state="running", monitor=Process.of(monitor), init=Process.of(init)
        )
        self._registry.write(record)
        return record

    def _kill(self, record: Record) -> None:
        local_limits.thaw(record.groups)  # a frozen v1 group does not die
        if not kill(record):
            raise SandboxError(f"sandbox {record.id} could not be ended")
        local_limits.remove(record.groups)

    def _end(self, record: Record, reason: str) -> None:
        """Ended by us: the record stays, with the reason, until somebody terminates it."""
        self._registry.write(replace(record, state="ended", reason=reason))
        self._kill(record)
        self._ended.append((record, reason))

    def _lowers(self) -> set[str]:
        used = {each.lower for each in self._registry.all() if each.lower is not None}
        return used | self._snapshots.lowers()


def _check(spec: SandboxSpec) -> None:
    for program in spec.programs:
        target = os.path.normpath(program.target)
        if target != program.target or not target.startswith(_PROGRAMS_BELOW):
            raise LaunchRefused(f"a program must be shown below {_PROGRAMS_BELOW}: {target}")
        if not program.source.exists():
            raise LaunchRefused(f"no such program: {program.source}")
