"""Model calls on behalf of a sandbox: the key is added here, outside, and every call is metered.

The supervisor opens a stream of kind `http` for each request of the agent. What may pass is
decided by `routes` and the `*_exits`; here it is sent, the answer passed on as it comes, and its
cost settled. Nothing that the upstream says about us (its key, its account) goes back.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import aiohttp
import structlog

from orchestrator.ports import Clock
from orchestrator.session.values import Usage
from sandbox.provider import StreamHandler, WireStream

from .answers import Sent, answer_error, break_off, write_head
from .errors import Dialect, Refused
from .headers import Asked, asked_from, outgoing_headers, returned_headers, without
from .meter import Meter
from .prepare import Prepared, prepared
from .prices import Prices, usage_from
from .routes import Route, Target, target
from .sending import Opened, Sender, Tries
from .upstream import Upstream
from .usage import StreamUsage, WholeUsage
from .watch import Activity, Stalled, Watch

log = structlog.get_logger()

MAX_ERROR = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """Bytes and seconds. `held` bounds the request bodies in memory over all sandboxes."""

    body: int = 32 << 20
    held: int = 256 << 20
    answer: int = 64 << 20
    at_once: int = 16
    stall_seconds: float = 120.0
    whole_answer_seconds: float = 600.0
    """An answer that is not streamed is silent until it is ready."""
    tries: Tries = field(default_factory=Tries)


@dataclass(frozen=True, slots=True)
class _Call:
    """One allowed request, ready to be sent. `prepared` is None where it carries no body."""

    stream: WireStream
    asked: Asked
    to: Target
    prepared: Prepared | None
    activity: Activity
    sent: Sent = field(default_factory=Sent)


class Gateway:
    """One for the whole process; `handler_for` gives each sandbox its own."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        upstreams: Iterable[Upstream],
        clock: Clock,
        prices: Prices | None = None,
        limits: GatewayLimits | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`session` is one from `model_session()`."""
        if not isinstance(session.cookie_jar, aiohttp.DummyCookieJar):
            raise ValueError("the gateway's session must keep no cookies: use model_session()")
        self._upstreams = {upstream.name: upstream for upstream in upstreams}
        self._clock = clock
        self._prices = prices or Prices()
        self._limits = limits or GatewayLimits()
        self._sender = Sender(session, clock, self._limits.tries, jitter)
        self._held = 0
        self._ending: set[asyncio.Task[None]] = set()

    def handler_for(
        self, meter: Meter, on_activity: Callable[[], None] = lambda: None
    ) -> StreamHandler:
        """Answers the `http` streams of one sandbox; at most `at_once` of them go on at a time.

        `on_activity` is called at most once a second while bytes of an answer flow.
        """
        slots = asyncio.Semaphore(self._limits.at_once)
        activity = Activity(self._clock, on_activity)

        async def handle(stream: WireStream) -> None:
            async with slots:
                await self._serve(stream, meter, activity)

        return handle

    async def close(self) -> None:
        """Wait until every call that was granted is settled."""
        while self._ending:
            await asyncio.gather(*self._ending, return_exceptions=True)

    async def _serve(self, stream: WireStream, meter: Meter, activity: Activity) -> None:
        dialect, held = Dialect.CHAT, [0]
        try:
            asked = asked_from(stream.meta)
            dialect = self._dialect_of(asked.path)
            to = target(asked.method, asked.path, self._upstreams)
            dialect = to.dialect
            _need_key(to.upstream)
            data = await self._body(stream, held)
            if to.route is Route.MODELS:
                await self._send(_Call(stream, asked, to, None, activity))
                return
            call = _Call(stream, asked, to, prepared(to, data, self._prices), activity)
            del data
            await (self._metered(call, meter) if to.metered else self._send(call))
        except Refused as refused:
            log.info("model_call_refused", status=refused.status, reason=refused.message)
            await answer_error(stream, dialect, refused)
        finally:
            self._held -= held[0]

    def _dialect_of(self, path: str) -> Dialect:
        """For the error answer to a request whose path is refused."""
        if "/messages" in path:
            return Dialect.MESSAGES
        upstream = self._upstreams.get(path.lstrip("/").partition("/")[0])
        return Dialect.CHAT if upstream is None else upstream.default_dialect

    async def _body(self, stream: WireStream, held: list[int]) -> bytes:
        data = bytearray()
        try:
            async with Watch(self._clock, stream, self._limits.stall_seconds) as watch:
                while chunk := await stream.read():
                    watch.moved()
                    data += chunk
                    held[0] += len(chunk)
                    self._held += len(chunk)
                    if len(data) > self._limits.body:
                        raise Refused(413, f"the request is over {self._limits.body >> 20} MiB")
                    if self._held > self._limits.held:
                        raise Refused(503, "too many large requests are under way", final=False)
        except Stalled:
            raise Refused(408, "the request did not arrive whole") from None
        return bytes(data)

    # -- money -------------------------------------------------------------------------------

    async def _metered(self, call: _Call, meter: Meter) -> None:
        assert call.prepared is not None
        id = uuid.uuid4().hex
        if not await self._reserve(meter, id, call.prepared.worst):
            raise Refused(
                402, "the budget is used up: this call could exceed it, so it was not made"
            )
        try:
            await self._send(call)
        finally:
            await self._settle(meter, id, call)

    async def _reserve(self, meter: Meter, id: str, microdollars: int) -> bool:
        """Where we are cancelled meanwhile, a reservation that was granted is given back."""
        reserving = asyncio.ensure_future(meter.reserve(id, microdollars))
        try:
            return await asyncio.shield(reserving)
        except asyncio.CancelledError:
            self._finish(_give_back(meter, id, reserving))
            raise

    async def _settle(self, meter: Meter, id: str, call: _Call) -> None:
        """Goes on to its end also where we are cancelled meanwhile."""
        usage = _usage(call)
        log.info(
            "model_call",
            call=id,
            upstream=call.to.upstream.name,
            model=call.prepared.model if call.prepared is not None else "",
            status=call.sent.status,
            attempts=call.sent.attempts,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            microdollars=usage.microdollars,
        )
        await asyncio.shield(self._finish(meter.settle(id, usage)))

    def _finish(self, work: object) -> asyncio.Task[None]:
        assert asyncio.iscoroutine(work)
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    # -- the call ----------------------------------------------------------------------------

    async def _send(self, call: _Call) -> None:
        to, sent = call.to, call.sent
        streaming = call.prepared is not None and call.prepared.stream
        allowed = self._limits.stall_seconds if streaming else self._limits.whole_answer_seconds
        try:
            async with (
                Watch(self._clock, call.stream, allowed) as watch,
                self._sender.opened(
                    call.asked.method,
                    to.url,
                    headers=outgoing_headers(call.asked, to.upstream, to.dialect),
                    body=call.prepared.body if call.prepared is not None else None,
                    sent=sent,
                    watch=watch,
                ) as opened,
            ):
                if opened.response.status < 300:
                    await self._relay(call, opened, watch)
                else:
                    await self._pass_error(call, opened)
            return
        except Stalled:
            problem = (
                f"no byte came from {to.upstream.name} for {allowed:.0f} s; the call was ended"
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            problem = f"the answer of {to.upstream.name} broke off ({type(error).__name__})"
        if not sent.head_written:
            raise Refused(504, problem, final=False)
        await break_off(call.stream, to.dialect, sent, problem)

    async def _relay(self, call: _Call, opened: Opened, watch: Watch) -> None:
        response, sent = opened.response, call.sent
        sent.streaming = response.content_type == "text/event-stream"
        sent.reader = (
            StreamUsage(call.to.dialect) if sent.streaming else WholeUsage(call.to.dialect)
        )
        chunk = opened.first
        sent.received = len(chunk)
        sent.reader.feed(chunk)
        await write_head(call.stream, response.status, returned_headers(response.headers), sent)
        while chunk:
            call.activity.saw_bytes()
            await call.stream.write(chunk)
            watch.moved()
            chunk = await response.content.readany()
            watch.moved()
            sent.received += len(chunk)
            sent.reader.feed(chunk)
            if sent.received > self._limits.answer:
                raise aiohttp.ClientPayloadError("too long")
        await call.stream.close()

    async def _pass_error(self, call: _Call, opened: Opened) -> None:
        """The upstream's own words, except where they are about us."""
        response, upstream = opened.response, call.to.upstream
        if response.status < 400:
            raise Refused(502, f"{upstream.name} answered with a redirect, which is not followed")
        if response.status == 401:
            raise Refused(
                401,
                f"{upstream.name} does not accept the key: check {upstream.key_variable}"
                " on the server",
            )
        body = bytearray()
        while len(body) < MAX_ERROR and (chunk := await response.content.readany()):
            body += chunk
        text = body[:MAX_ERROR].decode("utf-8", "replace")
        keys = [u.key.reveal() for u in self._upstreams.values() if u.key]
        await write_head(call.stream, response.status, returned_headers(response.headers))
        await call.stream.write(without(text, keys).encode())
        await call.stream.close()


def _need_key(upstream: Upstream) -> None:
    if upstream.needs_key and not upstream.key:
        raise Refused(503, f"no key for {upstream.name}: set {upstream.key_variable} on the server")


def _usage(call: _Call) -> Usage:
    """A call that got no answer cost nothing; one that broke off, what was seen of it."""
    sent, prepared = call.sent, call.prepared
    if prepared is None or sent.attempts == 0:
        return Usage()
    if sent.reader is None or sent.received == 0:
        return Usage(calls=1)
    tokens = sent.reader.tokens
    if tokens is None or not sent.reader.complete:
        tokens = prepared.broken_off(tokens, sent.received)
    return usage_from(tokens, prepared.price)


async def _give_back(meter: Meter, id: str, reserving: asyncio.Future[bool]) -> None:
    if await reserving:
        await meter.settle(id, Usage())
