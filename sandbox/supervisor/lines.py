"""Cuts an agent's output into lines, in bounded memory however long a line is."""

from __future__ import annotations

from dataclasses import dataclass

MAX_LINE = 8 << 20
_HEAD = 4 << 10


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line over the limit: only its beginning was kept."""

    head: bytes


class LineCutter:
    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._head: bytes | None = None

    def feed(self, data: bytes) -> list[bytes | TooLong]:
        """All lines that are complete now, without their ends."""
        first, *others = data.split(b"\n")
        self._add(first)
        lines: list[bytes | TooLong] = []
        for other in others:
            lines.append(self._take())
            self._add(other)
        return lines

    def rest(self) -> list[bytes | TooLong]:
        """What stands after the last newline, at the end of the output."""
        return [self._take()] if self._size else []

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._head is not None:
            return
        self._parts.append(part)
        if self._size > self._limit:
            self._head = b"".join(self._parts)[:_HEAD]
            self._parts = []

    def _take(self) -> bytes | TooLong:
        line = b"".join(self._parts) if self._head is None else TooLong(self._head)
        self._parts, self._size, self._head = [], 0, None
        return line
