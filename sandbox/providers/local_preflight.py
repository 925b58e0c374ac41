"""Can this machine run sandboxes? Every answer comes with the one line to type."""

from __future__ import annotations

import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import local_limits
from .local_ground import Ground, find_bwrap, last_line, survey
from .local_mounts import WORKSPACE
from .local_trash import discard
from .local_watchdog import free_mib

if TYPE_CHECKING:
    from .local_keeper import Options

_OLDEST_BWRAP = (0, 8, 0)  # the first with --disable-userns


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`fatal`: no sandbox can be started. Otherwise it works, but less well."""

    what: str
    fix: str
    fatal: bool


def look_for_problems(root: Path, tools: Path | None, options: Options) -> list[Problem]:
    bwrap = find_bwrap(tools)
    if bwrap is None:
        what = "bubblewrap is not installed"
        return [Problem(what=what, fix="apt-get install -y bubblewrap", fatal=True)]
    version = _version(bwrap)
    if version < _OLDEST_BWRAP:
        said = ".".join(map(str, version))
        return [
            Problem(
                what=f"bubblewrap {said} at {bwrap} is too old: 0.8 is needed",
                fix="apt-get install -y bubblewrap",
                fatal=True,
            )
        ]
    ground = survey(root, bwrap=bwrap, uid=options.uid)
    command = ground.workshop(["true"], binds=[])
    trial = subprocess.run(command, env={}, capture_output=True, check=False)
    if trial.returncode != 0:
        return [_no_namespaces(last_line(trial.stderr))]
    found = []
    if not overlay_works(ground):
        found.append(
            Problem(
                what="overlayfs cannot be mounted: every sandbox copies its checkout",
                fix="modprobe overlay   # Linux 5.11 or newer",
                fatal=False,
            )
        )
    limits = options.limits or local_limits.detect()
    if limits.mode == "rlimit":
        found.append(
            Problem(
                what=limits.said,
                fix="systemd-run --user --scope -p Delegate=yes openinspect serve",
                fatal=False,
            )
        )
    free = free_mib(root)
    if free < options.free_floor_mib:
        found.append(
            Problem(
                what=f"{free:.0f} MiB free at {root}; {options.free_floor_mib} are needed",
                fix=f"du -xh --max-depth=2 {root} | sort -h | tail   # then remove something",
                fatal=True,
            )
        )
    return found


def overlay_works(ground: Ground) -> bool:
    """Try it: mount one the way a sandbox does, and write to it."""
    trial = ground.root / f".trial.{secrets.token_hex(4)}"
    trial.mkdir(mode=0o700)
    try:
        for name in ("lower", "layer", "layer/upper", "layer/work"):
            ground.make_directory(trial / name)
        command = ground.workshop(
            ["touch", f"{WORKSPACE}/written"],
            binds=[],
            overlay=(trial / "lower", trial / "layer"),
        )
        subprocess.run(command, env={}, capture_output=True, check=False)
        return (trial / "layer" / "upper" / "written").exists()
    finally:
        discard(ground, trial)


def _no_namespaces(said: str) -> Problem:
    for path, wrong, fix in (
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
    ):
        file = Path("/proc/sys", path)
        if file.exists() and file.read_text().strip() == wrong:
            what = f"user namespaces are forbidden here: {said}"
            return Problem(
                what=what, fix=f"{'' if os.geteuid() == 0 else 'sudo '}{fix}", fatal=True
            )
    return Problem(
        what=f"a namespace could not be made: {said}",
        fix="docker run --privileged ...   # or another container runtime's equivalent",
        fatal=True,
    )


def _version(bwrap: Path) -> tuple[int, ...]:
    told = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=False)
    words = told.stdout.split()
    if not words:
        return (0,)
    return tuple(int(part) for part in words[-1].split(".") if part.isdigit())
