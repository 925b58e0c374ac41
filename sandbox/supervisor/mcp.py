"""One MCP server for the agent: our tools, over the socket that `bridge` joins to its stdio.

https://modelcontextprotocol.io: JSON-RPC 2.0, one message per line, in both eras of the protocol.
Until 2025-11-25 a client begins with `initialize`; from 2026-07-28 on each request says its version
in `_meta` and `server/discover` tells what there is ("Versioning and Compatibility").
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..commands import ToolOffer
from ..strict_json import BadJson, JsonObject, bytes_from_object, object_from_bytes
from .clipping import clean, clipped
from .lines import LineCutter, TooLong
from .toolcalls import Answer, ToolCalls

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2024-11-05")
"""Newest first. 2025-03-26 asks servers to take batches, which no other one knows."""
NAME = "openinspect"
"""Of the server. Agents put it before the names of its tools."""
CONNECTIONS = 16
MAX_LINE = 12 << 20
MAX_CALLS = 64
"""Of one client at once; of those a few run, the others wait."""
PROGRESS_SECONDS = 10.0
"""How often a client that asked for progress hears of a call that runs."""

_PARSE_ERROR, _INVALID_REQUEST, _NO_METHOD, _INVALID_PARAMS = -32700, -32600, -32601, -32602
_UNSUPPORTED_VERSION = -32022
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_SERVER: JsonObject = {"name": NAME, "version": "1"}
_CAPABILITIES: JsonObject = {"tools": {}}


class RequestRefused(Exception):
    """Answered by a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class ToolDoor:
    """Listens for the agent's MCP clients; what is offered is known once the host has said so."""

    def __init__(self, path: Path, *, program: Sequence[str], calls: ToolCalls) -> None:
        self._path = path
        self._program = program
        self._calls = calls
        self._offers: tuple[ToolOffer, ...] = ()
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    def offer(self, tools: tuple[ToolOffer, ...]) -> list[JsonObject]:
        """The MCP servers that the agent is to be told of: one, or none where no tool is offered.

        Stdio is the one transport that every ACP agent has to support.
        """
        self._offers = tools
        if not tools:
            return []
        command, *arguments = self._program
        arguments += ["--mcp", str(self._path)]
        return [{"name": NAME, "command": command, "args": arguments, "env": []}]

    async def listen(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._enter, str(self._path), backlog=16)
        self._path.chmod(0o600)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= CONNECTIONS:
            writer.close()
            return
        conversation = Conversation(writer, self._offers, self._calls)
        task = asyncio.create_task(conversation.run(reader), name="mcp client")
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)


