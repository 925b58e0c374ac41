"""Reads a pack as it comes, before git does: sizes and kinds, so that a bomb never goes off.

A pack says how large each object is, and a delta how large its result will be; git believes it
and allocates. Here both are summed and bounded first, and every byte is accounted for.
https://git-scm.com/docs/gitformat-pack
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import Enum, auto

from .errors import CourierRefused

_TYPES = {1: "commit", 2: "tree", 3: "blob", 6: "delta", 7: "delta"}
_TAG = 4
_SLICE = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PackLimits:
    """In bytes, except `objects`. `unpacked` sums what all objects are once unpacked."""

    pack: int = 100 << 20
    objects: int = 50_000
    single: int = 50 << 20
    unpacked: int = 500 << 20


class _State(Enum):
    HEADER = auto()
    ENTRY = auto()
    BODY = auto()
    TRAILER = auto()
    DONE = auto()


class PackScanner:
    """`feed` all of it, then `finish`. Both raise `CourierRefused`."""

    def __init__(self, limits: PackLimits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._state = _State.HEADER
        self._left = 0
        self._kind = ""
        self._declared = 0
        self._inflated = 0
        self._delta_head = bytearray()
        self._inflate = zlib.decompressobj()
        self.bytes = 0
        self.objects = 0
        self.unpacked = 0

    def feed(self, data: bytes) -> None:
        self.bytes += len(data)
        if self.bytes > self._limits.pack:
            raise CourierRefused(f"The work is larger than {self._limits.pack >> 20} MiB.")
        self._buffer += data
        while self._step():
            pass

    def finish(self) -> None:
        if self._state is not _State.DONE or self._buffer:
            raise CourierRefused("The work did not come out of the sandbox whole.")

    def _step(self) -> bool:
        match self._state:
            case _State.HEADER:
                return self._header()
            case _State.ENTRY:
                return self._entry()
            case _State.BODY:
                return self._body()
            case _State.TRAILER:
                if len(self._buffer) < 20:
                    return False
                del self._buffer[:20]
                self._state = _State.DONE
                return True
            case _State.DONE:
                if self._buffer:
                    raise _malformed("bytes follow its end")
                return False

    def _header(self) -> bool:
        if len(self._buffer) < 12:
            return False
        head = bytes(self._buffer[:12])
        del self._buffer[:12]
        if head[:4] != b"PACK" or int.from_bytes(head[4:8], "big") not in (2, 3):
            raise _malformed("it does not begin as one")
        self.objects = int.from_bytes(head[8:], "big")
        if self.objects > self._limits.objects:
            raise CourierRefused(
                f"The work has more than {self._limits.objects} git objects in it."
            )
        self._left = self.objects
        self._state = _State.ENTRY if self._left else _State.TRAILER
        return True

    def _entry(self) -> bool:
        """Type and size, then for a delta its base."""
        at, shift, size = 0, 4, 0
        if not self._buffer:
            return False
        byte = self._buffer[0]
        kind, size = (byte >> 4) & 7, byte & 15
        while byte & 0x80:
            at += 1
            if at > 9:
                raise _malformed("an object's size makes no sense")
            if at >= len(self._buffer):
                return False
            byte = self._buffer[at]
            size |= (byte & 0x7F) << shift
            shift += 7
        at += 1
        if kind == _TAG:
            raise CourierRefused("The work contains a tag; only commits are taken.")
        if kind not in _TYPES:
            raise _malformed("it has an object of no known type")
        if kind == 7:
            at += 20
        elif kind == 6:
            while True:
                at += 1
                if at > 20:
                    raise _malformed("a delta's base makes no sense")
                if at > len(self._buffer):
                    return False
                if not self._buffer[at - 1] & 0x80:
                    break
        if at > len(self._buffer):
            return False
        del self._buffer[:at]
        self._kind, self._declared, self._inflated = _TYPES[kind], size, 0
        self._count(size)
        self._delta_head.clear()
        self._inflate = zlib.decompressobj()
        self._state = _State.BODY
        return True

    def _body(self) -> bool:
        if not self._buffer:
            return False
        given = bytes(self._buffer)
        self._buffer.clear()
        while given and not self._inflate.eof:
            try:
                piece = self._inflate.decompress(given, _SLICE)
            except zlib.error:
                raise _malformed("an object in it is damaged") from None
            given = self._inflate.unconsumed_tail
            self._inflated += len(piece)
            if self._inflated > self._declared:
                raise _malformed("an object is larger than it says")
            if self._kind == "delta" and len(self._delta_head) < 20:
                self._delta_head += piece[:20]
        if not self._inflate.eof:
            return False
        self._buffer += self._inflate.unused_data
        if self._inflated != self._declared:
            raise _malformed("an object is smaller than it says")
        if self._kind == "delta":
            self._count(_result_size(bytes(self._delta_head)))
        self._left -= 1
        self._state = _State.ENTRY if self._left else _State.TRAILER
        return True

    def _count(self, size: int) -> None:
        if size > self._limits.single:
            raise CourierRefused(
                f"The work contains a file larger than {self._limits.single >> 20} MiB."
            )
        self.unpacked += size
        if self.unpacked > self._limits.unpacked:
            raise CourierRefused(
                f"The work is larger than {self._limits.unpacked >> 20} MiB once unpacked."
            )


def _result_size(head: bytes) -> int:
    """The second of the two numbers that a delta begins with."""
    at = 0
    size = 0
    for _ in range(2):
        size, shift = 0, 0
        while True:
            if at >= len(head) or shift > 63:
                raise _malformed("a delta in it is damaged")
            byte = head[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
    return size


def _malformed(why: str) -> CourierRefused:
    return CourierRefused(f"What came out of the sandbox is not a git pack: {why}.")
