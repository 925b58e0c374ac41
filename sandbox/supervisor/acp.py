"""The client's side of the Agent Client Protocol: JSON-RPC 2.0, one message per line.

https://agentclientprotocol.com, version 1. The agent may write anything: what is no message is
skipped and counted, and no answer at all is the caller's time limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping

from ..strict_json import BadJson, JsonObject, bytes_from_object, object_from_bytes
from .clipping import clipped
from .lines import LineCutter, TooLong

PROTOCOL_VERSION = 1
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
_ID = re.compile(rb'"id"\s*:\s*(\d{1,15})')


class AgentGone(Exception):
    """The agent's output has ended."""


class AcpError(Exception):
    """The agent answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class AcpClient:
    """Requests to the agent, and what it asks of us. `on_update` gets `session/update` params."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        on_update: Callable[[JsonObject], None],
        on_noise: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_update = on_update
        self._on_noise = on_noise
        self._next_id = 1
        self._waiting: dict[int, asyncio.Future[JsonObject]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._gone = False

    async def run(self) -> None:
        """Read until the agent's output ends; then everybody who waits gets `AgentGone`."""
        cutter = LineCutter()
        try:
            with contextlib.suppress(OSError):
                while data := await self._reader.read(1 << 16):
                    for line in cutter.feed(data):
                        self._take(line)
                    await asyncio.sleep(0)  # a flood must not keep others from their turn
            for line in cutter.rest():
                self._take(line)
        finally:
            self._gone = True
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(AgentGone())
                    future.exception()
            for task in self._answers:
                task.cancel()

    async def request(self, method: str, params: Mapping[str, object]) -> JsonObject:
        """The result. Raises `AcpError`, or `AgentGone`; sets no time limit."""
        number = self._next_id
        self._next_id += 1
        answer: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        if self._gone:
            raise AgentGone
        self._waiting[number] = answer
        try:
            await self._send({"id": number, "method": method, "params": params})
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def notify(self, method: str, params: Mapping[str, object]) -> None:
        """Raises `AgentGone`."""
        await self._send({"method": method, "params": params})

    async def _send(self, message: Mapping[str, object]) -> None:
        try:
            self._writer.write(bytes_from_object({"jsonrpc": "2.0", **message}) + b"\n")
            await self._writer.drain()
        except (OSError, RuntimeError) as error:
            raise AgentGone from error

    # ----------------------------------------------------------------------------------------

    def _take(self, line: bytes | TooLong) -> None:
        if isinstance(line, TooLong):
            self._take_too_long(line.head)
            return
        if not line.strip():
            return
        try:
            message = object_from_bytes(line)
        except BadJson:
            self._on_noise("wrote something that is not a message")
            return
        method, number = message.get("method"), message.get("id")
        if isinstance(method, str):
            params = message.get("params")
            known = params if isinstance(params, dict) else {}
            if isinstance(number, int | str) and not isinstance(number, bool):
                self._answer_later(number, method, known)
            elif method == "session/update":
                self._on_update(known)
            # Any other notification is one that we do not know, which JSON-RPC lets us ignore.
        elif isinstance(number, int):
            self._take_answer(number, message)
        else:
            self._on_noise("wrote something that is not a message")

    def _take_answer(self, number: int, message: JsonObject) -> None:
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            self._on_noise("answered what was not asked")
            return
        error = message.get("error")
        if isinstance(error, dict):
            code = error.get("code")
            waiting.set_exception(
                AcpError(code if isinstance(code, int) else 0, _error_words(error))
            )
        else:
            result = message.get("result")
            waiting.set_result(result if isinstance(result, dict) else {})

    def _take_too_long(self, head: bytes) -> None:
        """If the line was an answer, whoever waits for it must not wait forever."""
        self._on_noise("wrote a message of more than 8 MiB")
        found = _ID.search(head)
        if found and b'"method"' not in head:
            waiting = self._waiting.get(int(found[1]))
            if waiting is not None and not waiting.done():
                waiting.set_exception(AcpError(0, "the answer was too long"))

    def _answer_later(self, number: int | str, method: str, params: JsonObject) -> None:
        if len(self._answers) >= 256:
            self._on_noise("asks without reading our answers")
            return
        task = asyncio.create_task(self._answer(number, method, params))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, number: int | str, method: str, params: JsonObject) -> None:
        answer: dict[str, object] = {"id": number}
        if method == "session/request_permission":
            option = allowing_option(params.get("options"))
            if option is None:
                answer["error"] = {"code": INVALID_PARAMS, "message": "no options"}
            else:
                answer["result"] = {"outcome": {"outcome": "selected", "optionId": option}}
        else:
            answer["error"] = {
                "code": METHOD_NOT_FOUND,
                "message": f"Method not found: {clipped(method, 100)}",
            }
        with contextlib.suppress(AgentGone):
            await self._send(answer)


def allowing_option(options: object) -> str | None:
    """The id of the option to choose: the agent is alone in its sandbox, so it may."""
    known: dict[str, str] = {}
    if isinstance(options, list):
        for option in options:
            if isinstance(option, dict):
                chosen, kind = option.get("optionId"), option.get("kind")
                if isinstance(chosen, str):
                    known.setdefault(kind if isinstance(kind, str) else "", chosen)
    for kind in ("allow_always", "allow_once"):
        if kind in known:
            return known[kind]
    return next(iter(known.values()), None)


def _error_words(error: Mapping[str, object]) -> str:
    message = error.get("message")
    words = message if isinstance(message, str) else "error without a message"
    data = error.get("data")
    if isinstance(data, dict) and data:
        details = data.get("message") or data.get("details")
        if isinstance(details, str) and details not in words:
            words = f"{words}: {details}"
    return clipped(words, 4000)
