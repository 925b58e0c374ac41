"""A real model server on loopback, a wire stream in memory, a clock that tests move."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from orchestrator.gateway import Gateway
from orchestrator.session.values import Usage
from sandbox.provider import StreamReset

KEY = "sk-not-a-real-key-CANARY-0123456789"


class ManualClock:
    """Sleepers wait until a test lets the time pass."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.slept: list[float] = []
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken = asyncio.Event()
        self._sleepers.append((self.at + timedelta(seconds=seconds), woken))
        await woken.wait()

    async def wait_for_sleep(self, seconds: float) -> None:
        await until(lambda: any(abs(s - seconds) < 1e-6 for s in self.slept))

    async def advance(self, seconds: float) -> None:
        """In steps of a second, so that everyone who ticks gets to look."""
        while seconds > 0:
            step = min(1.0, seconds)
            seconds -= step
            self.at += timedelta(seconds=step)
            due = [event for at, event in self._sleepers if at <= self.at]
            self._sleepers = [(at, event) for at, event in self._sleepers if at > self.at]
            for event in due:
                event.set()
            for _ in range(5):
                await asyncio.sleep(0)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to that"
        await asyncio.sleep(0.001)


class Stream:
    """What the gateway sees of the wire. `window` bytes may wait unread by the agent."""

    def __init__(
        self, meta: Mapping[str, object], body: bytes = b"", window: int = 1 << 30
    ) -> None:
        self.meta = meta
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue()
        for at in range(0, len(body), 65536):
            self.incoming.put_nowait(body[at : at + 65536])
        self.incoming.put_nowait(b"")
        self.out = bytearray()
        self.taken = 0
        self.window = window
        self.closed = False
        self.was_reset: str | None = None
        self.gone = False
        self.changed = asyncio.Event()

    async def read(self) -> bytes:
        return await self.incoming.get()

    async def write(self, data: bytes) -> None:
        self._check()
        while data and len(self.out) - self.taken >= self.window:
            self.changed.clear()
            await self.changed.wait()
            self._check()
        assert not data or not self.closed
        self.out += data

    def take_all(self) -> None:
        self.taken = len(self.out)
        self.changed.set()

    def leave(self) -> None:
        """The agent drops its connection."""
        self.gone = True
        self.changed.set()

    def _check(self) -> None:
        if self.gone:
            raise StreamReset("the agent went away")

    async def close(self) -> None:
        self._check()
        self.closed = True

    async def reset(self, reason: str) -> None:
        self.was_reset = reason

    @property
    def head(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(bytes(self.out).split(b"\n", 1)[0])
        return value

    @property
    def status(self) -> int:
        return int(self.head["status"])

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.head["headers"])

    @property
    def body(self) -> bytes:
        return bytes(self.out).split(b"\n", 1)[1]

    @property
    def error(self) -> str:
        return str(json.loads(self.body)["error"]["message"])


class Till:
    """A meter that grants up to `budget` and remembers."""

    def __init__(self, budget: int = 10**12) -> None:
        self.budget = budget
        self.reserved: dict[str, int] = {}
        self.settled: dict[str, Usage] = {}

    async def reserve(self, call: str, microdollars: int) -> bool:
        assert call not in self.reserved
        if microdollars > self.budget:
            return False
        self.reserved[call] = microdollars
        return True

    async def settle(self, call: str, usage: Usage) -> None:
        assert call in self.reserved and call not in self.settled
        self.settled[call] = usage

    @property
    def usage(self) -> Usage:
        assert self.settled.keys() == self.reserved.keys()
        return sum(self.settled.values(), Usage())


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Model:
    """The upstream. Each request takes the next handler; the last one stays."""

    handlers: list[Handler] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    broken: int = 0
    url: str = ""

    def says(self, *handlers: Handler) -> None:
        self.handlers = list(handlers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        handler = self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0]
        try:
            return await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            self.broken += 1
            raise

    @property
    def body(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.bodies[-1])
        return value


def answer(body: object = None, status: int = 200, **headers: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body if body is not None else {}, status=status, headers=named)

    return handle


def events(*pieces: bytes, hold: asyncio.Event | None = None, cut: bool = False) -> Handler:
    """A streamed answer; with `hold` it stops before the last piece, with `cut` it breaks off."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for index, piece in enumerate(pieces):
            if hold is not None and index == len(pieces) - 1:
                await hold.wait()
            await response.write(piece)
        if cut:
            assert request.transport is not None
            await asyncio.sleep(0)
            request.transport.close()
        return response

    return handle


@dataclass
class House:
    """The gateway with everything around it."""

    model: Model
    clock: ManualClock
    till: Till
    gateway: Gateway
    activity: list[datetime]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(
        self,
        path: str,
        body: object = None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        window: int = 1 << 30,
    ) -> tuple[Stream, asyncio.Task[None]]:
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        pairs = [[name, value] for name, value in (headers or {}).items()]
        stream = Stream({"method": method, "path": path, "headers": pairs}, raw, window)
        handler = self.gateway.handler_for(
            self.till, lambda: self.activity.append(self.clock.now())
        )
        task = asyncio.ensure_future(handler(stream))
        assert isinstance(task, asyncio.Task)
        self.tasks.append(task)
        return stream, task

    async def call(self, path: str, body: object = None, **options: Any) -> Stream:
        stream, task = self.start(path, body, **options)
        await asyncio.wait_for(task, 10)
        return stream

    async def refused(self, path: str, body: object = None, **options: Any) -> str:
        """The words with which a request was refused; nothing may have gone out."""
        before = len(self.model.requests)
        stream = await self.call(path, body, **options)
        assert stream.status in (400, 403, 408, 413, 415), stream.out
        assert len(self.model.requests) == before
        assert not self.till.reserved
        return stream.error
