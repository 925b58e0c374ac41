"""HTTP/1.1 on 127.0.0.1 for the agent's model calls, carried to the host as `http` streams.

No key and no upstream is known here. A call of which no byte was answered survives a host that
went away: its body is kept up to `REPLAY` bytes and sent again to the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Protocol

from ..checks import CodecError, text
from ..streams import Stream, StreamReset, WireLost
from ..strict_json import BadJson, object_from_bytes
from .http1 import Body, HttpError, Request, Responder, read_request

CONCURRENT = 64
CONNECTIONS = 256
PATIENCE_SECONDS = 60.0
REPLAY = 1 << 20
_MAX_HEAD = 64 << 10


class OpenStream(Protocol):
    async def __call__(
        self, kind: str, meta: Mapping[str, object], *, patience: float
    ) -> Stream: ...


class _Client(asyncio.StreamReaderProtocol):
    """Knows at once when the client is gone, also while nobody reads from it."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        reader = asyncio.StreamReader(limit=64 << 10, loop=loop)
        super().__init__(reader, gateway._connected, loop=loop)
        self.gone = asyncio.Event()

    def eof_received(self) -> bool | None:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


class Gateway:
    def __init__(
        self,
        open_stream: OpenStream,
        on_bytes: Callable[[], None],
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._open = open_stream
        self._on_bytes = on_bytes
        self._patience = patience
        self._slots = asyncio.Semaphore(CONCURRENT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, port: int) -> int:
        """Serve on `port` of 127.0.0.1, 0 for any free one; the port. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Client(self, loop), "127.0.0.1", port, backlog=256
        )
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ----------------------------------------------------------------------------------------

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="gateway client")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = writer.transport.get_protocol()
        assert isinstance(protocol, _Client)
        try:
            with contextlib.suppress(OSError):
                while await self._one(reader, writer, protocol.gone):
                    pass
        finally:
            writer.close()

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event
    ) -> bool:
        """Serve one request; True where the connection can carry another one."""
        responder = Responder(writer)
        try:
            request = await read_request(reader)
        except HttpError as error:
            await responder.error(error.status, str(error))
            return False
        if request is None:
            return False
        responder.answers(request)
        if len(self._tasks) > CONNECTIONS:
            await responder.error(503, "too many connections")
            return False
        body = Body(request, reader, writer, keep=REPLAY)
        work = asyncio.create_task(self._exchange(request, body, responder))
        left = asyncio.create_task(gone.wait())
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return False
            await work
        finally:
            left.cancel()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await work
        return responder.reusable and body.finished

    async def _exchange(self, request: Request, body: Body, responder: Responder) -> None:
        async with self._slots:
            while True:
                try:
                    stream = await self._open("http", request.meta(), patience=self._patience)
                except TimeoutError:
                    await responder.error(503, "nobody is there to answer model calls")
                    return
                except ValueError:
                    await responder.error(431, "the request's head is too large")
                    return
                if await self._carry(stream, body, responder):
                    return

    async def _carry(self, stream: Stream, body: Body, responder: Responder) -> bool:
        """One attempt; False where it may be made again, for no byte of an answer has come."""
        sending = asyncio.create_task(_send(stream, body))
        done = False
        try:
            status, headers, rest = await _answer_head(stream)
            self._on_bytes()
            await responder.head(status, headers)
            await responder.piece(rest)
            while data := await stream.read():
                self._on_bytes()
                await responder.piece(data)
            await responder.end()
            done = True
        except WireLost:
            if not responder.begun and body.repeatable:
                body.rewind()
                return False
            await responder.broken(502, "the host went away during this call")
        except StreamReset as error:
            await responder.broken(502, error.reason)
        except (BadJson, CodecError) as error:
            await responder.broken(502, f"the host's answer: {error}")
        finally:
            sending.cancel()
            with contextlib.suppress(
                asyncio.CancelledError, StreamReset, WireLost, HttpError, OSError
            ):
                await sending
            if not done or not body.finished:
                await stream.reset("the client went away")
        return True


async def _send(stream: Stream, body: Body) -> None:
    try:
        async for piece in body:
            await stream.write(piece)
        await stream.close()
    except HttpError as error:
        await stream.reset(str(error))
        raise


async def _answer_head(stream: Stream) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status and headers from the answer's first line, and what came after it."""
    head = b""
    while b"\n" not in head:
        data = await stream.read()
        if not data or len(head) > _MAX_HEAD:
            raise BadJson("no head")
        head += data
    line, _, rest = head.partition(b"\n")
    answer = object_from_bytes(line)
    status, pairs = answer.get("status"), answer.get("headers")
    if not isinstance(status, int) or not 200 <= status <= 599 or not isinstance(pairs, list):
        raise BadJson("no status and headers")
    headers = []
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadJson("a header that is no pair")
        headers.append((text(1 << 10)(pair[0]), text(_MAX_HEAD)(pair[1])))
    return status, headers, rest
