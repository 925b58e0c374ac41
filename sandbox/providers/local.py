"""Sandboxes on this machine: bubblewrap over an overlay of a warm checkout.

The work is done in threads by plain blocking code, so a caller that is cancelled leaves a whole
sandbox behind, found again under its name, and never half of one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from ..link import attach_over
from ..provider import Link, SandboxError, SandboxGone, StreamHandler
from ..spec import Launched, SandboxId, SandboxInfo, SandboxSpec, SnapshotId
from .local_keeper import Keeper, Options
from .local_preflight import Problem, look_for_problems
from .local_registry import Record

_Result = TypeVar("_Result")
_WATCH_SECONDS = 1.0


class Log(Protocol):
    """What of a structlog logger is used here."""

    def info(self, event: str, **words: object) -> object: ...
    def warning(self, event: str, **words: object) -> object: ...


class LocalProvider:
    """`sandbox.provider.Provider` on this machine. `root` is its directory, and nobody else's.

    `tools` is searched for bubblewrap before PATH. `close` stops the watchdog and lets the
    sandboxes be: the next provider on the same `root` finds them.
    """

    def __init__(
        self, root: Path, *, tools: Path | None, log: Log, options: Options | None = None
    ) -> None:
        self._root = root.absolute()
        self._tools = tools
        self._log = log
        self._options = options or Options()
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="sandbox")
        self._keeper: asyncio.Future[Keeper] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def preflight(self) -> list[Problem]:
        """What is missing on this machine, each with the one line to type. Empty: all is well."""
        return await self._run(
            lambda: look_for_problems(self._root, self._tools, self._options),
        )

    async def launch(self, spec: SandboxSpec) -> Launched:
        keeper = await self._ready()
        return await self._run(lambda: keeper.launch(spec))

    async def attach(
        self,
        sandbox: SandboxId,
        *,
        epoch: int,
        after: int,
        handlers: Mapping[str, StreamHandler],
    ) -> Link:
        keeper = await self._ready()
        record = await self._run(lambda: keeper.live(sandbox))
        reader, writer = await self._connect(keeper, record)
        return await attach_over(reader, writer, epoch=epoch, after=after, handlers=handlers)

    async def snapshot(self, sandbox: SandboxId) -> SnapshotId:
        keeper = await self._ready()
        return await self._run(lambda: keeper.snapshot(sandbox))

    async def terminate(self, sandbox: SandboxId) -> None:
        keeper = await self._ready()
        await self._run(lambda: keeper.terminate(sandbox))

    async def list(self, tags: Mapping[str, str]) -> Sequence[SandboxInfo]:
        keeper = await self._ready()
        return await self._run(lambda: keeper.listing(tags))

    async def delete_snapshot(self, snapshot: SnapshotId) -> None:
        keeper = await self._ready()
        await self._run(lambda: keeper.delete_snapshot(snapshot))

    async def sweep(self) -> None:
        """Remove what dead sandboxes and unfinished work left, and warm checkouts long unused."""
        keeper = await self._ready()
        await self._run(keeper.sweep)

    async def close(self) -> None:
        """Let go; the sandboxes go on."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        self._threads.shutdown(wait=False)

    async def _ready(self) -> Keeper:
        if self._keeper is None:
            self._keeper = asyncio.ensure_future(self._run(self._open))
        keeper = self._keeper
        await asyncio.wait([keeper])
        if keeper.exception() is not None and self._keeper is keeper:
            self._keeper = None  # what was missing may be there the next time
        found = keeper.result()
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(found))
        return found

    def _open(self) -> Keeper:
        keeper = Keeper.open(self._root, self._tools, self._options)
        self._log.info("local_sandboxes", limits=keeper.limits.said, overlay=keeper.overlay)
        return keeper

    async def _watch(self, keeper: Keeper) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                ended = await self._run(keeper.watch)
            except (OSError, SandboxError) as error:
                self._log.warning("sandbox_watchdog_failed", error=str(error))
                continue
            for record, reason in ended:
                self._log.warning("sandbox_ended", sandbox=record.id, reason=reason)

    async def _connect(
        self, keeper: Keeper, record: Record
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the supervisor's socket, waiting for it to listen.

        The directory is the sandbox's to write, so the socket is opened without following links
        and connected to through its descriptor: a link put there leads nowhere else. It also
        makes any length of path fit.
        """
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self._options.listen_seconds, 0.002
        while True:
            with _socket(keeper.socket(record.id), keeper.owner) as path:
                if path is not None:
                    with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
                        return await asyncio.open_unix_connection(path)
            if not record.live:
                raise SandboxGone(await self._run(lambda: keeper.why_gone(record.id)))
            if loop.time() > deadline:
                raise SandboxGone("the supervisor does not listen")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


@contextlib.contextmanager
def _socket(path: Path, owner: int) -> Iterator[str | None]:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    try:
        found = os.fstat(descriptor)
        ours = stat.S_ISSOCK(found.st_mode) and found.st_uid == owner
        yield f"/proc/self/fd/{descriptor}" if ours else None
    finally:
        os.close(descriptor)
