"""The scripted model server: the demo's only part that is not real.

It speaks the model APIs over HTTP as their owners do, streaming or not, so the agent and the
gateway in between cannot tell it from a model. What it says comes from a `Script`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from aiohttp import web

from .dialects import chat, messages, responses
from .dialects.answer import Answer, Malformed, answer_for
from .script import Conversation, Script
from .tools import NoSuchTool

MODELS = ("demo",)
LARGEST_REQUEST = 32 * 1024 * 1024


class Dialect(Protocol):
    """One model API; each module in `dialects` is one."""

    def conversation_from(self, body: Mapping[str, object], characters: int) -> Conversation: ...
    def whole(self, answer: Answer) -> dict[str, object]: ...
    def events(self, answer: Answer) -> Iterator[bytes]: ...
    def failure(self, message: str) -> dict[str, object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where a started server listens."""

    port: int

    @property
    def url(self) -> str:
        """Without the `/v1` that every path begins with."""
        return f"http://127.0.0.1:{self.port}"


class ModelServer:
    """`async with ModelServer(STORY) as serving:` answers on a free port of 127.0.0.1.

    With a `key`, requests without it are refused, as a real provider does: what proves that
    somebody between the agent and here adds it. `delay` is the time a streamed word takes.
    """

    def __init__(self, script: Script, *, key: str | None = None, delay: float = 0.0) -> None:
        self._script = script
        self._key = key
        self._delay = delay
        self._runner: web.AppRunner | None = None
        self.answered = 0

    async def __aenter__(self) -> Serving:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self, port: int = 0) -> Serving:
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post(chat.PATH, self._chat)
        app.router.add_post(messages.PATH, self._messages)
        app.router.add_post(responses.PATH, self._responses)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        return Serving(port=self._runner.addresses[0][1])

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _models(self, request: web.Request) -> web.StreamResponse:
        listed = [{"id": name, "object": "model", "owned_by": "script"} for name in MODELS]
        return web.json_response({"object": "list", "data": listed})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, chat)

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, messages)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, responses)

    async def _answer(self, request: web.Request, dialect: Dialect) -> web.StreamResponse:
        if not self._may(request):
            return web.json_response(dialect.failure("no valid API key"), status=401)
        text = await request.text()
        try:
            body = json.loads(text)
            if not isinstance(body, dict):
                raise Malformed("an object was expected")
            conversation = dialect.conversation_from(body, len(text))
            answer = answer_for(conversation, self._script.answer(conversation))
        except (ValueError, Malformed, NoSuchTool) as problem:
            return web.json_response(dialect.failure(str(problem)), status=400)
        self.answered += 1
        if not conversation.stream:
            return web.json_response(dialect.whole(answer))
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        for event in dialect.events(answer):
            await response.write(event)
            if self._delay:
                await asyncio.sleep(self._delay)
        await response.write_eof()
        return response

    def _may(self, request: web.Request) -> bool:
        if self._key is None:
            return True
        given = request.headers.get("x-api-key") or request.headers.get(
            "Authorization", ""
        ).removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self._key.encode())
