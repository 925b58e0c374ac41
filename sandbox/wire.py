"""The one channel to a sandbox: control first, streams share the rest. Standard library only.

Every buffer here is bounded by credit: a stream holds at most `WINDOW` bytes that its reader has
not taken, the control channel at most `CONTROL_WINDOW`. Whatever the other side sends, the worst
that happens is that the wire is lost with a reason; nothing is raised into the reading loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping

from .frames import (
    Frame,
    FrameDecoder,
    FrameType,
    MessageAssembler,
    ProtocolError,
    encode,
    fragments,
)
from .outgoing import Outgoing
from .streams import CHUNK, Stream, WireLost
from .strict_json import BadJson, JsonObject, bytes_from_object, object_from_bytes

CONTROL_WINDOW = 2 << 20
CONTROL_OVERHEAD = 64
"""What a control frame costs beside its bytes, so that tiny ones cannot pile up for free."""
MAX_STREAMS = 256
"""Streams of the other side open at once; a wire itself opens half as many, because the two
sides see a stream end at different times."""
MAX_REASON = 1024
PARTING_SECONDS = 1.0


class Wire:
    """One end of the wire over a reader and a writer. The initiator's streams have odd ids."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        initiator: bool,
        accept: Callable[[Stream], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._accept = accept
        self._streams: dict[int, Stream] = {}
        self._next_local = 1 if initiator else 2
        self._last_remote = 0
        self._remote_parity = 0 if initiator else 1
        self._outgoing = Outgoing()
        self._assembler = MessageAssembler()
        self._hello: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        self._controls: deque[tuple[JsonObject, int]] = deque()
        self._control_cost = 0
        self._control_came = asyncio.Event()
        self._receive_window = CONTROL_WINDOW
        self._send_window = CONTROL_WINDOW
        self._window_opened = asyncio.Event()
        self._control_order = asyncio.Lock()
        self._pings: dict[int, asyncio.Future[None]] = {}
        self._ping_count = 0
        self._lost: WireLost | None = None
        self._ended = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.bytes_received = 0

    def start(self) -> None:
        """Begin to read and write."""
        transport = self._writer.transport
        transport.set_write_buffer_limits(high=4 * CHUNK, low=CHUNK)
        self._tasks = [
            asyncio.create_task(self._read_loop(), name="wire reader"),
            asyncio.create_task(self._write_loop(), name="wire writer"),
        ]

    # -- control -----------------------------------------------------------------------------

    def say_hello(self, hello: Mapping[str, object]) -> None:
        """The first thing either side says."""
        for frame in fragments(FrameType.HELLO, bytes_from_object(hello)):
            self._say(frame)

    async def hello(self) -> JsonObject:
        """The other side's hello. Raises `WireLost`."""
        return await asyncio.shield(self._hello)

    async def send_control(self, message: Mapping[str, object]) -> None:
        """Queue one control message ahead of all stream data, waiting while the window is full.

        All of its fragments or none are sent, also where the caller is cancelled.
        """
        encoded = fragments(FrameType.CONTROL, bytes_from_object(message))
        cost = sum(len(frame) + CONTROL_OVERHEAD for frame in encoded)
        async with self._control_order:
            while self._send_window < cost:
                self._raise_if_lost()
                self._window_opened.clear()
                await self._window_opened.wait()
            self._raise_if_lost()
            self._send_window -= cost
            for frame in encoded:
                self._say(frame)

    async def flush(self) -> None:
        """Wait until all control queued so far is with the operating system."""
        self._raise_if_lost()
        await self._outgoing.marker()

    async def control(self) -> JsonObject:
        """The next control message. Raises `WireLost` after the last one."""
        while not self._controls:
            self._raise_if_lost()
            self._control_came.clear()
            await self._control_came.wait()
        message, cost = self._controls.popleft()
        self._receive_window += cost
        self.grant(0, cost)
        return message

    async def ping(self) -> None:
        """One round trip. Raises `WireLost`. The newest PONG answers all PINGs before it."""
        self._raise_if_lost()
        self._ping_count += 1
        number = self._ping_count
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pings[number] = answer
        self._say(encode(Frame(FrameType.PING, 0, number.to_bytes(8, "big"))))
        try:
            await answer
        finally:
            self._pings.pop(number, None)

    # -- streams -----------------------------------------------------------------------------

    def open(self, kind: str, meta: Mapping[str, object]) -> Stream:
        """Open a stream. Raises `WireLost`, and `ValueError` where `meta` does not fit a frame
        or too many streams are open."""
        self._raise_if_lost()
        ours = sum(1 for id in self._streams if id % 2 != self._remote_parity)
        if ours >= MAX_STREAMS // 2:
            raise ValueError(f"{ours} streams are open already")
        opening = bytes_from_object({"kind": kind, "meta": meta})
        frame = encode(Frame(FrameType.OPEN, self._next_local, opening))
        stream = Stream(self, self._next_local, kind, meta)
        self._next_local += 2
        self._streams[stream.id] = stream
        self._say(frame)
        return stream

    def announce(self, stream: Stream) -> None:
        """`stream` has something to send and the credit for it."""
        self._outgoing.announce(stream)

    def grant(self, stream: int, size: int) -> None:
        """Let the other side send `size` more bytes; sums are sent, so they cannot pile up."""
        self._outgoing.grant(stream, size)

    def say_reset(self, stream: int, reason: str) -> None:
        payload = reason.encode("utf-8", "replace")[:MAX_REASON]
        self._say(encode(Frame(FrameType.RESET, stream, payload)))

    def retire(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        self._outgoing.forget(stream.id)

    # -- the end -----------------------------------------------------------------------------

    @property
    def lost(self) -> WireLost | None:
        return self._lost

    async def wait_lost(self) -> WireLost:
        await self._ended.wait()
        assert self._lost is not None
        return self._lost

    async def close(self, reason: str) -> None:
        """Tell the other side why, wait at most a second for it to leave, and let go."""
        await self._part(reason)
        for task in self._tasks:
            if task is not asyncio.current_task():
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _part(self, reason: str) -> None:
        if self._lost is not None:
            return
        self.say_reset(0, reason)
        self._writer.transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(WireLost, TimeoutError, OSError):
            async with asyncio.timeout(PARTING_SECONDS):
                await self.flush()
                await self._writer.drain()
        self.lose(reason)

    def lose(self, reason: str) -> None:
        """The wire is over: everybody who waits on it gets `WireLost`."""
        if self._lost is not None:
            return
        self._lost = lost = WireLost(reason)
        for stream in list(self._streams.values()):
            stream.lose(lost)
        self._streams.clear()
        if not self._hello.done():
            self._hello.set_exception(lost)
            self._hello.exception()  # somebody may never ask
        for answer in self._pings.values():
            if not answer.done():
                answer.set_exception(lost)
                answer.exception()
        self._outgoing.fail(lost)
        self._control_came.set()
        self._window_opened.set()
        self._ended.set()
        transport = self._writer.transport
        if transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()

    def _raise_if_lost(self) -> None:
        if self._lost is not None:
            raise WireLost(self._lost.reason)

    def _say(self, frame: bytes) -> None:
        if not self._outgoing.say(frame):
            self.lose("the other side does not read")

    # -- writing -----------------------------------------------------------------------------

    async def _write_loop(self) -> None:
        try:
            while self._lost is None:
                if batch := self._outgoing.next_bytes():
                    self._writer.write(batch)
                    await self._writer.drain()
                else:
                    await self._outgoing.wait()
        except OSError as error:
            self.lose(f"writing failed: {error.strerror or type(error).__name__}")

    # -- reading -----------------------------------------------------------------------------

    async def _read_loop(self) -> None:
        decoder = FrameDecoder()
        try:
            while self._lost is None:
                data = await self._reader.read(4 * CHUNK)
                if not data:
                    self.lose("cut in the middle of a frame" if decoder.mid_frame else "ended")
                    return
                self.bytes_received += len(data)
                for frame in decoder.feed(data):
                    self._take(frame)
                    if self.lost is not None:
                        return
        except ProtocolError as error:
            await self._part(f"protocol error: {error}")
        except OSError as error:
            self.lose(f"reading failed: {error.strerror or type(error).__name__}")

    def _take(self, frame: Frame) -> None:
        if not self._hello.done() and not (
            frame.type is FrameType.HELLO or (frame.type is FrameType.RESET and frame.stream == 0)
        ):
            raise ProtocolError(f"{frame.type.name} before HELLO")
        match frame.type:
            case FrameType.HELLO | FrameType.CONTROL:
                self._take_message(frame)
            case FrameType.PING:
                self._outgoing.pong(frame.payload)
            case FrameType.PONG:
                self._take_pong(int.from_bytes(frame.payload, "big"))
            case FrameType.OPEN:
                self._take_open(frame)
            case FrameType.CREDIT if frame.stream == 0:
                self._take_control_credit(int.from_bytes(frame.payload, "big"))
            case FrameType.RESET if frame.stream == 0:
                reason = _reason(frame.payload)
                self.lose(reason)
            case FrameType.DATA | FrameType.CREDIT | FrameType.CLOSE | FrameType.RESET:
                self._take_for_stream(frame)

    def _take_message(self, frame: Frame) -> None:
        if frame.type is FrameType.CONTROL:
            cost = len(frame.payload) + 7 + CONTROL_OVERHEAD
            self._control_cost += cost
            self._receive_window -= cost
            if self._receive_window < 0:
                raise ProtocolError("control beyond its window")
        message = self._assembler.add(frame)
        if message is None:
            return
        try:
            value = object_from_bytes(message)
        except BadJson as error:
            raise ProtocolError(f"{frame.type.name}: {error}") from None
        if frame.type is FrameType.HELLO:
            if self._hello.done():
                raise ProtocolError("a second HELLO")
            self._hello.set_result(value)
            return
        self._controls.append((value, self._control_cost))
        self._control_cost = 0
        self._control_came.set()

    def _take_pong(self, number: int) -> None:
        if not 0 < number <= self._ping_count:
            raise ProtocolError("PONG without PING")
        for waiting, answer in self._pings.items():
            if waiting <= number and not answer.done():
                answer.set_result(None)

    def _take_control_credit(self, credit: int) -> None:
        self._send_window += credit
        if not credit or self._send_window > CONTROL_WINDOW:
            raise ProtocolError("control credit beyond the window")
        self._window_opened.set()

    def _take_open(self, frame: Frame) -> None:
        if frame.stream % 2 != self._remote_parity or frame.stream <= self._last_remote:
            raise ProtocolError(f"OPEN of stream {frame.stream}")
        theirs = sum(1 for id in self._streams if id % 2 == self._remote_parity)
        if theirs >= MAX_STREAMS:
            raise ProtocolError(f"more than {MAX_STREAMS} streams")
        try:
            opening = object_from_bytes(frame.payload)
        except BadJson as error:
            raise ProtocolError(f"OPEN: {error}") from None
        kind, meta = opening.get("kind"), opening.get("meta")
        if not isinstance(kind, str) or not isinstance(meta, dict) or len(opening) != 2:
            raise ProtocolError("OPEN without kind and meta")
        self._last_remote = frame.stream
        stream = Stream(self, frame.stream, kind, meta)
        self._streams[stream.id] = stream
        self._accept(stream)

    def _take_for_stream(self, frame: Frame) -> None:
        stream = self._streams.get(frame.stream)
        if stream is not None:
            if frame.type is FrameType.RESET:
                stream.take_reset(_reason(frame.payload))
            else:
                stream.take(frame)
            return
        theirs = frame.stream % 2 == self._remote_parity
        was_open = frame.stream <= self._last_remote if theirs else frame.stream < self._next_local
        if not was_open:
            raise ProtocolError(f"{frame.type.name} on unknown stream {frame.stream}")
        # Otherwise it was on its way while we reset that stream: ignored.


def _reason(payload: bytes) -> str:
    if len(payload) > MAX_REASON:
        raise ProtocolError("a reason that is too long")
    return payload.decode("utf-8", "replace")
