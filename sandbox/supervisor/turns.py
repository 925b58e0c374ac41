"""Turns: each prompt is taken once, given to the agent, and ends in one `TurnFinished`."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from ..codec import MAX_TAIL
from ..commands import Prompt, StopTurn
from ..reports import Report, StopReason, TurnFinished, Warned
from ..strict_json import JsonObject
from .acp import AcpError, AgentGone
from .agent import AgentFailed, AgentProcess
from .attendant import Attendant
from .clipping import clipped, last_lines
from .git import Git, GitFailed
from .home import Home
from .memory import Memory
from .recorder import BEAT_SECONDS, Recorder

TICK_SECONDS = 0.05
_QUIET_SECONDS = 0.1
_SETTLE_SECONDS = 1.0
_REASONS: dict[str, StopReason] = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "max_turn_requests": "max_turn_requests",
    "refusal": "refusal",
    "cancelled": "cancelled",
}


class BootNotReady(Exception):
    """The sandbox did not boot; the message says why."""


class Turns:
    """Runs one turn at a time, in the order of the prompts."""

    def __init__(
        self,
        *,
        attendant: Attendant,
        memory: Memory,
        home: Home,
        git: Git,
        workspace: Path,
        report: Callable[[Report], None],
        booted: Callable[[], Awaitable[None]],
        beat: float = BEAT_SECONDS,
    ) -> None:
        self._attendant = attendant
        self._memory = memory
        self._home = home
        self._git = git
        self._workspace = workspace
        self._report = report
        self._booted = booted
        self._beat = beat
        self._queue: deque[Prompt] = deque()
        self._came = asyncio.Event()
        self._stopping: dict[int, StopTurn] = {}
        self._stop_came = asyncio.Event()
        self._prompting: AgentProcess | None = None
        self._recorder: Recorder | None = None
        self._last_update = 0.0
        self.running: int | None = None

    def recover(self) -> None:
        """End turns that an earlier supervisor had taken and did not finish."""
        taken, finished = self._memory.now.taken_turn, self._memory.now.finished_turn
        if taken > finished:
            self._finish(taken, "error", "the supervisor was started again", produced=False)

    def take(self, prompt: Prompt) -> None:
        if prompt.turn <= self._memory.now.taken_turn:
            return
        self._memory.take_author(prompt.turn, prompt.author)
        self._memory.learn(taken_turn=prompt.turn)
        self._queue.append(prompt)
        self._came.set()

    def stop(self, command: StopTurn) -> None:
        if command.turn == self.running or any(p.turn == command.turn for p in self._queue):
            self._stopping.setdefault(command.turn, command)
            self._stop_came.set()

    def streaming(self) -> None:
        """Bytes of a model answer have just passed."""
        if self._recorder is not None:
            self._recorder.streaming()

    async def run(self) -> None:
        """Work off prompts for ever."""
        self._attendant.on_update = self._take_update
        while True:
            while not self._queue:
                self._came.clear()
                await self._came.wait()
            prompt = self._queue.popleft()
            self.running = prompt.turn
            try:
                await self._run(prompt)
            finally:
                self.running = None
                self._stopping.pop(prompt.turn, None)

    # ----------------------------------------------------------------------------------------

    async def _run(self, prompt: Prompt) -> None:
        recorder = self._recorder = Recorder(
            prompt.turn,
            self._report,
            workspace=str(self._workspace),
            now=time.monotonic(),
            beat=self._beat,
        )
        ticking = asyncio.create_task(self._tick(recorder))
        work = asyncio.create_task(self._work(prompt), name=f"turn {prompt.turn}")
        try:
            reason, error = await self._until_stopped(prompt.turn, work)
            await self._settle()
        finally:
            work.cancel()
            ticking.cancel()
            self._recorder = None
            self._prompting = None
        recorder.finish(time.monotonic())
        self._finish(prompt.turn, reason, error, produced=recorder.produced)

    async def _until_stopped(
        self, turn: int, work: asyncio.Task[tuple[StopReason, str]]
    ) -> tuple[StopReason, str]:
        while turn not in self._stopping and not work.done():
            self._stop_came.clear()
            stop = asyncio.create_task(self._stop_came.wait())
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
        if turn not in self._stopping:
            return await work
        agent = self._prompting
        if agent is not None and not work.done():
            await agent.cancel()
            await asyncio.wait({work}, timeout=self._stopping[turn].grace_seconds)
            if not work.done():
                await self._attendant.end(0)
                return "cancelled", ""
        if not work.done():
            return "cancelled", ""
        reason, error = await work
        return ("cancelled", "") if reason == "error" else (reason, error)

    async def _work(self, prompt: Prompt) -> tuple[StopReason, str]:
        try:
            await self._booted()
            await self._identify(prompt)
            agent = await self._attendant.ready()
            if prompt.model:
                self._warn(await agent.choose("model", prompt.model))
            if prompt.effort:
                self._warn(await agent.choose("effort", prompt.effort))
        except (AgentFailed, BootNotReady) as error:
            return "error", str(error)
        self._prompting = agent
        try:
            said = await agent.prompt(prompt.text)
        except AcpError as error:
            return "error", error.message
        except AgentGone:
            words = await agent.last_words()
            await self._attendant.end(0)
            return "error", words
        if said not in _REASONS:
            return "error", f"the agent stopped for a reason that ACP does not know: {said[:100]}"
        return _REASONS[said], ""

    async def _identify(self, prompt: Prompt) -> None:
        try:
            await self._home.identify(prompt.author, self._git)
        except GitFailed as error:
            self._report(Warned(scope="git", message=clipped(str(error), MAX_TAIL)))

    async def _tick(self, recorder: Recorder) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            recorder.tick(time.monotonic())

    async def _settle(self) -> None:
        """Agents may send the last updates just after their answer."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            now = time.monotonic()
            rest = min(self._last_update + _QUIET_SECONDS, deadline) - now
            if rest <= 0:
                return
            await asyncio.sleep(rest)

    def _take_update(self, update: JsonObject) -> None:
        self._last_update = time.monotonic()
        if self._recorder is not None and self._prompting is not None:
            self._recorder.take(update, self._last_update)

    def _finish(self, turn: int, reason: StopReason, error: str, *, produced: bool) -> None:
        self._report(
            TurnFinished(
                turn=turn, reason=reason, error=last_lines(error, limit=MAX_TAIL), produced=produced
            )
        )
        self._memory.learn(finished_turn=turn)

    def _warn(self, message: str | None) -> None:
        if message:
            self._report(Warned(scope="agent", message=message))
