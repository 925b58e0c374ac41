"""The host's end of the wire: a `Link` over a unix socket, or over any reader and writer.

Everything that comes in is hostile. What breaks the protocol ends the wire; the application sees
`SandboxGone` with the reason, never the offending bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from . import streams
from .checks import CodecError, count, optional, text
from .codec import command_to_json, report_from_json
from .commands import Command
from .provider import SandboxError, SandboxGone, StreamHandler, StreamReset, SupervisorHello
from .reports import Numbered
from .streams import Stream, WireLost
from .strict_json import JsonObject
from .wire import Wire

ATTACH_SECONDS = 10.0
PING_SECONDS = 20.0
SILENCE_SECONDS = 60.0
"""A wire on which a ping stays unanswered for so long is given up."""


async def connect(
    socket_path: Path,
    *,
    epoch: int,
    after: int,
    handlers: Mapping[str, StreamHandler],
    silence: float = SILENCE_SECONDS,
) -> WireLink:
    """Attach to the supervisor that listens on `socket_path`; see `Provider.attach`."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
    except OSError as error:
        raise SandboxGone(f"no supervisor listens: {error.strerror or error}") from error
    return await attach_over(
        reader, writer, epoch=epoch, after=after, handlers=handlers, silence=silence
    )


async def attach_over(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    epoch: int,
    after: int,
    handlers: Mapping[str, StreamHandler],
    silence: float = SILENCE_SECONDS,
) -> WireLink:
    """Attach over a byte stream that already leads to a supervisor."""
    link = WireLink(reader, writer, handlers=handlers)
    try:
        async with asyncio.timeout(ATTACH_SECONDS):
            await link._attach(epoch, after)
    except TimeoutError:
        await link._wire.close("no answer to hello")
        raise SandboxGone("the supervisor did not answer") from None
    except BaseException:
        await link._wire.close("attach failed")
        raise
    link._keep_alive(silence)
    return link


class LinkStream:
    """`WireStream` over a stream of the wire."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def meta(self) -> Mapping[str, object]:
        return self._stream.meta

    async def read(self) -> bytes:
        with _in_our_words():
            return await self._stream.read()

    async def write(self, data: bytes) -> None:
        with _in_our_words():
            await self._stream.write(data)

    async def close(self) -> None:
        with _in_our_words():
            await self._stream.close()

    async def reset(self, reason: str) -> None:
        await self._stream.reset(reason)


class WireLink:
    """`Link` over a wire. Made by `connect` and `attach_over`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        handlers: Mapping[str, StreamHandler],
    ) -> None:
        self._handlers = handlers
        self._wire = Wire(reader, writer, initiator=True, accept=self._accept)
        self._after = 0
        self._last = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._hello: SupervisorHello | None = None
        self.gateway_port = 0
        """Where the supervisor's HTTP proxy listens inside the sandbox."""

    @property
    def hello(self) -> SupervisorHello:
        assert self._hello is not None
        return self._hello

    @property
    def lost(self) -> str | None:
        """Why the wire is gone, or None while it stands."""
        return self._wire.lost.reason if self._wire.lost else None

    async def send(self, command: Command) -> None:
        with _in_our_words():
            await self._wire.send_control(command_to_json(command))
            await self._wire.flush()

    async def reports(self) -> AsyncIterator[Numbered]:
        while True:
            with _in_our_words():
                message = await self._wire.control()
            try:
                numbered = report_from_json(message)
            except CodecError as error:
                await self._refuse(str(error))
            if numbered.seq != self._last + 1:
                await self._refuse(f"report {numbered.seq} after report {self._last}")
            self._last = numbered.seq
            yield numbered

    async def acknowledge(self, seq: int) -> None:
        with _in_our_words():
            await self._wire.send_control({"ack": seq})

    async def open(self, kind: str, meta: Mapping[str, object]) -> LinkStream:
        with _in_our_words():
            return LinkStream(self._wire.open(kind, meta))

    async def ping(self) -> None:
        """One round trip to the supervisor, ahead of all stream data."""
        with _in_our_words():
            await self._wire.ping()

    async def close(self) -> None:
        await self._wire.close("closed by the host")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ----------------------------------------------------------------------------------------

    async def _attach(self, epoch: int, after: int) -> None:
        self._wire.start()
        with _in_our_words():
            self._wire.say_hello({"v": 1, "epoch": epoch, "after": after})
            answer = await self._wire.hello()
        if "error" in answer:
            raise SandboxError(f"the supervisor refused: {_refusal(answer)}")
        try:
            self._hello, first, self.gateway_port = _hello_from(answer)
        except CodecError as error:
            raise SandboxGone(f"the supervisor's hello: {error}") from error
        if not first <= after + 1 <= self._hello.last_seq + 1:
            raise SandboxError(
                f"reports after {after} were asked for, the supervisor has "
                f"{first} to {self._hello.last_seq}"
            )
        self._last = after

    def _keep_alive(self, silence: float) -> None:
        self._start(self._ping_on(silence), "wire keep-alive")

    async def _ping_on(self, silence: float) -> None:
        with contextlib.suppress(WireLost):
            while True:
                try:
                    async with asyncio.timeout(silence):
                        await self._wire.ping()
                except TimeoutError:
                    self._wire.lose(f"no sign of life for {silence:.0f} s")
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(PING_SECONDS, silence / 3)):
                        await self._wire.wait_lost()

    def _accept(self, stream: Stream) -> None:
        self._start(self._serve(stream), f"{stream.kind[:20]!r} stream")

    def _start(self, work: object, name: str) -> None:
        assert asyncio.iscoroutine(work)
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"handler of a {task.get_name()} failed", "exception": error}
            )

    async def _serve(self, stream: Stream) -> None:
        handler = self._handlers.get(stream.kind)
        if handler is None:
            await stream.reset("no such kind of stream here")
            return
        try:
            await handler(LinkStream(stream))
            await stream.close()
            stream.discard()
        except (SandboxGone, StreamReset, WireLost, streams.StreamReset):
            await stream.reset("the other side went away")
        except BaseException:
            await stream.reset("the handler failed")
            raise

    async def _refuse(self, reason: str) -> None:
        await self._wire.close(f"protocol error: {reason}")
        raise SandboxGone(f"protocol error: {reason}")


class _in_our_words:
    """Says the wire's errors as the port's errors."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case WireLost(reason=reason):
                raise SandboxGone(f"the wire to the sandbox is gone: {reason}") from error
            case streams.StreamReset(reason=reason):
                raise StreamReset(reason) from error


def _refusal(answer: JsonObject) -> str:
    try:
        reason: str = text(200)(answer["error"])
    except CodecError:
        return "without a readable reason"
    return reason


def _hello_from(answer: JsonObject) -> tuple[SupervisorHello, int, int]:
    if answer.get("v") != 1:
        raise CodecError("not version 1")
    phase = text(32)(answer.get("phase"))
    hello = SupervisorHello(
        phase=phase,
        last_seq=count(answer.get("last_seq")),
        running_turn=optional(count)(answer.get("running_turn")),
        finished_turn=optional(count)(answer.get("finished_turn")),
    )
    return hello, count(answer.get("first_seq", 1)), count(answer.get("gateway_port", 0))
