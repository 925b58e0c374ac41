"""Keeps one agent at hand: starts it, opens its session, starts it again after it died."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..commands import AgentProgram
from ..reports import AgentReady, Report, Warned
from ..strict_json import JsonObject
from .agent import AgentFailed, AgentProcess
from .clipping import clipped
from .memory import Memory

START_ATTEMPTS = 3
_PAUSE = 0.5
_QUICK = 30.0
"""A start that fails after so long is not tried again: somebody is waiting."""
_NOISE_LIMIT = 5


class Attendant:
    """`on_update`, where set, gets the updates of the open session."""

    def __init__(
        self, *, workspace: Path, memory: Memory, report: Callable[[Report], None]
    ) -> None:
        self._workspace = workspace
        self._memory = memory
        self._report = report
        self._program: AgentProgram | None = None
        self._env: Mapping[str, str] = {}
        self._servers: Sequence[JsonObject] = ()
        self._agent: AgentProcess | None = None
        self._first: asyncio.Task[AgentProcess] | None = None
        self._order = asyncio.Lock()
        self._noise: dict[str, int] = {}
        self.on_update: Callable[[JsonObject], None] | None = None

    def configure(
        self, program: AgentProgram, env: Mapping[str, str], servers: Sequence[JsonObject]
    ) -> None:
        """`servers` are the MCP servers offered to its sessions, as ACP describes them."""
        self._program = program
        self._env = env
        self._servers = servers

    def begin(self) -> None:
        """Start the process already, while the workspace is being prepared."""
        self._first = asyncio.create_task(self._start(), name="first agent start")
        self._first.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def ready(self) -> AgentProcess:
        """An agent with an open session. Raises `AgentFailed` when it does not start."""
        async with self._order:
            if self._agent is not None and self._agent.alive:
                return self._agent
            if self._agent is not None:
                await self._agent.end(0)
            began = time.monotonic()
            assert self._program is not None
            wanted = self._memory.now.session or self._program.session
            for attempt in range(1, START_ATTEMPTS + 1):
                try:
                    self._agent = await self._open(wanted)
                except AgentFailed:
                    if attempt == START_ATTEMPTS or time.monotonic() - began > _QUICK:
                        raise
                    wanted = None  # loading it may be what ends the agent
                    await asyncio.sleep(_PAUSE * attempt)
                else:
                    return self._agent
            raise AssertionError

    async def end(self, grace: float) -> None:
        """End the agent and all that it started; the next turn starts it again."""
        first, self._first = self._first, None
        if first is not None:
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError, AgentFailed):
                await (await first).end(grace)
        agent, self._agent = self._agent, None
        if agent is not None:
            await agent.end(grace)

    # ----------------------------------------------------------------------------------------

    async def _open(self, wanted: str | None) -> AgentProcess:
        first, self._first = self._first, None
        agent = await first if first is not None else await self._start()
        assert self._program is not None
        try:
            resumed = await agent.open_session(wanted, self._servers)
            for warning in (
                self._program.model and await agent.choose("model", self._program.model),
                self._program.effort and await agent.choose("effort", self._program.effort),
            ):
                if warning:
                    self._warn(warning)
        except BaseException:
            await agent.end(0)
            raise
        assert agent.session is not None
        session = clipped(agent.session, 1000)
        self._memory.learn(session=session)
        self._report(
            AgentReady(
                name=agent.name,
                version=agent.version,
                session=session,
                resumed=resumed,
                seconds=agent.age,
            )
        )
        return agent

    async def _start(self) -> AgentProcess:
        assert self._program is not None
        return await AgentProcess.start(
            self._program,
            workspace=self._workspace,
            env=self._env,
            on_update=self._take_update,
            on_noise=self._take_noise,
        )

    def _take_update(self, update: JsonObject) -> None:
        if self.on_update is not None:
            self.on_update(update)

    def _take_noise(self, what: str) -> None:
        self._noise[what] = self._noise.get(what, 0) + 1
        if self._noise[what] == 1 and len(self._noise) <= _NOISE_LIMIT:
            self._warn(f"the agent {what}; further ones are not told")

    def _warn(self, message: str) -> None:
        self._report(Warned(scope="agent", message=message))
