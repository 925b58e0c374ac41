"""The agent as a process that speaks ACP: one incarnation, from spawn to its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..commands import AgentProgram
from ..strict_json import JsonObject
from .acp import PROTOCOL_VERSION, AcpClient, AcpError, AgentGone
from .clipping import clipped
from .options import Choice, Options
from .processes import Child, kill_group, kill_marked, kill_tree, spawn
from .scripts import Tail

HANDSHAKE_SECONDS = 90.0
"""OpenCode was seen to need 62 s to answer first on a machine that was busy installing."""
OPTION_SECONDS = 20.0
_MARK = "OPENINSPECT_AGENT"


class AgentFailed(Exception):
    """The agent cannot be used; the message says why and holds its last words."""


class AgentProcess:
    """Made by `start`. `on_update` gets the `update` objects of the open session."""

    def __init__(
        self,
        process: Child,
        workspace: Path,
        mark: str,
        on_update: Callable[[JsonObject], None],
        on_noise: Callable[[str], None],
    ) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.name = ""
        self.version = ""
        self.session: str | None = None
        self.options = Options()
        self._began = time.monotonic()
        self._process = process
        self._workspace = workspace
        self._mark = mark
        self._on_update = on_update
        self._can_load = False
        self._chosen: dict[str, str] = {}
        self._stderr = Tail()
        self._client = AcpClient(
            process.stdout, process.stdin, on_update=self._take_update, on_noise=on_noise
        )
        self._reading = asyncio.create_task(self._client.run(), name="agent output")
        self._errors = asyncio.create_task(self._read_stderr(), name="agent errors")
        self._watch = asyncio.create_task(self._watch_process(), name="agent watch")

    @classmethod
    async def start(
        cls,
        program: AgentProgram,
        *,
        workspace: Path,
        env: Mapping[str, str],
        on_update: Callable[[JsonObject], None],
        on_noise: Callable[[str], None],
    ) -> AgentProcess:
        """Spawn and shake hands. Raises `AgentFailed`, and leaves no process then."""
        mark = f"{time.monotonic_ns()}"
        try:
            process = await spawn(
                program.command,
                cwd=workspace,
                env={**env, _MARK: mark},
                stdin=asyncio.subprocess.PIPE,
            )
        except (OSError, ValueError) as error:
            raise AgentFailed(f"the agent does not start: {clipped(str(error), 500)}") from error
        agent = cls(process, workspace, f"{_MARK}={mark}", on_update, on_noise)
        try:
            await agent._initialize()
        except BaseException:
            await agent.end(0)
            raise
        return agent

    @property
    def alive(self) -> bool:
        return not self._watch.done()

    @property
    def age(self) -> float:
        return time.monotonic() - self._began

    async def open_session(self, session: str | None, servers: Sequence[JsonObject]) -> bool:
        """Take `session` up again, or begin a new one; True where it was taken up.

        What the agent replays while it loads is nobody's turn and is dropped by our caller.
        Raises `AgentFailed`.
        """
        place: JsonObject = {"cwd": str(self._workspace), "mcpServers": [*servers]}
        if session is not None and self._can_load:
            with contextlib.suppress(AcpError):
                answer = await self._ask("session/load", {"sessionId": session, **place})
                self.session = session
                self.options.learn(answer)
                return True
        try:
            answer = await self._ask("session/new", place)
        except AcpError as error:
            raise AgentFailed(f"the agent opens no session: {error.message}") from error
        opened = answer.get("sessionId")
        if not isinstance(opened, str) or not opened:
            raise AgentFailed("the agent opened a session without an id")
        self.session = opened
        self.options.learn(answer)
        return False

    async def choose(self, choice: Choice, value: str) -> str | None:
        """Set model or effort; what to warn of, where it could not be set. Raises `AgentFailed`."""
        assert self.session is not None
        offer = self.options.offers.get(choice)
        if offer is None:
            return f"the agent does not let its {choice} be chosen; {value} was asked for"
        if offer.current == value == self._chosen.get(choice):
            return None
        if value not in offer.values:
            return f"the agent does not offer the {choice} {value}; it uses {offer.current}"
        try:
            answer = await self._ask(
                offer.method, offer.params(self.session, value), seconds=OPTION_SECONDS
            )
        except AcpError as error:
            return f"the agent refused the {choice} {value}: {error.message}"
        self.options.learn(answer)
        # Only what was set counts: OpenCode 1.18 shows the first effort though none is in use.
        self._chosen[choice] = value
        return None

    async def prompt(self, text: str) -> str:
        """Its stop reason, however long it takes. Raises `AcpError`, `AgentGone`."""
        answer = await self._client.request(
            "session/prompt",
            {"sessionId": self.session, "prompt": [{"type": "text", "text": text}]},
        )
        reason = answer.get("stopReason")
        return reason if isinstance(reason, str) else ""

    async def cancel(self) -> None:
        with contextlib.suppress(AgentGone):
            await self._client.notify("session/cancel", {"sessionId": self.session})

    async def end(self, grace: float) -> None:
        """End it and everything it started, politely for `grace` seconds."""
        if grace and self._process.returncode is None:
            kill_group(self._process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await asyncio.shield(self._watch)
        if self._process.returncode is None:
            kill_tree(self._process.pid)
        kill_marked(self._mark)
        await self._watch

    async def last_words(self) -> str:
        """How it ended, for people; waits for the end that has begun."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.shield(self._watch)
        code = self._process.returncode
        if code is None:
            how = "stopped to answer"
        elif code < 0:
            with contextlib.suppress(ValueError):
                code = signal.Signals(-code).name  # type: ignore[assignment]
            how = f"was killed ({code})"
        else:
            how = f"ended with exit code {code}"
        said = self._stderr.text().strip()
        return f"the agent {how}" + (f"; its last words:\n{said}" if said else "")

    # ----------------------------------------------------------------------------------------

    async def _initialize(self) -> None:
        try:
            answer = await self._ask(
                "initialize",
                {
                    "protocolVersion": PROTOCOL_VERSION,
                    "clientCapabilities": {
                        "fs": {"readTextFile": False, "writeTextFile": False},
                        "terminal": False,
                    },
                    "clientInfo": {"name": "openinspect", "version": "1"},
                },
            )
        except AcpError as error:
            raise AgentFailed(f"the agent refused to begin: {error.message}") from error
        if answer.get("protocolVersion") != PROTOCOL_VERSION:
            raise AgentFailed(f"the agent does not speak version {PROTOCOL_VERSION} of ACP")
        capabilities, info = answer.get("agentCapabilities"), answer.get("agentInfo")
        self._can_load = isinstance(capabilities, dict) and capabilities.get("loadSession") is True
        if isinstance(info, dict):
            self.name = clipped(str(info.get("name", "")), 200)
            self.version = clipped(str(info.get("version", "")), 200)

    async def _ask(
        self, method: str, params: JsonObject, seconds: float = HANDSHAKE_SECONDS
    ) -> JsonObject:
        try:
            async with asyncio.timeout(seconds):
                return await self._client.request(method, params)
        except TimeoutError:
            raise AgentFailed(f"the agent did not answer {method} in {seconds:.0f} s") from None
        except AgentGone:
            raise AgentFailed(await self.last_words()) from None

    def _take_update(self, params: JsonObject) -> None:
        update = params.get("update")
        if self.session is None or params.get("sessionId") != self.session:
            return
        if isinstance(update, dict):
            if update.get("sessionUpdate") == "config_option_update":
                self.options.learn(update)
            self._on_update(update)

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError):
            while data := await self._process.stderr.read(1 << 16):
                self._stderr.feed(data)

    async def _watch_process(self) -> None:
        """Over when the process is, or when it has closed its output: then it is killed.

        A program that it left behind may hold the pipes open, so their end is not waited for.
        """
        waiting = asyncio.create_task(self._process.exit_code())
        await asyncio.wait({waiting, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({waiting, self._reading, self._errors}, timeout=0.3)
        if waiting.done():
            kill_group(self._process.pid)
        else:
            kill_tree(self._process.pid)
        await waiting
        await asyncio.wait({self._reading, self._errors}, timeout=0.2)
        for task in (self._reading, self._errors):
            task.cancel()
        await asyncio.wait({self._reading, self._errors})
        await self._process.end()
