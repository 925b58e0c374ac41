"""One bidirectional byte stream on a wire, with credit. Standard library only.

A slow reader leaves its credit unreturned, so only its own writer waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Protocol

from .frames import Frame, FrameType, ProtocolError

WINDOW = 256 << 10
"""Bytes that may be on their way or unread, per stream and direction."""
CHUNK = 16 << 10
"""Data bytes per frame: what a control message may have to wait for."""
_OUTBOX = 4 * CHUNK
_TAKE = 4 * CHUNK


class WireLost(Exception):
    """The wire ended; `reason` says why in words (`evicted`, `protocol error: ...`)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StreamReset(Exception):
    """One side ended this stream early; `reason` is what it said."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StreamHost(Protocol):
    """What a stream needs of its wire."""

    def announce(self, stream: Stream) -> None: ...
    def grant(self, stream: int, size: int) -> None: ...
    def say_reset(self, stream: int, reason: str) -> None: ...
    def retire(self, stream: Stream) -> None: ...


class Stream:
    """Made by the wire only. One task may read while another one writes."""

    def __init__(self, wire: StreamHost, id: int, kind: str, meta: Mapping[str, object]) -> None:
        self.id = id
        self.kind = kind
        self.announced = False
        self._wire = wire
        self._meta = meta
        self._inbox = bytearray()
        self._receive_credit = WINDOW
        self._owed = 0
        self._their_end = False
        self._discarding = False
        self._readable = asyncio.Event()
        self._outbox: deque[bytes] = deque()
        self._outbox_size = 0
        self._send_credit = WINDOW
        self._our_end = False
        self._end_sent = False
        self._writable = asyncio.Event()
        self._over: WireLost | StreamReset | None = None

    @property
    def meta(self) -> Mapping[str, object]:
        return self._meta

    @property
    def over(self) -> WireLost | StreamReset | None:
        """Why this stream ended early, or None."""
        return self._over

    async def read(self) -> bytes:
        """The next bytes, `b""` at the end. Raises `StreamReset` or `WireLost`."""
        while not self._inbox:
            if self._their_end:
                return b""
            self._raise_if_over()
            self._readable.clear()
            await self._readable.wait()
        data = bytes(self._inbox[:_TAKE])
        del self._inbox[:_TAKE]
        self._give_back(len(data))
        return data

    async def write(self, data: bytes) -> None:
        """Queue bytes, waiting while the other side does not read."""
        if self._our_end:
            raise ValueError("write after close")
        for at in range(0, len(data), CHUNK):
            self._raise_if_over()
            while self._outbox_size >= _OUTBOX:
                await self._wait_writable()
            piece = data[at : at + CHUNK]
            self._outbox.append(piece)
            self._outbox_size += len(piece)
            self._announce()
        self._raise_if_over()

    async def close(self) -> None:
        """End our direction, once all that was written has left."""
        self._raise_if_over()
        self._our_end = True
        self._announce()
        while not self._end_sent:
            await self._wait_writable()

    async def reset(self, reason: str) -> None:
        """End both directions at once; the other side sees the reason."""
        if self._over is None and not (self._end_sent and self._their_end):
            self._wire.say_reset(self.id, reason)
            self._finish(StreamReset(reason))
            self._wire.retire(self)

    def discard(self) -> None:
        """Read on without keeping anything, so that the other side can end in peace."""
        self._discarding = True
        self._give_back(len(self._inbox))
        self._inbox.clear()

    # -- for the wire ------------------------------------------------------------------------

    def next_frame(self) -> Frame | None:
        """The frame to send now, or None where nothing is left or no credit is."""
        if self._over is not None:
            return None
        if self._outbox and self._send_credit:
            piece = self._outbox.popleft()
            if len(piece) > self._send_credit:
                self._outbox.appendleft(piece[self._send_credit :])
                piece = piece[: self._send_credit]
            self._outbox_size -= len(piece)
            self._send_credit -= len(piece)
            self._writable.set()
            self._announce()
            return Frame(FrameType.DATA, self.id, piece)
        if self._our_end and not self._outbox and not self._end_sent:
            self._end_sent = True
            self._writable.set()
            if self._their_end:
                self._wire.retire(self)
            return Frame(FrameType.CLOSE, self.id, b"")
        return None

    def take(self, frame: Frame) -> None:
        """A DATA, CREDIT or CLOSE frame of the other side."""
        if frame.type is FrameType.CREDIT:
            credit = int.from_bytes(frame.payload, "big")
            self._send_credit += credit
            if not credit or self._send_credit > WINDOW:
                raise ProtocolError(f"credit beyond the window on stream {self.id}")
            self._announce()
            return
        if self._their_end:
            raise ProtocolError(f"{frame.type.name} after CLOSE on stream {self.id}")
        if frame.type is FrameType.CLOSE:
            self._their_end = True
            if self._end_sent:
                self._wire.retire(self)
        else:
            size = len(frame.payload)
            if not size:
                raise ProtocolError("DATA without data")
            self._receive_credit -= size
            if self._receive_credit < 0:
                raise ProtocolError(f"data beyond credit on stream {self.id}")
            if self._discarding:
                self._give_back(size)
            else:
                self._inbox += frame.payload
        self._readable.set()

    def take_reset(self, reason: str) -> None:
        if not self._their_end:
            self._inbox.clear()
        self._finish(StreamReset(reason))
        self._wire.retire(self)

    def lose(self, lost: WireLost) -> None:
        self._finish(lost)

    # ----------------------------------------------------------------------------------------

    def _finish(self, why: WireLost | StreamReset) -> None:
        self._over = self._over or why
        self._outbox.clear()
        self._outbox_size = 0
        self._readable.set()
        self._writable.set()

    def _give_back(self, size: int) -> None:
        self._receive_credit += size
        self._owed += size
        if self._owed >= WINDOW // 4 and not self._their_end and self._over is None:
            self._wire.grant(self.id, self._owed)
            self._owed = 0

    def _announce(self) -> None:
        if (self._outbox and self._send_credit) or (
            self._our_end and not self._outbox and not self._end_sent
        ):
            self._wire.announce(self)

    async def _wait_writable(self) -> None:
        self._raise_if_over()
        self._writable.clear()
        await self._writable.wait()
        self._raise_if_over()

    def _raise_if_over(self) -> None:
        match self._over:
            case WireLost(reason=reason):
                raise WireLost(reason)
            case StreamReset(reason=reason):
                raise StreamReset(reason)
