"""The two halves of a stream that carries a pack: one JSON line, and bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from sandbox.provider import WireStream

from .errors import CourierRefused

MAX_LINE = 64 << 10
SILENCE_SECONDS = 120.0


class Incoming:
    """Reads what the supervisor says on a stream. Raises `CourierRefused` for nonsense and for
    silence, and whatever the stream raises where it ends early."""

    def __init__(self, stream: WireStream) -> None:
        self._stream = stream
        self._rest = bytearray()

    async def line(self, seconds: float = SILENCE_SECONDS) -> dict[str, object]:
        while (end := self._rest.find(b"\n", 0, MAX_LINE)) < 0:
            chunk = await self._read(seconds)
            self._rest += chunk
            if not chunk or len(self._rest) > MAX_LINE + (64 << 10):
                raise CourierRefused("The sandbox did not say what it has.")
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise CourierRefused("The sandbox did not say what it has.")
        return value

    async def chunks(self) -> AsyncIterator[bytes]:
        """All bytes after the line."""
        if self._rest:
            yield bytes(self._rest)
            self._rest.clear()
        while chunk := await self._read(SILENCE_SECONDS):
            yield chunk

    async def _read(self, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await self._stream.read()
        except TimeoutError:
            raise CourierRefused("The sandbox stopped in the middle of handing over.") from None


def words(value: object, most: int = 500) -> str:
    """A sandbox's own words, as far as they are text that may be shown."""
    text = value if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else " " for c in text[:most]).strip()
