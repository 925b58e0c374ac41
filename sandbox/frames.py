"""Frames on the wire, without any I/O: bytes to frames and back. Standard library only.

A frame is type (u8), stream (u32), length (u16), payload. The length field cannot express more
than 65,535 bytes, so an oversized frame cannot even be said. Bit 7 of the type means that the
message goes on in the next frame of the same type.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

HEADER = struct.Struct("!BIH")
MAX_PAYLOAD = 0xFFFF
MAX_MESSAGE = 1 << 20
"""Largest control message, all its fragments together."""
MORE = 0x80


class ProtocolError(Exception):
    """The other side broke the protocol; the wire is closed with this reason."""


class FrameType(IntEnum):
    HELLO = 1
    CONTROL = 2
    OPEN = 3
    DATA = 4
    CREDIT = 5
    CLOSE = 6
    RESET = 7
    PING = 8
    PONG = 9


STREAMLESS = frozenset({FrameType.HELLO, FrameType.CONTROL, FrameType.PING, FrameType.PONG})
NEEDS_STREAM = frozenset({FrameType.OPEN, FrameType.DATA, FrameType.CLOSE})
"""CREDIT and RESET mean the control channel and the whole wire where the stream is 0."""
FRAGMENTED = frozenset({FrameType.HELLO, FrameType.CONTROL})
_KNOWN = {int(kind): kind for kind in FrameType}


@dataclass(frozen=True, slots=True)
class Frame:
    type: FrameType
    stream: int
    payload: bytes
    more: bool = False


def encode(frame: Frame) -> bytes:
    """The bytes of one frame; its payload must fit."""
    if len(frame.payload) > MAX_PAYLOAD:
        raise ValueError(f"payload of {len(frame.payload)} bytes does not fit into a frame")
    kind = int(frame.type) | (MORE if frame.more else 0)
    return HEADER.pack(kind, frame.stream, len(frame.payload)) + frame.payload


def fragments(kind: FrameType, message: bytes) -> list[bytes]:
    """A message of up to `MAX_MESSAGE` bytes as encoded frames on stream 0."""
    if len(message) > MAX_MESSAGE:
        raise ValueError(f"control message of {len(message)} bytes is over {MAX_MESSAGE}")
    cuts = range(0, max(len(message), 1), MAX_PAYLOAD)
    return [
        encode(Frame(kind, 0, message[at : at + MAX_PAYLOAD], at + MAX_PAYLOAD < len(message)))
        for at in cuts
    ]


class FrameDecoder:
    """Cuts a byte stream into frames. Holds at most one unfinished frame between calls."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def mid_frame(self) -> bool:
        """True where the bytes so far end inside a frame."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """All frames complete by now. Raises `ProtocolError` on one that makes no sense."""
        self._buffer += data
        frames: list[Frame] = []
        at = 0
        size = len(self._buffer)
        while size - at >= HEADER.size:
            kind, stream, length = HEADER.unpack_from(self._buffer, at)
            _check(kind, stream, length)
            end = at + HEADER.size + length
            if size < end:
                break
            payload = bytes(memoryview(self._buffer)[at + HEADER.size : end])
            frames.append(Frame(_KNOWN[kind & ~MORE], stream, payload, bool(kind & MORE)))
            at = end
        if at:
            del self._buffer[:at]
        return frames


def _check(kind: int, stream: int, length: int) -> None:
    """Refuse on the header alone, before any payload is kept."""
    known = _KNOWN.get(kind & ~MORE)
    if known is None:
        raise ProtocolError(f"unknown frame type {kind & ~MORE}")
    if kind & MORE and known not in FRAGMENTED:
        raise ProtocolError(f"{known.name} cannot be fragmented")
    if known in STREAMLESS and stream != 0:
        raise ProtocolError(f"{known.name} on stream {stream}")
    if known in NEEDS_STREAM and stream == 0:
        raise ProtocolError(f"{known.name} without a stream")
    if known is FrameType.CREDIT and length != 4:
        raise ProtocolError(f"CREDIT of {length} bytes")
    if known is FrameType.CLOSE and length:
        raise ProtocolError("CLOSE with a payload")
    if known in (FrameType.PING, FrameType.PONG) and length != 8:
        raise ProtocolError(f"{known.name} of {length} bytes")


class MessageAssembler:
    """Joins fragments into whole messages of at most `MAX_MESSAGE` bytes."""

    def __init__(self) -> None:
        self._message = bytearray()
        self._kind: FrameType | None = None

    def add(self, frame: Frame) -> bytes | None:
        """The message that this frame completes, or None."""
        if self._kind is not None and frame.type is not self._kind:
            raise ProtocolError(f"{frame.type.name} inside a {self._kind.name} message")
        if len(self._message) + len(frame.payload) > MAX_MESSAGE:
            raise ProtocolError(f"control message over {MAX_MESSAGE} bytes")
        if not frame.payload and frame.more:
            raise ProtocolError("an empty fragment that goes on")
        self._message += frame.payload
        if frame.more:
            self._kind = frame.type
            return None
        message = bytes(self._message)
        self._message, self._kind = bytearray(), None
        return message
