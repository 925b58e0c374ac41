"""From our process into a sandbox: a program of its own, because namespaces are joined for good.

Run as `python -I -S local_launcher.py PLAN MARKER`. It joins the control groups, shows the
sources it was given under one staging directory in a private mount namespace, gives up root for
good, makes the user namespace that owns the overlay, mounts that, and becomes bubblewrap. Only
after root is gone does anything from a sandbox get touched.

PLAN is `marshal` in hexadecimal: `json` would cost more time than all the rest. Its keys are
those of `local_ground.Plan`. MARKER is the sandbox's id, so that a launcher whose sandbox was
never registered is found in the process list. Standard library only, everything imported before
root is given up: afterwards the interpreter's own files may be out of reach.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import sys
from typing import Any

# linux/sched.h, linux/mount.h, linux/prctl.h
_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_NOSUID, _NODEV, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    plan: dict[str, Any] = marshal.loads(bytes.fromhex(sys.argv[1]))  # noqa: S302 - from our own process
    for group in plan["join"]:
        _write(group, str(os.getpid()))
    bwrap = os.open(plan["bwrap"], os.O_RDONLY)  # it may lie where the sandbox's uid cannot go
    seccomp = os.open(plan["seccomp"], os.O_RDONLY) if plan["seccomp"] else None
    log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if plan["log"] else 2
    nothing = os.open(os.devnull, os.O_RDONLY)
    if plan["identity"]:
        _unshare(_NEWNS)
        _stage(plan)
        _become(*plan["identity"])
        _unshare(_NEWUSER | _NEWNS)
        _map_ids(*plan["identity"])
    else:
        uid, gid = os.getuid(), os.getgid()
        _unshare(_NEWUSER | _NEWNS)
        _map_ids(uid, gid)
        _stage(plan)
    if plan["overlay"]:
        _mount(
            "overlay", f"{plan['stage']}/workspace", "overlay", _NOSUID | _NODEV, plan["overlay"]
        )
    # Now, because RLIMIT_NPROC counts per user namespace (since Linux 5.14): before, all of the
    # user's processes would count, and those of other sandboxes.
    _limit(plan)
    argv = list(plan["argv"])
    if seccomp is not None:
        os.set_inheritable(seccomp, True)
        argv[1:1] = ["--seccomp", str(seccomp)]
    if not plan["detach"]:
        os.execve(bwrap, argv, {})  # noqa: S606
    _detach(bwrap, argv, nothing, log)


def _detach(bwrap: int, argv: list[str], nothing: int, log: int) -> None:
    """Start it in a session of its own and tell its two process ids."""
    told, tell = os.pipe()
    os.set_inheritable(tell, True)
    argv[1:1] = ["--info-fd", str(tell)]
    monitor = os.fork()
    if monitor == 0:
        os.setsid()
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        os.execve(bwrap, argv, {})  # noqa: S606
    os.close(tell)
    answer = b""
    while piece := os.read(told, 4096):
        answer += piece
    os.write(1, b"%d\n%s" % (monitor, answer))


def _limit(plan: dict[str, Any]) -> None:
    for name, value in plan["rlimits"].items():
        kind = getattr(resource, f"RLIMIT_{name}")
        most = resource.getrlimit(kind)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))
    if plan["cpus"]:
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, mine[: plan["cpus"]])


def _stage(plan: dict[str, Any]) -> None:
    stage = plan["stage"]
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", stage, "tmpfs", _NOSUID | _NODEV, "mode=755,size=1m")
    os.mkdir(f"{stage}/workspace")  # noqa: PTH102 - where an overlay is mounted later
    for source, name in plan["binds"]:
        target = f"{stage}/{name}"
        if os.path.isdir(source):  # noqa: PTH112
            os.mkdir(target)  # noqa: PTH102
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        _mount(source, target, None, _BIND | _RECURSIVE)


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # Having been root made /proc/self root's own, and the id maps could not be written.
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")


def _map_ids(uid: int, gid: int) -> None:
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {uid} 1")
    _write("/proc/self/gid_map", f"0 {gid} 1")
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY)
    os.write(file, text.encode())
    os.close(file)


def _unshare(flags: int) -> None:
    _checked(_libc.unshare(flags), f"unshare({flags:#x})")


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, options: str | None = None
) -> None:
    encoded = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    data = None if options is None else os.fsencode(options)
    result = _libc.mount(*encoded, ctypes.c_ulong(flags), data)
    _checked(result, f"mount {source} on {target}")


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


if __name__ == "__main__":
    main()
