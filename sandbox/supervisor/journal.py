"""Every report on disk, numbered from 1 without gaps, until the host has it.

Segments `<first seq>.jsonl`; acknowledged ones go once more than `KEEP` bytes are held, so that a
host that lost its own newest notes can still ask for the reports again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from ..codec import report_to_json
from ..reports import Numbered, Report
from ..strict_json import BadJson, JsonObject, bytes_from_object, object_from_bytes

SEGMENT = 2 << 20
KEEP = 16 << 20


class Journal:
    """Append-only; one writer. `clock` is the sandbox's own."""

    def __init__(
        self, directory: Path, *, clock: Callable[[], float], segment: int = SEGMENT
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._clock = clock
        self._limit = segment
        self._acknowledged = 0
        self._changed = asyncio.Event()
        self._segments = sorted(int(path.stem) for path in directory.glob("*.jsonl"))
        self._last = _recover(self._path(self._segments[-1])) if self._segments else 0
        if not self._segments:
            self._segments = [1]
        if not self._last:
            self._last = self._segments[-1] - 1
        self._file: BinaryIO = self._path(self._segments[-1]).open("ab", buffering=0)

    @property
    def first_seq(self) -> int:
        return self._segments[0]

    @property
    def last_seq(self) -> int:
        return self._last

    def append(self, report: Report) -> int:
        """Number and keep one report; whoever follows the journal sees it at once.

        Returns how many bytes it took.
        """
        numbered = Numbered(seq=self._last + 1, at=self._clock(), report=report)
        line = bytes_from_object(report_to_json(numbered)) + b"\n"
        if self._file.tell() and self._file.tell() + len(line) > self._limit:
            self._file.close()
            self._segments.append(numbered.seq)
            self._file = self._path(numbered.seq).open("ab", buffering=0)
        self._file.write(line)
        self._last = numbered.seq
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        return len(line)

    def acknowledge(self, seq: int) -> None:
        """Reports up to `seq` may go when space is needed."""
        self._acknowledged = max(self._acknowledged, min(seq, self._last))
        sizes = {first: self._path(first).stat().st_size for first in self._segments}
        while len(self._segments) > 1 and sum(sizes.values()) > KEEP:
            first, following = self._segments[:2]
            if following - 1 > self._acknowledged:
                return
            self._path(first).unlink()
            del self._segments[0], sizes[first]

    async def follow(self, after: int) -> AsyncIterator[JsonObject]:
        """Reports as JSON from `after` + 1 on, then new ones as they come, without end."""
        seen = after
        position: tuple[int, int] = (0, 0)
        while True:
            changed = self._changed
            if seen < self._last:
                segment = max((s for s in self._segments if s <= seen + 1), default=self.first_seq)
                if position[0] != segment:
                    position = (segment, 0)
                with self._path(segment).open("rb") as file:
                    file.seek(position[1])
                    for line in file:
                        position = (segment, position[1] + len(line))
                        message = object_from_bytes(line)
                        seq = message["seq"]
                        assert isinstance(seq, int)
                        if seq > seen:
                            seen = seq
                            yield message
            else:
                await changed.wait()

    def close(self) -> None:
        self._file.close()

    def _path(self, first: int) -> Path:
        return self._directory / f"{first:010d}.jsonl"


def _recover(path: Path) -> int:
    """The last whole report of a segment; half a line at its end is cut off. 0 where none is."""
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) != len(data):
        os.truncate(path, len(whole))
    for line in reversed(whole.splitlines()):
        with contextlib.suppress(BadJson):
            seq = object_from_bytes(line).get("seq")
            if isinstance(seq, int):
                return seq
    return 0
