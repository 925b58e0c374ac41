"""Links to sandboxes of a test, with a handler that takes what comes and answers nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sandbox.link import WireLink
from sandbox.provider import WireStream
from sandbox.spec import SandboxId

from .sandboxes import Boxes


async def attach(
    boxes: Boxes, sandbox: SandboxId, epoch: int = 1, *, hasty: bool = False
) -> WireLink:
    provider = boxes.provider
    if hasty:
        provider = boxes.another(options=replace(boxes.options, listen_seconds=0.5))

    async def http(stream: WireStream) -> None:
        await asyncio.Event().wait()

    link = await provider.attach(sandbox, epoch=epoch, after=0, handlers={"http": http})
    assert isinstance(link, WireLink)
    return link


async def drained(link: WireLink) -> None:
    async for _ in link.reports():
        pass
