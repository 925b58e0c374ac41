"""Answers to the agent: the head line, the bytes as they come, or an error in its own words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.provider import WireStream

from .errors import Dialect, Refused, error_event, error_object
from .usage import UsageReader


@dataclass(slots=True, kw_only=True)
class Sent:
    """What has become of one call so far; settled from, whichever way it ends."""

    attempts: int = 0
    status: int = 0
    received: int = 0
    """Bytes of a successful answer that have come from the upstream."""
    reader: UsageReader | None = None
    streaming: bool = False
    head_written: bool = False


async def write_head(
    stream: WireStream, status: int, headers: Sequence[tuple[str, str]], sent: Sent | None = None
) -> None:
    head = {"status": status, "headers": [list(pair) for pair in headers]}
    if sent is not None:
        sent.head_written = True
    await stream.write(json.dumps(head).encode() + b"\n")


async def answer_error(stream: WireStream, dialect: Dialect, refused: Refused) -> None:
    """A whole error answer. SDKs honour `x-should-retry`; what is refused here stays refused."""
    headers = [("content-type", "application/json")]
    if refused.final:
        headers.append(("x-should-retry", "false"))
    await write_head(stream, refused.status, headers)
    body = error_object(dialect, refused.status, refused.message)
    await stream.write(json.dumps(body).encode())
    await stream.close()


async def break_off(stream: WireStream, dialect: Dialect, sent: Sent, message: str) -> None:
    """End an answer that has begun, so that the agent sees an error and no false end."""
    if sent.streaming:
        await stream.write(error_event(dialect, message))
        await stream.close()
    else:
        await stream.reset(message)
