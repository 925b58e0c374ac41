"""What all sandboxes of one provider stand on: their place, their uid, and how one is started."""

from __future__ import annotations

import json
import marshal
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..provider import SandboxError
from .local_mounts import ETC_OF_OURS, NAMESPACES, WORKSPACE, ids, system_view
from .local_seccomp import filter_for

SANDBOX_UID = 60870
"""The uid and gid of every sandbox where we are root. From a range that systemd, adduser and the
distributions leave unused (https://systemd.io/UIDS-GIDS/), and below 65536 so that it exists in
containers too. Not `nobody`: other services run as that, and ext4 may reserve blocks for it."""

_STAGES = ("/mnt", "/media", "/srv", "/opt", "/tmp", "/run")  # noqa: S108 - covered, not used


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One start of bubblewrap. `binds` are (source, name under the stage)."""

    argv: Sequence[str]
    binds: Sequence[tuple[Path, str]] = ()
    overlay: bool = False
    join: Sequence[Path] = ()
    rlimits: Mapping[str, int] = field(default_factory=dict)
    cpus: int = 0
    log: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all sandboxes of one provider stand on, found out once."""

    bwrap: Path
    root: Path
    identity: tuple[int, int] | None
    """The uid and gid to become; None where we are not root, and stay who we are."""
    python: str
    python_tree: Path | None
    """A tree to show inside at its own path, where the system's Python is too old."""
    stage: str

    @property
    def owner(self) -> tuple[int, int]:
        return self.identity or (os.getuid(), os.getgid())

    def make_directory(self, path: Path) -> None:
        """A directory that the sandbox's uid owns, and nobody else can enter."""
        path.mkdir(mode=0o700)
        if self.identity:
            os.chown(path, *self.identity)

    def start(self, plan: Plan, marker: str) -> tuple[int, int]:
        """Start detached: the process ids of bubblewrap outside, and of the sandbox's init."""
        done = subprocess.run(
            self._command(plan, marker, detach=True),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={},
            check=False,
        )
        monitor, _, told = done.stdout.partition(b"\n")
        if done.returncode != 0 or not told:
            trouble = done.stderr + (_tail(plan.log) if plan.log else b"")
            raise SandboxError(f"the sandbox did not start: {last_line(trouble)}")
        return int(monitor), int(json.loads(told)["child-pid"])

    def workshop(
        self,
        command: Sequence[str],
        *,
        binds: Sequence[tuple[Path, str, bool]],
        inside_id: int = 0,
        overlay: tuple[Path, Path] | None = None,
    ) -> list[str]:
        """The command line of a program that may touch what a sandbox wrote, and nothing else.

        It sees the system and `binds` (source, target, writable) only, has no network, and is
        root of nothing but the sandbox's own uid: enough to read a directory of mode 000, to
        keep whiteouts, and to delete both. `overlay` (lower, layer) is shown at /workspace.
        """
        argv = [
            "openinspect-workshop",
            "--die-with-parent",
            *NAMESPACES,
            *ids(inside_id),
            *system_view(self.stage),
        ]
        capabilities = ("DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "CHOWN", "FSETID")
        if inside_id == 0:
            for name in capabilities:
                argv += ["--cap-add", f"CAP_{name}"]
        argv += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--clearenv"]  # noqa: S108
        for name, value in {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8"}.items():  # noqa: S108
            argv += ["--setenv", name, value]
        staged: list[tuple[Path, str]] = [(self.root / "etc", "etc")]
        for number, (source, target, writable) in enumerate(binds):
            staged.append((source, f"bind{number}"))
            argv += ["--bind" if writable else "--ro-bind", f"{self.stage}/bind{number}", target]
        if overlay is not None:
            staged += [(overlay[0], "lower"), (overlay[1], "layer")]
            argv += ["--bind", f"{self.stage}/workspace", WORKSPACE]
        argv += ["--remount-ro", "/", "--", *command]
        plan = Plan(argv=argv, binds=staged, overlay=overlay is not None, rlimits={"CORE": 0})
        return self._command(plan, "workshop", detach=False)

    def _command(self, plan: Plan, marker: str, *, detach: bool) -> list[str]:
        stage = self.stage
        words = {
            "argv": list(plan.argv),
            "binds": [(str(source), name) for source, name in plan.binds],
            "overlay": overlay_options(stage) if plan.overlay else None,
            "join": [str(path) for path in plan.join],
            "rlimits": dict(plan.rlimits),
            "cpus": plan.cpus,
            "log": str(plan.log) if plan.log else None,
            "bwrap": str(self.bwrap),
            "seccomp": str(self.root / "seccomp.bpf") if detach and self._filtered else None,
            "identity": self.identity,
            "stage": stage,
            "detach": detach,
        }
        launcher = Path(__file__).with_name("local_launcher.py")
        return [sys.executable, "-I", "-S", str(launcher), marshal.dumps(words).hex(), marker]

    @property
    def _filtered(self) -> bool:
        return (self.root / "seccomp.bpf").exists()


def overlay_options(stage: str) -> str:
    """`volatile`: a sandbox never outlives the machine, so its fsyncs need not reach the disk."""
    layer = f"{stage}/layer"
    return f"userxattr,volatile,lowerdir={stage}/lower,upperdir={layer}/upper,workdir={layer}/work"


def survey(root: Path, *, bwrap: Path, uid: int = SANDBOX_UID) -> Ground:
    """Lay out `root` and find out what this machine has. Safe to repeat."""
    root.mkdir(parents=True, exist_ok=True)
    for name in ("sandboxes", "warm", "snapshots", "locks", "trash", "etc"):
        (root / name).mkdir(exist_ok=True, mode=0o755 if name == "etc" else 0o700)
    (root / "etc").chmod(0o755)
    for name, text in ETC_OF_OURS.items():
        _put(root / "etc" / name, text.encode())
    program = filter_for(os.uname().machine)
    if program is not None:
        _put(root / "seccomp.bpf", program)
    python, tree = _python()
    stages = [path for path in map(Path, _STAGES) if path.is_dir() and path not in root.parents]
    return Ground(
        bwrap=bwrap,
        root=root,
        identity=(uid, uid) if os.geteuid() == 0 else None,
        python=python,
        python_tree=tree,
        stage=str(stages[0]) if stages else "/mnt",
    )


def find_bwrap(tools: Path | None) -> Path | None:
    for folder in (*([tools / "bin", tools] if tools else []), None):
        found = shutil.which("bwrap", path=None if folder is None else str(folder))
        if found:
            return Path(found)
    return None


def _python() -> tuple[str, Path | None]:
    """The interpreter inside, and the tree that has to be shown for it."""
    system = "/usr/bin/python3"
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    if Path(system).exists():
        asked = subprocess.run([system, "-I", "-S", "-c", check], check=False, capture_output=True)
        if asked.returncode == 0:
            return system, None
    tree = Path(sys.base_prefix).resolve()
    python = f"{tree}/bin/python3"
    return python, None if tree.is_relative_to("/usr") else tree


def _tail(path: Path) -> bytes:
    return path.read_bytes()[-2000:] if path.exists() else b""


def _put(path: Path, content: bytes) -> None:
    """Write only what differs, and whole: a sandbox may be starting with it."""
    if path.exists() and path.read_bytes() == content:
        return
    growing = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    growing.write_bytes(content)
    growing.chmod(0o644)
    growing.replace(path)


def last_line(text: bytes) -> str:
    lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:500] if lines else "no word of why"
