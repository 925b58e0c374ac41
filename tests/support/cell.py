"""A sandbox with a hostile program in it, and bait around it: secrets and listeners of the host.

An attempt is a short Python program that calls `reached(what)` when it has got what it wanted.
The program runs inside as a child of the supervisor, which is where an agent's tools run.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.providers.local_keeper import Keeper
from sandbox.spec import SandboxId

# In two halves, so that a hunter does not find its own pattern in its own memory.
CANARY = "obviously-fake-" + "canary-"

_PRELUDE = r'''
import ctypes, errno, glob, json, os, re, select, signal, socket, stat, struct, subprocess, sys
sys.setrecursionlimit(10000)
FACTS = json.loads(sys.argv[1])
PATTERN = re.compile(b"obviously-fake-" + b"(?:canary-[0-9a-f]{32})")
libc = ctypes.CDLL(None, use_errno=True)
found = []
def reached(what="it"):
    found.append(str(what)[:300])
def hunt(data, where):
    if PATTERN.search(data):
        reached(where)
def read(path, most=1 << 20):
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(descriptor, most)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
def syscall(number, *words):
    """The result, or minus errno."""
    ctypes.set_errno(0)
    words = [ctypes.c_long(w) if isinstance(w, int) else w for w in words]
    result = libc.syscall(ctypes.c_long(number), *words)
    return result if result != -1 else -ctypes.get_errno()
def sh(script, within=10):
    try:
        done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=within,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return 124, b""
    return done.returncode, done.stdout + done.stderr
def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
def supervisor():
    for pid in pids():
        words = read(f"/proc/{pid}/cmdline").split(b"\0")
        if b"/opt/openinspect/supervisor.pyz" in words or FACTS["real"].encode() in words:
            if b"--listen" not in words and b"python" in words[0]:
                return pid
    raise SystemExit("no supervisor to be seen")
def attempt():
'''
_ENDING = r"""
try:
    attempt()
    word = ""
except BaseException as error:
    word = f"{type(error).__name__}: {error}"
print(json.dumps({"reached": found, "refused": word}))
"""
_MISTAKES = {"NameError", "TypeError", "AttributeError", "KeyError", "IndexError", "ImportError"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    reached: list[str]
    refused: str


@dataclass(kw_only=True)
class Sink:
    """Listeners of the host in every family; `heard` is what has come in."""

    port: int
    abstract: str
    path: Path
    heard: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Cell:
    keeper: Keeper
    root: Path
    sandbox: SandboxId
    neighbour: SandboxId
    sink: Sink
    facts: dict[str, object]

    def attempt(self, body: str, *, within: float = 30.0) -> Outcome:
        program = program_of(body)
        said = self._run(["/usr/bin/python3", "-", json.dumps(self.facts)], program, within)
        return outcome_of(said)

    def _run(self, argv: list[str], text: str, within: float) -> tuple[int, str, str]:
        with _connected(self.root / "sandboxes" / self.sandbox / "run") as connection:
            connection.settimeout(within)
            with connection.makefile("rwb") as file:
                file.write(json.dumps({"argv": argv, "input": text}).encode() + b"\n")
                file.flush()
                line = file.readline()
        code, out, err = json.loads(line) if line else (-9, "", "the sandbox is gone")
        return code, out, err


def attempt_outside(body: str, facts: dict[str, object]) -> Outcome:
    """The same program on the host: shows that an attempt would succeed where nothing holds it."""
    done = subprocess.run(
        [sys.executable, "-", json.dumps(facts)],
        input=program_of(body),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return outcome_of((done.returncode, done.stdout, done.stderr))


def program_of(body: str) -> str:
    """A whole program, to be run with the facts as its argument."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    return _PRELUDE + lines + _ENDING


def outcome_of(said: tuple[int, str, str]) -> Outcome:
    code, out, err = said
    last = out.strip().splitlines()[-1] if out.strip() else ""
    if not last.startswith('{"reached"'):
        raise AssertionError(f"the attempt did not run to its end ({code}): {out}{err}")
    words = json.loads(last)
    if words["refused"].split(":")[0] in _MISTAKES:
        raise AssertionError(f"the attempt is wrong itself: {words['refused']}")
    return Outcome(reached=words["reached"], refused=words["refused"])


@contextlib.contextmanager
def _connected(folder: Path) -> Iterator[socket.socket]:
    descriptor = os.open(folder, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            for _ in range(400):
                try:
                    connection.connect(f"/proc/self/fd/{descriptor}/commands.sock")
                    break
                except (FileNotFoundError, ConnectionRefusedError):
                    threading.Event().wait(0.01)
            yield connection
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[Sink]:
    """TCP and UDP over both versions of IP, an abstract and a named unix socket."""
    sink = Sink(
        port=0, abstract=f"openinspect-tests-{secrets.token_hex(4)}", path=folder / "host.sock"
    )
    sockets = []
    tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    sink.port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", sink.port))
    abstract, named = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0{sink.abstract}")
    named.bind(str(sink.path))
    sink.path.chmod(0o777)
    for listener in (abstract, named):
        listener.listen(8)
    sockets = [tcp, udp, abstract, named]
    threads = [
        threading.Thread(target=_listen, args=(each, name, sink), daemon=True)
        for each, name in zip(sockets, ("tcp", "udp", "abstract", "named"), strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield sink
    finally:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _listen(listener: socket.socket, name: str, sink: Sink) -> None:
    while True:
        try:
            if listener.type == socket.SOCK_DGRAM:
                if not (data := listener.recv(4096)):
                    return
                sink.heard.append(f"{name}: {data[:100]!r}")
            else:
                listener.accept()[0].close()
                sink.heard.append(name)
        except OSError:
            return
