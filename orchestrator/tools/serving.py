"""Answers a sandbox's calls of our tools. What comes in is hostile; what goes back is words."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from orchestrator.access import Access
from orchestrator.engine import Engine
from orchestrator.github.errors import GitHubError
from orchestrator.ports import Clock, Conflict
from orchestrator.session import Session, SessionId
from orchestrator.session.commands import ProposePullRequest
from orchestrator.session.state import Turn
from orchestrator.session.values import Phase, Proposal, parse_session_id
from sandbox.commands import MAX_ARGUMENTS, ToolOffer
from sandbox.provider import StreamHandler, WireStream
from sandbox.strict_json import BadJson, JsonObject, object_from_bytes

from .arguments import pull_request_ask, read_ask
from .create_pull_request import already, noted
from .github_read import Reader
from .refusal import ToolRefused
from .words import CALLS_PER_TURN, CREATE_PULL_REQUEST, GITHUB_READ, PROPOSALS_PER_TURN
from .writers import Writers

log = structlog.get_logger()

CONCURRENT = 8
"""Calls of one sandbox at once; the others wait."""
LOGS_AT_ONCE = 2
"""Logs of all sessions: each is held whole, up to 32 MiB."""
ARGUMENTS_SECONDS = 30.0
ANSWER_SECONDS = 60.0
MAX_TEXT = 62_000
"""Characters of an answer; as JSON it fits `MAX_ANSWER` whatever they are."""
_KEPT_COUNTS = 1_000

Run = Callable[[Session, Turn, JsonObject], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    offer: ToolOffer
    per_turn: int
    run: Run


class Tools:
    """One for all sessions. `app_id` is our own App, whose comments are not shown to agents."""

    def __init__(
        self,
        *,
        engine: Engine,
        access: Access,
        clean: Callable[[str], str],
        app_id: int,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._access = access
        self._clean = clean
        self._app_id = app_id
        self._clock = clock
        self._writers = Writers(clock)
        self._logs = asyncio.Semaphore(LOGS_AT_ONCE)
        self._counts: OrderedDict[tuple[SessionId, int, str], int] = OrderedDict()
        self._table = {
            tool.offer.name: tool
            for tool in (
                Tool(offer=GITHUB_READ, per_turn=CALLS_PER_TURN, run=self._read),
                Tool(offer=CREATE_PULL_REQUEST, per_turn=PROPOSALS_PER_TURN, run=self._propose),
            )
        }

    def offers(self) -> tuple[ToolOffer, ...]:
        return tuple(tool.offer for tool in self._table.values())

    def handler_for(self, session: SessionId) -> StreamHandler:
        """Answers the `tool` streams of this session's sandbox, for this session only."""
        slots = asyncio.Semaphore(CONCURRENT)

        async def handle(stream: WireStream) -> None:
            try:
                text, error = await self._answer(session, slots, stream), False
            except ToolRefused as refused:
                text, error = str(refused), True
            await stream.write(_written(self._clean(text), error))

        return handle

    async def _answer(
        self, session: SessionId, slots: asyncio.Semaphore, stream: WireStream
    ) -> str:
        name = stream.meta.get("tool")
        tool = self._table.get(name) if isinstance(name, str) else None
        if tool is None:
            raise ToolRefused(f"There is no such tool. There are: {', '.join(self._table)}.")
        arguments = await _arguments(stream)
        async with slots:
            s = await self._engine.get(session)
            turn = s.turn
            if s.opened is None or turn is None or turn.phase is not Phase.RUNNING:
                raise ToolRefused("No turn is running, so tools are not answered.")
            if not self._counted(session, turn.number, tool):
                raise ToolRefused(f"`{name}` answers {tool.per_turn} calls a turn: no more now.")
            return await self._run(tool, s, turn, arguments)

    async def _run(self, tool: Tool, s: Session, turn: Turn, arguments: JsonObject) -> str:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await tool.run(s, turn, arguments)
        except TimeoutError:
            raise ToolRefused(f"GitHub did not answer within {ANSWER_SECONDS:.0f} s.") from None
        except GitHubError as error:
            log.info("tool_refused", session=s.id, tool=tool.offer.name, reason=error.code)
            raise ToolRefused(f"GitHub did not answer this. {error}") from error
        except Conflict:
            raise ToolRefused("The session changed meanwhile; call again.") from None

    async def _read(self, s: Session, turn: Turn, arguments: JsonObject) -> str:
        ask = read_ask(arguments)
        assert s.opened is not None
        number = parse_session_id(s.id)[0]
        repository = await self._access.repository(number, s.opened.repository)
        reader = Reader(repository, self._writers, self._app_id)
        if ask.kind != "check_log":
            return await reader.read(ask)
        async with self._logs:
            return await reader.read(ask)

    async def _propose(self, s: Session, turn: Turn, arguments: JsonObject) -> str:
        ask = pull_request_ask(arguments)
        nothing_to_do = already(s)
        if nothing_to_do is not None:
            return nothing_to_do
        proposal = Proposal(title=self._clean(ask.title), body=self._clean(ask.body))
        told = await self._engine.tell(
            s.id, ProposePullRequest(at=self._clock.now(), turn=turn.number, proposal=proposal)
        )
        running = told.session.turn
        if running is None or running.number != turn.number:
            raise ToolRefused("This turn has ended.")
        return noted(told.session)

    def _counted(self, session: SessionId, turn: int, tool: Tool) -> bool:
        """False where this tool was called often enough in this turn."""
        key = (session, turn, tool.offer.name)
        count = self._counts.get(key, 0)
        if count >= tool.per_turn:
            return False
        self._counts[key] = count + 1
        self._counts.move_to_end(key)
        while len(self._counts) > _KEPT_COUNTS:
            self._counts.popitem(last=False)
        return True


async def _arguments(stream: WireStream) -> JsonObject:
    body = bytearray()
    try:
        async with asyncio.timeout(ARGUMENTS_SECONDS):
            while data := await stream.read():
                body += data
                if len(body) > MAX_ARGUMENTS:
                    raise ToolRefused(f"The arguments are larger than {MAX_ARGUMENTS >> 10} KiB.")
    except TimeoutError:
        raise ToolRefused("The arguments did not come.") from None
    try:
        return object_from_bytes(bytes(body))
    except BadJson as error:
        raise ToolRefused(f"The arguments are no JSON object: {error}.") from None


def _written(text: str, error: bool) -> bytes:
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}\n[the rest is left out]"
    answer: Mapping[str, object] = {"text": text, "error": error}
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
