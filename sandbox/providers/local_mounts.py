"""What a sandbox sees, as bubblewrap's arguments.

Nothing of the host is shown by default. The system is `/usr` and a short list of files in `/etc`
that contain no identity and no secret; the rest of `/etc` we write ourselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
ETC_OF_OURS = {
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


NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup-try", "--new-session", "--cap-drop", "ALL"),
)


def ids(inside: int) -> list[str]:
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
    for name in ETC_OF_OURS:
        argv += ["--ro-bind", f"{stage}/etc/{name}", f"/etc/{name}"]
    argv += ["--symlink", "/proc/self/mounts", "/etc/mtab"]
    return argv


def sandbox_plan(
    *,
    sandbox: str,
    stage: str,
    etc: Path,
    python: str,
    python_tree: Path | None,
    layer: Path,
    run: Path,
    supervisor: Path,
    lower: Path | None,
    objects: Path | None,
    programs: Sequence[tuple[Path, str]],
    shared_memory: int,
) -> tuple[list[str], list[tuple[Path, str]]]:
    """Arguments and staged sources of one sandbox; `lower` is given where an overlay is mounted."""
    binds = [(etc, "etc"), (layer, "layer"), (run, "run"), (supervisor, "pyz")]
    argv = [
        f"openinspect-sandbox-{sandbox}",
        *NAMESPACES,
        "--disable-userns",
        "--as-pid-1",
        *ids(_INSIDE_ID),
    ]
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
    if python_tree is not None:
        binds.append((python_tree, "python"))
        argv += ["--ro-bind", f"{stage}/python", str(python_tree)]
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
    argv += ["--", python, "-I", "-S", SUPERVISOR, "--run-dir", RUN, "--workspace", WORKSPACE]
    return [*argv, "--home", HOME], binds
