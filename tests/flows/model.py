"""A model API on loopback that speaks Anthropic messages, and waits where a test says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = "sk-ant-api03-an-obviously-fake-model-key-0123456789"


@dataclass
class Model:
    """`calls` are the bodies that came; while `gate` is not set, answers wait."""

    url: str = ""
    says: str = "Here is a thought."
    input_tokens: int = 1000
    output_tokens: int = 100
    calls: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.calls.append(body)
        self.keys.append(request.headers.get("x-api-key", ""))
        await self.gate.wait()
        return web.json_response(
            {
                "id": f"msg_{len(self.calls)}",
                "type": "message",
                "role": "assistant",
                "model": body["model"],
                "content": [{"type": "text", "text": self.says}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens},
            }
        )


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Model]:
    model = Model()
    model.gate.set()
    app = web.Application()
    app.router.add_post("/v1/messages", model.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    model.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield model
    finally:
        model.gate.set()
        await runner.cleanup()
