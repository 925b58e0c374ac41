"""The system call filter of a sandbox, as a classic BPF program that bubblewrap loads.

A second wall: without capabilities and without new user namespaces most of this is refused by
the kernel anyway. Two things the namespaces do not stop are stopped here: sockets of families
that network namespaces do not hold back (AF_VSOCK reaches the hypervisor), and typing into
another process's terminal (TIOCSTI). The list follows what container runtimes refuse by default
(https://docs.docker.com/engine/security/seccomp/); `ptrace` stays allowed, because debuggers and
LeakSanitizer need it and it reaches nothing outside the sandbox's own processes.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass

# linux/bpf_common.h, linux/seccomp.h, linux/audit.h
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCH, _ARGUMENT = 0, 4, 16
_X32_BIT = 0x40000000
_NEW_NAMESPACES = 0x7E020000 | 0x00000080  # every CLONE_NEW* flag, CLONE_NEWTIME included
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
_AF_NETLINK = 16
_NETLINK_ROUTE = 0

# name: (x86_64, aarch64); from asm/unistd_64.h and asm-generic/unistd.h, None: not there.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "create_module": (174, None),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
# "Not there" makes programs fall back: C libraries from clone3, whose flags a filter cannot read,
# to clone; event loops from io_uring to epoll.
_ABSENT: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    audit_arch: int
    column: int
    clone: int
    unshare: int
    socket: int
    socketpair: int
    ioctl: int


_MACHINES = {
    "x86_64": _Machine(
        audit_arch=0xC000003E, column=0, clone=56, unshare=272, socket=41, socketpair=53, ioctl=16
    ),
    "aarch64": _Machine(
        audit_arch=0xC00000B7, column=1, clone=220, unshare=97, socket=198, socketpair=199, ioctl=29
    ),
}


def filter_for(machine: str) -> bytes | None:
    """The program for `os.uname().machine`, or None where we have no numbers for it."""
    found = _MACHINES.get(machine)
    return None if found is None else b"".join(_program(found))


def _program(machine: _Machine) -> list[bytes]:
    refuse = _answer(_ERRNO | errno.EPERM)
    absent = _answer(_ERRNO | errno.ENOSYS)
    lines = [
        _load(_ARCH),
        # Another architecture's calls (32-bit on a 64-bit kernel) have other numbers.
        *_unless_equal(machine.audit_arch, [_answer(_KILL_PROCESS)]),
        _load(_NUMBER),
    ]
    if machine.column == 0:
        lines += [_jump(_JUMP_AT_LEAST, _X32_BIT, 0, 1), absent]
    for names, verdict in ((_REFUSED, refuse), (_ABSENT, absent)):
        for numbers in names.values():
            number = numbers[machine.column]
            if number is not None:
                lines += [_jump(_JUMP_EQUAL, number, 0, 1), verdict]
    for number in (machine.clone, machine.unshare):
        lines += _when(number, [_argument(0), _jump(_JUMP_ANY_BIT, _NEW_NAMESPACES, 0, 1), refuse])
    lines += _when(
        machine.ioctl,
        [
            _argument(1),
            _jump(_JUMP_EQUAL, _TIOCSTI, 1, 0),
            _jump(_JUMP_EQUAL, _TIOCLINUX, 0, 1),
            refuse,
        ],
    )
    for number in (machine.socket, machine.socketpair):
        lines += _when(number, _socket_rules())
    return [*lines, _answer(_ALLOW)]


def _socket_rules() -> list[bytes]:
    unknown = _answer(_ERRNO | errno.EAFNOSUPPORT)
    netlink = [_argument(2), *_unless_equal(_NETLINK_ROUTE, [unknown]), _answer(_ALLOW)]
    rules = [_argument(0)]
    for family in _FAMILIES:
        allowed = netlink if family == _AF_NETLINK else [_answer(_ALLOW)]
        rules += [_jump(_JUMP_EQUAL, family, 0, len(allowed)), *allowed]
    return [*rules, unknown]


def _when(number: int, body: Sequence[bytes]) -> list[bytes]:
    """`body` runs for this call only; a body that decides nothing ends in `allow`."""
    ending = [*body, _answer(_ALLOW)]
    return [_jump(_JUMP_EQUAL, number, 0, len(ending)), *ending]


def _unless_equal(value: int, body: Sequence[bytes]) -> list[bytes]:
    return [_jump(_JUMP_EQUAL, value, len(body), 0), *body]


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", _LOAD, 0, 0, offset)


def _argument(index: int) -> bytes:
    """The low 32 bits: both machines are little-endian, and the flags in question are there."""
    return _load(_ARGUMENT + 8 * index)


def _jump(code: int, value: int, yes: int, no: int) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _answer(verdict: int) -> bytes:
    return struct.pack("=HBBI", _RETURN, 0, 0, verdict)
