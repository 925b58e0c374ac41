"""What a sandbox sees: the plan for `local_launcher`, and bubblewrap's arguments.

Nothing of the host is shown by default. The system is `/usr` and a short list of files in `/etc`
that contain no identity and no secret; the rest of `/etc` we write ourselves.
"""

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
from .local_seccomp import filter_for

SANDBOX_UID = 60870
"""The uid and gid of every sandbox where we are root. From a range that systemd, adduser and the
distributions leave unused (https://systemd.io/UIDS-GIDS/), and below 65536 so that it exists in
containers too. Not `nobody`: other services run as that, and ext4 may reserve blocks for it."""

WORKSPACE, HOME, RUN = "/workspace", "/home/agent", "/run/openinspect"
SUPERVISOR = "/opt/openinspect/supervisor.pyz"
OBJECTS = "/opt/openinspect/mirror/objects"
"""The mirror's objects, read-only; `.git/objects/info/alternates` of a warm checkout says so."""

_INSIDE_ID = 1000
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC_OF_THE_HOST = (
    "alternatives",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "host.conf",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "os-release",
    "pki/ca-trust",
    "pki/tls/certs",
    "pki/tls/cert.pem",
    "protocols",
    "rpc",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
)
_ETC_OF_OURS = {
    "passwd": "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
    f"agent:x:{_INSIDE_ID}:{_INSIDE_ID}:agent:{HOME}:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": f"root:x:0:\nagent:x:{_INSIDE_ID}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "hostname": "sandbox\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "resolv.conf": "",
}
_UNREADABLE = ("cmdline", "kcore", "key-users", "keys", "sched_debug", "timer_list")
"""Files of /proc that tell about the whole machine rather than the sandbox."""

_PATH = f"{HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
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
            self.command(plan, marker, detach=True),
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
        marker: str = "workshop",
    ) -> list[str]:
        """The command line of a program that may touch what a sandbox wrote, and nothing else.

        It sees the system and `binds` (source, target, writable) only, has no network, and is
        root of nothing but the sandbox's own uid: enough to read a directory of mode 000, to
        keep whiteouts, and to delete both.
        """
        argv = [
            f"openinspect-{marker}",
            "--die-with-parent",
            *_NAMESPACES,
            *_ids(inside_id),
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
        argv += ["--remount-ro", "/", "--", *command]
        plan = Plan(argv=argv, binds=staged, rlimits={"CORE": 0})
        return self.command(plan, marker, detach=False)

    def command(self, plan: Plan, marker: str, *, detach: bool) -> list[str]:
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


_NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup-try", "--new-session", "--cap-drop", "ALL"),
)


def _ids(inside: int) -> list[str]:
    return ["--uid", str(inside), "--gid", str(inside), "--hostname", "sandbox"]


def system_view(stage: str) -> list[str]:
    """The read-only system: `/usr`, its old names, and the parts of `/etc` without secrets."""
    argv = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM_LINKS:
        path = Path("/", name)
        if path.is_symlink():
            argv += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            argv += ["--ro-bind", str(path), str(path)]
    for name in _ETC_OF_THE_HOST:
        argv += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for name in _ETC_OF_OURS:
        argv += ["--ro-bind", f"{stage}/etc/{name}", f"/etc/{name}"]
    argv += ["--symlink", "/proc/self/mounts", "/etc/mtab"]
    return argv


def sandbox_plan(
    ground: Ground,
    *,
    sandbox: str,
    layer: Path,
    run: Path,
    supervisor: Path,
    lower: Path | None,
    objects: Path | None,
    programs: Sequence[tuple[Path, str]],
    shared_memory: int,
) -> tuple[list[str], list[tuple[Path, str]]]:
    """Arguments and staged sources of one sandbox; `lower` is given where an overlay is mounted."""
    stage = ground.stage
    binds = [(ground.root / "etc", "etc"), (layer, "layer"), (run, "run"), (supervisor, "pyz")]
    argv = [f"openinspect-sandbox-{sandbox}", *_NAMESPACES, "--disable-userns", *_ids(_INSIDE_ID)]
    argv += [*system_view(stage), "--proc", "/proc", "--dev", "/dev"]
    argv += ["--size", str(shared_memory), "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108
    for name in _UNREADABLE:
        if Path("/proc", name).exists():
            argv += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    argv += ["--dir", "/var", "--symlink", "/tmp", "/var/tmp"]  # noqa: S108
    if lower is not None:
        binds.append((lower, "lower"))
        argv += ["--bind", f"{stage}/workspace", WORKSPACE]
    else:
        argv += ["--bind", f"{stage}/layer/upper", WORKSPACE]
    argv += ["--bind", f"{stage}/layer/home", HOME, "--bind", f"{stage}/layer/tmp", "/tmp"]  # noqa: S108
    argv += ["--bind", f"{stage}/run", RUN, "--ro-bind", f"{stage}/pyz", SUPERVISOR]
    if objects is not None:
        binds.append((objects, "objects"))
        argv += ["--ro-bind", f"{stage}/objects", OBJECTS]
    if ground.python_tree is not None:
        binds.append((ground.python_tree, "python"))
        argv += ["--ro-bind", f"{stage}/python", str(ground.python_tree)]
    for number, (source, target) in enumerate(programs):
        binds.append((source, f"program{number}"))
        argv += ["--ro-bind", f"{stage}/program{number}", target]
    argv += ["--remount-ro", "/", "--chdir", WORKSPACE, "--clearenv"]
    environment = {
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "LOGNAME": "agent",
        "PATH": _PATH,
        "SHELL": "/bin/bash",
        "USER": "agent",
    }
    for key, value in environment.items():
        argv += ["--setenv", key, value]
    argv += ["--", ground.python, "-I", SUPERVISOR, "--run-dir", RUN, "--workspace", WORKSPACE]
    return [*argv, "--home", HOME], binds


def survey(root: Path, *, bwrap: Path, uid: int = SANDBOX_UID) -> Ground:
    """Lay out `root` and find out what this machine has. Safe to repeat."""
    root.mkdir(parents=True, exist_ok=True)
    for name in ("sandboxes", "warm", "snapshots", "locks", "trash", "etc"):
        (root / name).mkdir(exist_ok=True, mode=0o755 if name == "etc" else 0o700)
    (root / "etc").chmod(0o755)
    for name, text in _ETC_OF_OURS.items():
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


def overlay_works(ground: Ground) -> bool:
    """Try it: mount one the way a sandbox does."""
    trial = ground.root / f"trial.{secrets.token_hex(4)}"
    trial.mkdir(mode=0o700)
    try:
        for name in ("lower", "layer", "layer/upper", "layer/work"):
            ground.make_directory(trial / name)
        argv = ["openinspect-trial", *_NAMESPACES, *_ids(0), *system_view(ground.stage)]
        argv += ["--bind", f"{ground.stage}/workspace", WORKSPACE]
        plan = Plan(
            argv=[*argv, "--", "/usr/bin/touch", f"{WORKSPACE}/written"],
            binds=[
                (ground.root / "etc", "etc"),
                (trial / "lower", "lower"),
                (trial / "layer", "layer"),
            ],
            overlay=True,
        )
        command = ground.command(plan, "trial", detach=False)
        subprocess.run(command, env={}, capture_output=True, check=False)
        return (trial / "layer" / "upper" / "written").exists()
    finally:
        shutil.rmtree(trial)


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