class Conversation:
    """One client, from its first line to its last; its calls end with it."""

    def __init__(
        self, writer: asyncio.StreamWriter, offers: tuple[ToolOffer, ...], calls: ToolCalls
    ) -> None:
        self._writer = writer
        self._offers = {offer.name: offer for offer in offers}
        self._calls = calls
        self._running: dict[str | int, asyncio.Task[None]] = {}

    async def run(self, reader: asyncio.StreamReader) -> None:
        cutter = LineCutter(MAX_LINE)
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(1 << 16):
                    for line in cutter.feed(data):
                        await self._take(line)
                    await asyncio.sleep(0)  # a flood must not keep others from their turn
        finally:
            for task in self._running.values():
                task.cancel()
            self._writer.close()

    async def _take(self, line: bytes | TooLong) -> None:
        if isinstance(line, TooLong):
            await self._send(_error(None, _INVALID_REQUEST, "this message is too long"))
            return
        if not line.strip():
            return
        try:
            message = object_from_bytes(line)
        except BadJson as error:
            await self._send(_error(None, _PARSE_ERROR, str(error)))
            return
        method, given = message.get("method"), message.get("params")
        params = given if isinstance(given, dict) else {}
        if "id" not in message:
            if method == "notifications/cancelled":
                self._cancel(params.get("requestId"))
            return
        identifier = _id(message["id"])
        if not isinstance(method, str):
            return  # an answer to something we never asked
        if identifier is None:
            await self._send(_error(None, _INVALID_REQUEST, "an id is a text or a whole number"))
            return
        try:
            modern = _is_modern(params)
            if method == "tools/call":
                self._start(identifier, params, modern)
                return
            result = self._answer(method, params, modern)
        except RequestRefused as refused:
            await self._send(_error(identifier, refused.code, str(refused), refused.data))
        else:
            await self._send({"id": identifier, "result": result})

    def _answer(self, method: str, params: JsonObject, modern: bool) -> JsonObject:
        match method:
            case "initialize":
                return {
                    "protocolVersion": _version(params.get("protocolVersion")),
                    "capabilities": _CAPABILITIES,
                    "serverInfo": _SERVER,
                }
            case "server/discover":
                found: JsonObject = {"supportedVersions": [MODERN], "capabilities": _CAPABILITIES}
                return _modern(found) | _KEEP
            case "ping":
                return _modern({}) if modern else {}
            case "tools/list":
                tools: JsonObject = {"tools": [_tool(offer) for offer in self._offers.values()]}
                return _modern(tools) | _KEEP if modern else tools
            case _:
                raise RequestRefused(_NO_METHOD, f"Method not found: {clipped(method, 100)}")

    # -- calls -------------------------------------------------------------------------------

    def _start(self, identifier: str | int, params: JsonObject, modern: bool) -> None:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str) or name not in self._offers:
            raise RequestRefused(_INVALID_PARAMS, "Unknown tool")
        if not isinstance(arguments, dict):
            raise RequestRefused(_INVALID_PARAMS, "arguments are an object")
        if identifier in self._running:
            raise RequestRefused(_INVALID_REQUEST, "this id is in use")
        if len(self._running) >= MAX_CALLS:
            raise RequestRefused(_INVALID_REQUEST, f"at most {MAX_CALLS} calls at once")
        work = self._call(identifier, name, arguments, _progress_token(params), modern)
        task = asyncio.create_task(work, name=f"tool {clipped(name, 40)}")
        self._running[identifier] = task
        task.add_done_callback(lambda _: self._running.pop(identifier, None))

    async def _call(
        self,
        identifier: str | int,
        name: str,
        arguments: JsonObject,
        token: str | int | None,
        modern: bool,
    ) -> None:
        work = asyncio.create_task(self._calls.call(name, arguments))
        try:
            seconds = 0.0
            while not (await asyncio.wait({work}, timeout=PROGRESS_SECONDS))[0]:
                seconds += PROGRESS_SECONDS
                if token is not None:
                    params = {"progressToken": token, "progress": seconds}
                    await self._send({"method": "notifications/progress", "params": params})
            result = _result(await work)
            await self._send({"id": identifier, "result": _modern(result) if modern else result})
        finally:
            work.cancel()

    def _cancel(self, request: object) -> None:
        """Nothing more is said about it, as the protocol asks."""
        identifier = _id(request)
        task = None if identifier is None else self._running.get(identifier)
        if task is not None:
            task.cancel()

    async def _send(self, message: Mapping[str, object]) -> None:
        with contextlib.suppress(OSError):
            self._writer.write(bytes_from_object({"jsonrpc": "2.0", **message}) + b"\n")
            await self._writer.drain()


_KEEP: JsonObject = {"ttlMs": 60_000, "cacheScope": "private"}


def _modern(result: JsonObject) -> JsonObject:
    meta = {"io.modelcontextprotocol/serverInfo": _SERVER}
    return {**result, "resultType": "complete", "_meta": meta}


def _is_modern(params: JsonObject) -> bool:
    meta = params.get("_meta")
    if not isinstance(meta, dict) or _VERSION_KEY not in meta:
        return False
    asked = meta[_VERSION_KEY]
    if asked != MODERN:
        data = {"supported": [MODERN], "requested": clipped(str(asked), 100)}
        raise RequestRefused(_UNSUPPORTED_VERSION, "Unsupported protocol version", data)
    return True


def _version(asked: object) -> str:
    """The one asked for, else the newest before it, which such a client knows as well."""
    known = (version for version in LEGACY if isinstance(asked, str) and version <= asked)
    return next(known, LEGACY[0])


def _progress_token(params: JsonObject) -> str | int | None:
    meta = params.get("_meta")
    return _id(meta.get("progressToken")) if isinstance(meta, dict) else None


def _id(value: object) -> str | int | None:
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def _tool(offer: ToolOffer) -> JsonObject:
    try:
        schema = object_from_bytes(offer.schema.encode())
    except BadJson:
        schema = {"type": "object"}
    return {"name": offer.name, "description": offer.description, "inputSchema": schema}


def _result(answer: Answer) -> JsonObject:
    content = [{"type": "text", "text": clean(answer.text)}]
    return {"content": content, "isError": answer.error}


def _error(
    identifier: str | int | None,
    code: int,
    message: str,
    data: Mapping[str, object] | None = None,
) -> JsonObject:
    error: JsonObject = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"id": identifier, "error": error}
