"""What a wire sends next: control first, then answers and credit, then streams in turn.

Standard library only. Credit is summed per stream and only the newest PONG is kept, so a side
that does not read cannot make these grow.
"""

from __future__ import annotations

import asyncio
from collections import deque

from .frames import Frame, FrameType, encode
from .streams import CHUNK, Stream

MAX_UNREAD = 65_536
"""Urgent frames waiting; a side that lets so many pile up does not read."""


class Outgoing:
    """The queue between a wire and its writer task."""

    def __init__(self) -> None:
        self._urgent: deque[bytes | asyncio.Future[None]] = deque()
        self._ready: deque[Stream] = deque()
        self._credit: dict[int, int] = {}
        self._pong: bytes | None = None
        self._wake = asyncio.Event()

    def say(self, frame: bytes) -> bool:
        """Queue an urgent frame; False where too many wait already."""
        self._urgent.append(frame)
        self._wake.set()
        return len(self._urgent) <= MAX_UNREAD

    def marker(self) -> asyncio.Future[None]:
        """Done when every urgent frame queued so far has been taken."""
        marker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._urgent.append(marker)
        self._wake.set()
        return marker

    def pong(self, payload: bytes) -> None:
        self._pong = payload
        self._wake.set()

    def announce(self, stream: Stream) -> None:
        if not stream.announced:
            stream.announced = True
            self._ready.append(stream)
        self._wake.set()

    def grant(self, stream: int, size: int) -> None:
        self._credit[stream] = self._credit.get(stream, 0) + size
        self._wake.set()

    def forget(self, stream: int) -> None:
        self._credit.pop(stream, None)

    def fail(self, error: Exception) -> None:
        """Nothing more will be sent: whoever waits for a marker gets `error`."""
        for waiting in self._urgent:
            if isinstance(waiting, asyncio.Future) and not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # the waiter may be gone
        self._urgent.clear()
        self._wake.set()

    async def wait(self) -> None:
        self._wake.clear()
        await self._wake.wait()

    def next_bytes(self) -> bytes:
        """The bytes to write now; empty where there is nothing to send."""
        parts: list[bytes] = []
        size = 0
        while self._urgent and size < CHUNK:
            item = self._urgent[0]
            if isinstance(item, asyncio.Future):
                if parts:
                    return b"".join(parts)  # reached again once these are written
                if not item.done():
                    item.set_result(None)
            else:
                parts.append(item)
                size += len(item)
            self._urgent.popleft()
        if self._pong is not None:
            parts.append(encode(Frame(FrameType.PONG, 0, self._pong)))
            self._pong = None
        for stream_id, credit in self._credit.items():
            parts.append(encode(Frame(FrameType.CREDIT, stream_id, credit.to_bytes(4, "big"))))
        self._credit.clear()
        if parts:
            return b"".join(parts)
        while self._ready:
            stream = self._ready.popleft()
            stream.announced = False
            frame = stream.next_frame()
            if frame is not None:
                return encode(frame)
        return b""
