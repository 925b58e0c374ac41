"""From an empty sandbox to one that works: HOME, workspace, scripts, agent.

The modes are Open-Inspect's: `build` runs `setup.sh` (its failure is fatal) and nothing else,
`fresh` runs it (failure is a warning) and then `start.sh`, `repo_image` and `snapshot_restore`
run `start.sh` only, whose failure is always fatal. The agent's process starts at once beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from ..checks import CodecError
from ..codec import MAX_TAIL
from ..commands import Boot, Script
from ..reports import Booted, BootFailed, Report, ScriptFinished, Warned
from .agent import AgentFailed
from .attendant import Attendant
from .clipping import clipped, last_lines
from .git import GitFailed
from .home import Home
from .mcp import ToolDoor
from .scripts import ScriptRunner
from .workspace import Workspace

_LOCKS = ("index.lock", "HEAD.lock", "config.lock", "shallow.lock", "packed-refs.lock")


class _Failed(Exception):
    def __init__(self, step: str, message: str) -> None:
        super().__init__(message)
        self.step = step


class Booter:
    """Runs one `Boot`; says how it went in reports and as `boot`'s result."""

    def __init__(
        self,
        *,
        directory: Path,
        home: Home,
        workspace: Workspace,
        attendant: Attendant,
        tools: ToolDoor,
        report: Callable[[Report], None],
    ) -> None:
        self._directory = directory
        self._home = home
        self._workspace = workspace
        self._attendant = attendant
        self._tools = tools
        self._report = report
        self._scripts = ScriptRunner(directory)

    def configure(self, boot: Boot, gateway: str) -> dict[str, str]:
        """Tell the attendant how to start the agent; the environment of scripts."""
        extra = {"OPENINSPECT_BOOT_MODE": boot.mode, "OPENINSPECT_GATEWAY": gateway}
        self._attendant.configure(
            boot.agent,
            self._home.env({**boot.env, **boot.agent.env, **extra}),
            self._tools.offer(boot.tools),
        )
        return self._home.env({**boot.env, **extra})

    async def boot(self, boot: Boot, gateway: str, ready: Callable[[], None]) -> str | None:
        """None, or why the sandbox cannot work. `ready` is called once scripts have run."""
        began = time.monotonic()
        self._directory.mkdir(parents=True, exist_ok=True)
        env = self.configure(boot, gateway)
        if boot.mode != "build":
            self._attendant.begin()
        try:
            booted = await self._prepare(boot, env, began)
            ready()
            self._report(booted)
            if boot.mode != "build":
                await self._attendant.ready()
        except (_Failed, AgentFailed) as error:
            await self._attendant.end(0)
            step = error.step if isinstance(error, _Failed) else "agent"
            message = last_lines(str(error), limit=MAX_TAIL)
            self._report(BootFailed(step=step, message=message))
            return f"{step}: {message}"
        return None

    async def _prepare(self, boot: Boot, env: dict[str, str], began: float) -> Booted:
        home = asyncio.create_task(self._prepare_home())
        try:
            head = await self._prepare_workspace(boot)
            seconds = {"workspace": time.monotonic() - began}
        finally:
            await home
        if boot.mode in ("build", "fresh"):
            failure = await self._run("setup", boot.setup, env, seconds)
            if failure and boot.mode == "build":
                raise _Failed("setup", failure)
            if failure:
                self._report(Warned(scope="setup", message=failure))
        if boot.mode != "build" and (failure := await self._run("start", boot.start, env, seconds)):
            raise _Failed("start", failure)
        seconds["total"] = time.monotonic() - began
        return Booted(mode=boot.mode, head=head, seconds=seconds)

    async def _prepare_home(self) -> None:
        try:
            await self._home.prepare()
        except (OSError, GitFailed) as error:
            self._report(Warned(scope="home", message=clipped(str(error), MAX_TAIL)))

    async def _prepare_workspace(self, boot: Boot) -> str:
        for lock in _LOCKS:  # of processes that a snapshot has caught at work
            with contextlib.suppress(OSError):
                (self._directory / ".git" / lock).unlink()
        try:
            return await self._workspace.prepare(boot)
        except CodecError as error:
            raise _Failed("workspace", str(error)) from error
        except GitFailed as error:
            if boot.mode != "repo_image":
                raise _Failed("workspace", str(error)) from error
            self._report(Warned(scope="git", message=clipped(str(error), MAX_TAIL)))
        try:
            return await self._workspace.head()
        except GitFailed as error:
            raise _Failed("workspace", str(error)) from error

    async def _run(
        self, name: str, script: Script | None, env: dict[str, str], seconds: dict[str, float]
    ) -> str | None:
        """What went wrong, or None. `seconds` learns how long it took."""
        finished = None if script is None else await self._scripts.run(name, script, env)
        if script is None or finished is None:
            return None
        seconds[name] = finished.seconds
        self._report(finished)
        return _failure(script, finished)


def _failure(script: Script, finished: ScriptFinished) -> str | None:
    if finished.exit_code == 0:
        return None
    if finished.exit_code is None:
        what = f"{script.path} was stopped after {script.timeout_seconds:.0f} s"
    else:
        what = f"{script.path} ended with exit code {finished.exit_code}"
    return last_lines(f"{what}\n{finished.tail}".strip(), lines=51, limit=MAX_TAIL)
