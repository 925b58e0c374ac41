"""A real supervisor as a plain process in a temporary directory, and a real link to it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox.commands import AgentProgram, Boot, GitIdentity, Prompt, Script
from sandbox.link import WireLink, connect
from sandbox.provider import StreamHandler
from sandbox.reports import Numbered, TurnFinished
from sandbox.zipapp import build_supervisor

AGENTS = Path(__file__).parents[1] / "agents"
PATIENCE = 30.0
SECONDS = 240
ALICE = GitIdentity(name="Alice", email="1+alice@users.noreply.github.com")
SETUP = Script(path=".openinspect/setup.sh", timeout_seconds=20)
START = Script(path=".openinspect/start.sh", timeout_seconds=20)


def run_git(directory: Path, *arguments: str, stdin: bytes = b"") -> str:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_AUTHOR_NAME": "Base",
        "GIT_AUTHOR_EMAIL": "base@example.com",
        "GIT_COMMITTER_NAME": "Base",
        "GIT_COMMITTER_EMAIL": "base@example.com",
    }
    done = subprocess.run(
        ["git", "-C", str(directory), *arguments], env=env, input=stdin, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


class Bench:
    """One supervisor process, its directories, and the links to it."""

    alice = ALICE

    def __init__(self, root: Path, zipapp: Path, stack: AsyncExitStack) -> None:
        self.run_dir = root / "run"
        self.workspace = root / "workspace"
        self.home = root / "home"
        self.log = root / "log"
        self.process: asyncio.subprocess.Process | None = None
        self._zipapp = zipapp
        self._stack = stack
        self.epoch = 0
        self.seen: list[Numbered] = []

    async def start(self, *arguments: str) -> None:
        self.socket.unlink(missing_ok=True)  # of a supervisor that was killed
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(self._zipapp),
                *("--run-dir", str(self.run_dir)),
                *("--workspace", str(self.workspace)),
                *("--home", str(self.home)),
                *("--gateway-port", "0"),
                *arguments,
                env={"PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._stack.push_async_callback(self.kill)
        await until(self.socket.exists)

    @property
    def socket(self) -> Path:
        return self.run_dir / "wire.sock"

    async def attach(
        self,
        *,
        epoch: int | None = None,
        after: int | None = None,
        handlers: Mapping[str, StreamHandler] | None = None,
    ) -> WireLink:
        self.epoch = self.epoch + 1 if epoch is None else epoch
        link = await connect(
            self.socket,
            epoch=self.epoch,
            after=len(self.seen) if after is None else after,
            handlers=handlers or {},
        )
        self._stack.push_async_callback(link.close)
        return link

    def make_repository(self, files: Mapping[str, str] | None = None) -> str:
        """A repository in the workspace; its commit."""
        self.workspace.mkdir(parents=True, exist_ok=True)
        run_git(self.workspace, "init", "-q", "-b", "main")
        for name, text in {"README.md": "hello\n", **(files or {})}.items():
            path = self.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run_git(self.workspace, "add", "-A")
        run_git(self.workspace, "commit", "-qm", "first")
        return run_git(self.workspace, "rev-parse", "HEAD")

    def boot(self, commit: str, *, agent: str = "obliging.py", **more: Any) -> Boot:
        command = (sys.executable, str(AGENTS / agent), *more.pop("arguments", ()))
        program = AgentProgram(**{"command": command, **more.pop("program", {})})
        return Boot(
            mode=more.pop("mode", "fresh"),
            branch=more.pop("branch", "openinspect/1"),
            commit=commit,
            agent=program,
            setup=SETUP,
            start=START,
            **more,
        )

    async def until_report(
        self, link: WireLink, wanted: Callable[[Any], bool], *, patience: float = PATIENCE
    ) -> Any:
        """The first report from now on that is `wanted`; all are kept in `seen`."""
        async with asyncio.timeout(patience):
            async for numbered in link.reports():
                self.seen.append(numbered)
                if wanted(numbered.report):
                    return numbered.report
        raise AssertionError

    async def until_kind(self, link: WireLink, kind: type, **options: Any) -> Any:
        return await self.until_report(link, lambda report: isinstance(report, kind), **options)

    async def turn(
        self,
        link: WireLink,
        number: int,
        text: str,
        *,
        patience: float = PATIENCE,
        author: GitIdentity = ALICE,
        **more: Any,
    ) -> TurnFinished:
        await link.send(Prompt(turn=number, text=text, author=author, **more))
        finished: TurnFinished = await self.until_kind(link, TurnFinished, patience=patience)
        assert finished.turn == number
        return finished

    def reports(self, kind: type) -> list[Any]:
        return [n.report for n in self.seen if isinstance(n.report, kind)]

    async def ended(self) -> int:
        assert self.process is not None
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def kill(self) -> None:
        """End it however it is, with everything below it."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
            try:
                async with asyncio.timeout(15):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                raise AssertionError("the supervisor did not end on SIGTERM") from None
        said = self.log.read_text()
        assert "Traceback" not in said, said


async def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    """A test that waits for ever fails instead."""

    def late(*_: object) -> None:
        raise TimeoutError(f"not done after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def git() -> Callable[..., str]:
    return run_git


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_supervisor(tmp_path_factory.mktemp("zipapp"))


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name (108 bytes, unix(7))."""
    with tempfile.TemporaryDirectory(prefix="oi-", ignore_cleanup_errors=True) as root:
        yield Path(root)


@pytest_asyncio.fixture
async def bench(short_tmp: Path, zipapp: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(short_tmp, zipapp, stack)
