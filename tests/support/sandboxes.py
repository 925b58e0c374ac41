"""Real local sandboxes for tests, with a way to run commands inside as the agent could.

What runs as supervisor is a small program of ours that listens on a socket in the run directory
and runs what it is told; where the real supervisor is wanted too, it becomes that and leaves the
listener as a child, which is the place an agent has.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import zipapp
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox.providers.local import LocalProvider
from sandbox.providers.local_keeper import Options
from sandbox.providers.local_processes import process_state
from sandbox.spec import Checkout, Program, Resources, SandboxId, SandboxSpec

REAL_SUPERVISOR = "/opt/supervisor-under-test.pyz"

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is missing")

_PROGRAM = """
import json, os, socket, subprocess, sys, threading
run = sys.argv[sys.argv.index("--run-dir") + 1]
REAL = "/opt/supervisor-under-test.pyz"
if "--listen" not in sys.argv and os.path.exists(REAL):
    subprocess.Popen([sys.executable, *sys.argv, "--listen"])
    os.execv(sys.executable, [sys.executable, "-I", REAL, *sys.argv[1:]])
listener = socket.socket(socket.AF_UNIX)
listener.bind(run + "/commands.sock")
listener.listen(64)
def answer(connection):
    with connection, connection.makefile("rwb") as file:
        words = json.loads(file.readline())
        done = subprocess.run(words["argv"], input=words["input"].encode(), capture_output=True)
        said = [done.returncode, done.stdout.decode("utf-8", "replace"),
                done.stderr.decode("utf-8", "replace")]
        file.write(json.dumps(said).encode() + b"\\n")
while True:
    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0


class Silence:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **words: object) -> None:
        self.lines.append((event, words))

    def warning(self, event: str, **words: object) -> None:
        self.lines.append((event, words))


def build_listener(target: Path) -> Path:
    source = target.with_suffix(".d")
    source.mkdir()
    (source / "__main__.py").write_text(_PROGRAM)
    zipapp.create_archive(source, target)
    return target


@dataclass(kw_only=True)
class Boxes:
    """One provider on a directory of its own, and the sandboxes a test starts with it."""

    root: Path
    options: Options
    programs: tuple[Program, ...] = ()
    log: Silence = field(default_factory=Silence)
    provider: LocalProvider = field(init=False)
    _others: list[LocalProvider] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.provider = self.another()

    def another(self, *, options: Options | None = None) -> LocalProvider:
        """A second provider on the same directory: we, after a crash."""
        made = LocalProvider(self.root, tools=None, log=self.log, options=options or self.options)
        self._others.append(made)
        return made

    def spec(
        self,
        name: str = "session-1",
        *,
        checkout: Checkout | None = None,
        resources: Resources | None = None,
        **more: object,
    ) -> SandboxSpec:
        return SandboxSpec(
            name=name,
            tags={"made-by": "tests"},
            checkout=checkout,
            resources=resources or Resources(memory_mib=512, disk_mib=256, processes=128),
            programs=self.programs,
            **more,  # type: ignore[arg-type]
        )

    async def start(self, name: str = "session-1", **words: object) -> SandboxId:
        launched = await self.provider.launch(self.spec(name, **words))  # type: ignore[arg-type]
        return launched.id

    def home(self, sandbox: SandboxId) -> Path:
        return self.root / "sandboxes" / sandbox

    async def sh(self, sandbox: SandboxId, script: str, *, within: float = 20.0) -> Ran:
        return await self.run(sandbox, ["bash", "-c", script], within=within)

    async def python(self, sandbox: SandboxId, program: str, *, within: float = 20.0) -> Ran:
        return await self.run(sandbox, ["/usr/bin/python3", "-"], text=program, within=within)

    async def run(
        self, sandbox: SandboxId, argv: list[str], *, text: str = "", within: float = 20.0
    ) -> Ran:
        """Run a command inside, as a child of the supervisor."""
        async with asyncio.timeout(within):
            reader, writer = await self._connect(sandbox)
            try:
                writer.write(json.dumps({"argv": argv, "input": text}).encode() + b"\n")
                line = await reader.readline()
            finally:
                writer.close()
        if not line:
            return Ran(code=-9, out="", err="the sandbox is gone")
        code, out, err = json.loads(line)
        return Ran(code=code, out=out, err=err)

    async def _connect(
        self, sandbox: SandboxId
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        with _short(self.home(sandbox) / "run") as folder:
            while True:
                try:
                    return await asyncio.open_unix_connection(
                        f"{folder}/commands.sock", limit=1 << 26
                    )
                except (FileNotFoundError, ConnectionRefusedError):
                    await asyncio.sleep(0.005)

    async def close(self) -> None:
        last = self.another()
        for info in await last.list({}):
            await last.terminate(info.id)
        await last.sweep()
        for provider in self._others:
            await provider.close()


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A name short enough for a socket's address."""
    descriptor = os.open(folder, os.O_PATH)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


async def until(done: object, *, within: float = 15.0, every: float = 0.02) -> None:
    """Wait for a condition about real processes; fails when it does not come true."""
    assert callable(done)
    async with asyncio.timeout(within):
        while True:
            answer = done()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(every)


def make_mirror(folder: Path, files: dict[str, str]) -> Checkout:
    """A bare repository with one commit of these files."""
    work = folder / "work"
    work.mkdir(parents=True)
    _git(work, "init", "-q", "-b", "main")
    for name, text in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    _git(work, "add", "-A")
    _git(work, "commit", "-q", "-m", "The first of all")
    commit = _git(work, "rev-parse", "HEAD")
    _git(folder, "clone", "-q", "--bare", "work", "mirror.git")
    return Checkout(mirror=folder / "mirror.git", commit=commit)


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mounts() -> set[str]:
    """What is mounted, as everybody on this machine sees it."""
    return set(Path("/proc/1/mounts").read_text().splitlines()) | set(
        Path("/proc/self/mounts").read_text().splitlines()
    )


def processes_of(sandbox: str) -> list[str]:
    """Command lines of this machine in which the sandbox's name occurs."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if sandbox.encode() in line:
                found.append(line.decode(errors="replace"))
    return found


def in_pid_namespace(name: str) -> list[int]:
    """Living processes of the pid namespace `name`, as `pid:[...]` tells it."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                inside = str((folder / "ns" / "pid").readlink()) == name
            except OSError:
                continue
            if inside and process_state(int(folder.name)) not in "ZX":
                found.append(int(folder.name))
    return found
