"""The supervisor put together: who reports what, what the host may ask, and how it all ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from ..commands import Boot, Command, Prompt, Shutdown, StopTurn
from ..reports import BootFailed, Report
from ..streams import Stream
from ..strict_json import JsonObject
from .attendant import Attendant
from .boot import Booter
from .door import Door
from .gateway import Gateway
from .git import Git
from .home import Home
from .journal import Journal
from .mcp import ToolDoor
from .memory import Memory
from .processes import Adopted, become_subreaper, close_memory, kill_everything
from .toolcalls import ToolCalls
from .turns import BootNotReady, Turns
from .workspace import Workspace

_LAST_REPORTS_SECONDS = 2.0
_AGENT_GRACE_SECONDS = 2.0
_KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    run_dir: Path
    workspace: Path
    home: Path
    gateway_port: int
    orphan_seconds: float
    beat_seconds: float
    patience_seconds: float
    program: tuple[str, ...]
    """How this very program is started, to which the agent adds what `bridge` needs."""


class Supervisor:
    """Lives until it is told to end, or until nobody has been attached for `orphan_seconds`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.home.mkdir(parents=True, exist_ok=True)
        settings.workspace.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(settings.run_dir / "reports", clock=time.time)
        self._memory = Memory(settings.run_dir / "state.json")
        self._phase = "waiting"
        self._port = 0
        self._end = asyncio.Event()
        self._usable = asyncio.Event()
        self._failure: str | None = None
        self._booting: asyncio.Task[None] | None = None
        home = Home(settings.home, os.environ.get("PATH"))
        git = Git(settings.workspace, home.env({}))
        workspace = Workspace(git, self._memory.author)
        self._attendant = Attendant(
            workspace=settings.workspace, memory=self._memory, report=self._report
        )
        self._tools = ToolDoor(
            settings.run_dir / "tools.sock",
            program=settings.program,
            calls=ToolCalls(self._open, patience=settings.patience_seconds),
        )
        self._booter = Booter(
            directory=settings.workspace,
            home=home,
            workspace=workspace,
            attendant=self._attendant,
            tools=self._tools,
            report=self._report,
        )
        self._turns = Turns(
            attendant=self._attendant,
            memory=self._memory,
            home=home,
            git=git,
            workspace=settings.workspace,
            report=self._report,
            booted=self._booted,
            beat=settings.beat_seconds,
        )
        self._door = Door(
            journal=self._journal,
            memory=self._memory,
            hello=self._hello,
            command=self.take,
            handlers={
                "repository": workspace.repository,
                "receive": workspace.receive,
                "collect": workspace.collect,
            },
        )
        self._gateway = Gateway(
            self._door.open, self._turns.streaming, patience=settings.patience_seconds
        )

    async def run(self) -> None:
        """Serve until the end; leaves no process behind."""
        become_subreaper()
        close_memory()
        self._port = await self._gateway.listen(self._settings.gateway_port)
        await self._tools.listen()
        self._recover()
        turns = asyncio.create_task(self._turns.run(), name="turns")
        house = asyncio.create_task(self._keep_house(), name="housekeeping")
        end = asyncio.create_task(self._end.wait(), name="end")
        try:
            await self._door.listen(self._settings.run_dir / "wire.sock")
            await asyncio.wait({turns, house, end}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._finish([turns, house, end])
        for task in (turns, house):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def take(self, command: Command) -> None:
        """Do what the host asks; each command once, however often it comes."""
        match command:
            case Boot():
                if self._memory.now.boot is None:
                    self._memory.take_boot(command)
                    self._phase = "booting"
                    self._booting = asyncio.create_task(self._boot(command), name="boot")
            case Prompt():
                self._turns.take(command)
            case StopTurn():
                self._turns.stop(command)
            case Shutdown():
                self.shut_down()
            case _:
                assert_never(command)

    def shut_down(self) -> None:
        self._phase = "ending"
        self._end.set()

    # ----------------------------------------------------------------------------------------

    def _report(self, report: Report) -> None:
        self._journal.append(report)

    async def _open(self, kind: str, meta: Mapping[str, object], *, patience: float) -> Stream:
        return await self._door.open(kind, meta, patience=patience)

    def _hello(self) -> JsonObject:
        finished = self._memory.now.finished_turn
        return {
            "v": 1,
            "phase": self._phase,
            "first_seq": self._journal.first_seq,
            "last_seq": self._journal.last_seq,
            "running_turn": self._turns.running,
            "finished_turn": finished or None,
            "gateway_port": self._port,
        }

    @property
    def _gateway_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _recover(self) -> None:
        """Go on after an earlier supervisor of this run directory, which is gone."""
        boot, now = self._memory.boot, self._memory.now
        if boot is not None and now.booted:
            self._booter.configure(boot, self._gateway_url)
            self._phase = "ready"
            self._usable.set()
        elif boot is not None:
            self._failure = "the supervisor was started again while it booted"
            if not now.failed:
                self._report(BootFailed(step="supervisor", message=self._failure))
                self._memory.learn(failed=True)
            self._phase = "failed"
            self._usable.set()
        self._turns.recover()

    async def _boot(self, boot: Boot) -> None:
        self._failure = await self._booter.boot(
            boot, self._gateway_url, lambda: self._memory.learn(booted=True)
        )
        if self._failure is not None:
            self._memory.learn(failed=True, booted=False)
        if self._phase == "booting":
            self._phase = "ready" if self._failure is None else "failed"
        self._usable.set()

    async def _booted(self) -> None:
        await self._usable.wait()
        if self._failure is not None:
            raise BootNotReady(f"the sandbox did not boot: {self._failure}")

    async def _keep_house(self) -> None:
        """Reap orphans; end when nobody has come for too long."""
        adopted = Adopted()
        pause = min(5.0, self._settings.orphan_seconds / 4)
        while self._door.alone_seconds < self._settings.orphan_seconds:
            await asyncio.sleep(pause)
            adopted.reap()

    async def _finish(self, tasks: list[asyncio.Task[None] | asyncio.Task[bool]]) -> None:
        self._phase = "ending"
        for task in [*tasks, *([self._booting] if self._booting else [])]:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGENT_GRACE_SECONDS + 2):
                await self._attendant.end(_AGENT_GRACE_SECONDS)
        await self._gateway.close()
        await self._tools.close()
        await kill_everything(_KILL_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_REPORTS_SECONDS):
                await self._door.flush()
        await self._door.close("the supervisor ends")
        self._journal.close()
        (self._settings.run_dir / "wire.sock").unlink(missing_ok=True)
        await asyncio.gather(*tasks, return_exceptions=True)
