"""A sandbox's side of the pack streams: the supervisor's own code, or a liar in its place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.commands import GitIdentity
from sandbox.provider import StreamReset
from sandbox.supervisor.git import Git
from sandbox.supervisor.workspace import Workspace

MONA = GitIdentity(name="Mona Lisa", email="1005+octocat@users.noreply.github.com")
HUBOT = GitIdentity(name="Hubot", email="1006+hubot@users.noreply.github.com")


class End:
    """One end of a stream in memory."""

    def __init__(self, meta: Mapping[str, object]) -> None:
        self.meta = meta
        self.other: End
        self.queue: asyncio.Queue[bytes | StreamReset] = asyncio.Queue()
        self.ended = False
        self.was_reset = ""

    async def read(self) -> bytes:
        if self.ended:
            return b""
        item = await self.queue.get()
        if isinstance(item, StreamReset):
            raise item
        self.ended = not item
        return item

    async def write(self, data: bytes) -> None:
        for at in range(0, len(data), 16384):
            self.other.queue.put_nowait(data[at : at + 16384])

    async def close(self) -> None:
        self.other.queue.put_nowait(b"")

    async def reset(self, reason: str) -> None:
        self.was_reset = reason
        self.other.queue.put_nowait(StreamReset(reason))


Handler = Callable[[End], Awaitable[None]]


class Sandbox:
    """A link whose streams are answered by a real workspace in `folder`, or by `liar`."""

    def __init__(self, folder: Path, author: GitIdentity = MONA) -> None:
        self.folder = folder
        self.author = author
        self.liar: Handler | None = None
        self.asked: list[tuple[str, Mapping[str, object]]] = []
        self.tasks: list[asyncio.Task[None]] = []
        env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
        identity = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_COMMITTER_NAME": author.name,
            "GIT_COMMITTER_EMAIL": author.email,
        }
        self.workspace = Workspace(Git(folder, env | identity), lambda turn: self.author)

    async def open(self, kind: str, meta: Mapping[str, object]) -> Any:
        self.asked.append((kind, json.loads(json.dumps(meta))))
        ours, theirs = End(meta), End(meta)
        ours.other, theirs.other = theirs, ours
        handlers: dict[str, Any] = {
            "repository": self.workspace.repository,
            "receive": self.workspace.receive,
            "collect": self.workspace.collect,
        }
        work = (self.liar or handlers[kind])(theirs)
        self.tasks.append(asyncio.ensure_future(work))
        return ours

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def says(head: str, pack: bytes = b"", **more: object) -> Handler:
    """A supervisor that answers `collect` with whatever it likes."""

    async def handle(stream: End) -> None:
        line = {"head": head, "base_missing": [], "commits": 1, "dirty": False} | more
        await stream.write(json.dumps(line).encode() + b"\n")
        if pack:
            await stream.write(pack)
        await stream.close()

    return handle
