"""What the system has to have: a few programs, and leave to make sandboxes."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from ground import TOOLS, Problem, run, say, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OLDEST_BWRAP = (0, 8)
SANDBOX_UID = 60870
"""Who sandboxes run as where we are root; `sandbox/providers/local_mounts.py` says why."""

PROGRAMS = {"git": "git", "bwrap": "bubblewrap", "zstd": "zstd", "tar": "tar"}
"""Programs that we call, and Debian's package of each."""


def install_packages(*, npm_needed: bool, venv_needed: bool) -> None:
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if venv_needed and importlib.util.find_spec("ensurepip") is None:
        missing.append("python3-venv")
    if npm_needed and not shutil.which("npm"):
        missing.append("npm")
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Problem(f"missing on this system; type: {install_line(missing)}")
    apt_get_install(missing)


def wish_for_ripgrep() -> None:
    """OpenCode searches with `rg`, and from a sandbox without network it cannot fetch its own.

    Best effort, and tried or said once: an agent gets along without.
    """
    asked = TOOLS / "ripgrep.asked"
    if shutil.which("rg") or asked.exists():
        return
    asked.touch()
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with suppress(Problem):
            apt_get_install(["ripgrep"])
            return
    say(f"setup: agents search better with ripgrep; type: {install_line(['ripgrep'])}")


def apt_get_install(packages: Sequence[str]) -> None:
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    with told("installing " + ", ".join(packages)):
        run("apt-get update", [*apt, "update"])
        run("apt-get install", [*apt, "install", "-y", "--no-install-recommends", *packages])


def install_line(packages: Sequence[str]) -> str:
    """The one line to type. Only Debian keeps `venv` apart from Python itself."""
    others = [name for name in packages if name != "python3-venv"]
    sudo = "" if os.geteuid() == 0 else "sudo "
    if shutil.which("dnf"):
        return f"{sudo}dnf install -y {' '.join(others)}"
    if shutil.which("pacman"):
        return f"{sudo}pacman -S --needed {' '.join(others)}"
    return f"{sudo}apt-get install -y {' '.join(packages)}"


def try_isolation() -> None:
    """Start the emptiest sandbox there is, as the user that sandboxes run as (never root)."""
    named = subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", named)[:2])
    if version < OLDEST_BWRAP:
        raise Problem(
            f"bubblewrap {'.'.join(map(str, version))} is too old, 0.8 is needed: Debian 12, "
            "Ubuntu 24.04 and later have it"
        )
    command = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    user = SANDBOX_UID if os.geteuid() == 0 else None
    trial = subprocess.run(
        [*command, "true"], user=user, cwd="/", stdin=subprocess.DEVNULL, capture_output=True
    )
    if trial.returncode == 0:
        return
    said = (trial.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
    raise Problem(f"bubblewrap cannot make a sandbox here ({said}); {isolation_remedy()}")


def isolation_remedy() -> str:
    for setting, wrong, right in (
        ("kernel/unprivileged_userns_clone", "0", "1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user/max_user_namespaces", "0", "15000"),
    ):
        with suppress(OSError):
            if Path("/proc/sys", setting).read_text().strip() == wrong:
                return f"type: sudo sysctl -w {setting.replace('/', '.')}={right}"
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            "in a container, start it with --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --security-opt systempaths=unconfined"
        )
    return "user namespaces have to be allowed for normal users"
