"""The agent's calls of our tools, carried to the host as `tool` streams; see `ToolOffer`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ..checks import CodecError, flag, text
from ..commands import MAX_ANSWER, MAX_ARGUMENTS
from ..streams import Stream, StreamReset, WireLost
from ..strict_json import BadJson, bytes_from_object, object_from_bytes
from .clipping import clipped
from .gateway import PATIENCE_SECONDS, OpenStream

CONCURRENT = 8
ANSWER_SECONDS = 120.0
"""For one call with all its attempts, once its turn has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the agent is told; `error` says that the tool did not do it."""

    text: str
    error: bool


class ToolCalls:
    """Never raises for what a call or its answer holds: everything becomes words."""

    def __init__(self, open_stream: OpenStream, *, patience: float = PATIENCE_SECONDS) -> None:
        self._open = open_stream
        self._patience = patience
        self._slots = asyncio.Semaphore(CONCURRENT)

    async def call(self, tool: str, arguments: Mapping[str, object]) -> Answer:
        """Every tool may be called twice for once: a call whose host went away is made again."""
        try:
            body = bytes_from_object(arguments)
        except (ValueError, RecursionError):
            return _failed("these arguments cannot be written as JSON")
        if len(body) > MAX_ARGUMENTS:
            return _failed(f"the arguments are larger than {MAX_ARGUMENTS >> 10} KiB")
        async with self._slots:
            try:
                async with asyncio.timeout(ANSWER_SECONDS + self._patience):
                    return await self._until_answered(tool, body)
            except TimeoutError:
                return _failed(f"no answer came in {ANSWER_SECONDS:.0f} s")

    async def _until_answered(self, tool: str, body: bytes) -> Answer:
        while True:
            try:
                stream = await self._open("tool", {"tool": tool}, patience=self._patience)
            except TimeoutError:
                return _failed("nobody is there to answer at the moment; try again later")
            except ValueError:
                return _failed("too much is going on at the moment; try again later")
            try:
                return await _exchange(stream, body)
            except WireLost:
                continue
            except StreamReset as error:
                return _failed(f"the call failed: {clipped(error.reason, 500)}")
            except (BadJson, CodecError) as error:
                return _failed(f"the answer cannot be read: {error}")
            finally:
                await stream.reset("the call is over")


async def _exchange(stream: Stream, body: bytes) -> Answer:
    await stream.write(body)
    await stream.close()
    answer = b""
    while data := await stream.read():
        answer += data
        if len(answer) > MAX_ANSWER:
            raise BadJson("it is too large")
    said = object_from_bytes(answer)
    return Answer(text=text(MAX_ANSWER)(said.get("text")), error=flag(said.get("error")))


def _failed(why: str) -> Answer:
    return Answer(text=why, error=True)
