"""The unix socket where hosts attach: epochs, eviction, reports out, commands in, streams.

A process that descends from the supervisor is turned away: the agent has no business here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from ..checks import CodecError, count
from ..codec import command_from_json
from ..commands import Command
from ..streams import Stream, StreamReset, WireLost
from ..strict_json import JsonObject
from ..wire import Wire
from .journal import Journal
from .memory import Memory
from .processes import is_descendant

HELLO_SECONDS = 10.0

Handler = Callable[[Stream], Awaitable[None]]


class Door:
    """At most one host at a time, the one with the highest epoch."""

    def __init__(
        self,
        *,
        journal: Journal,
        memory: Memory,
        hello: Callable[[], JsonObject],
        command: Callable[[Command], None],
        handlers: Mapping[str, Handler],
    ) -> None:
        self._journal = journal
        self._memory = memory
        self._hello = hello
        self._command = command
        self._handlers = handlers
        self._wire: Wire | None = None
        self._attached = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._alone_since = time.monotonic()
        self._sent = 0
        self._sent_more = asyncio.Event()

    @property
    def alone_seconds(self) -> float:
        """How long nobody has been attached."""
        return 0.0 if self._wire else time.monotonic() - self._alone_since

    async def listen(self, path: Path) -> None:
        """Accept hosts on `path`, which appears when it can be connected to."""
        path.unlink(missing_ok=True)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._enter, str(fresh), backlog=16)
        fresh.chmod(0o600)
        fresh.replace(path)

    async def open(self, kind: str, meta: Mapping[str, object], *, patience: float) -> Stream:
        """A stream to the host, waiting for one to attach. Raises `TimeoutError`."""
        async with asyncio.timeout(patience):
            while True:
                await self._attached.wait()
                assert self._wire is not None
                try:
                    return self._wire.open(kind, meta)
                except WireLost:
                    await asyncio.sleep(0)

    async def flush(self) -> None:
        """Wait until the host has been sent every report there is, or is gone."""
        with contextlib.suppress(WireLost):
            while self._wire is not None and self._wire.lost is None:
                if self._sent >= self._journal.last_seq:
                    await self._wire.flush()
                    return
                self._sent_more.clear()
                await self._sent_more.wait()

    async def close(self, reason: str) -> None:
        if self._server is not None:
            self._server.close()
        if self._wire is not None:
            await self._wire.close(reason)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ----------------------------------------------------------------------------------------

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if _comes_from_inside(writer):
            writer.close()
            return
        wire = Wire(reader, writer, initiator=False, accept=self._accept)
        wire.start()
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = await wire.hello()
            epoch, after = _epoch_and_after(hello)
        except (WireLost, TimeoutError, CodecError):
            await wire.close("no hello that makes sense")
            return
        if epoch < self._memory.now.epoch:
            wire.say_hello({"error": "epoch"})
            await wire.close("a newer host has been here")
            return
        self._memory.learn(epoch=epoch)
        evicted, self._wire = self._wire, wire
        self._attached.clear()
        self._sent = after
        if evicted is not None:
            await evicted.close("evicted")
        wire.say_hello(self._hello())
        if not self._journal.first_seq <= after + 1 <= self._journal.last_seq + 1:
            await wire.close("reports that are not here")
        if wire.lost is None and self._wire is wire:
            self._attached.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send_reports(wire, after))
                tasks.create_task(self._take_commands(wire))
        except* WireLost:
            pass
        finally:
            if self._wire is wire:
                self._wire = None
                self._attached.clear()
                self._sent_more.set()
                self._alone_since = time.monotonic()

    async def _send_reports(self, wire: Wire, after: int) -> None:
        async for report in self._journal.follow(after):
            await wire.send_control(report)
            self._sent = count(report["seq"])
            self._sent_more.set()

    async def _take_commands(self, wire: Wire) -> None:
        while True:
            message = await wire.control()
            try:
                if "ack" in message:
                    self._journal.acknowledge(count(message["ack"]))
                else:
                    self._command(command_from_json(message))
            except CodecError as error:
                await wire.close(f"protocol error: {error}")
                raise WireLost("protocol error") from error

    def _accept(self, stream: Stream) -> None:
        task = asyncio.create_task(self._serve(stream), name=f"{stream.kind[:20]} stream")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: Stream) -> None:
        handler = self._handlers.get(stream.kind)
        if handler is None:
            await stream.reset("no such kind of stream here")
            return
        try:
            await handler(stream)
            await stream.close()
            stream.discard()
        except (StreamReset, WireLost):
            await stream.reset("the other side went away")
        except BaseException:
            await stream.reset("the supervisor failed")
            raise


def _epoch_and_after(hello: JsonObject) -> tuple[int, int]:
    if hello.get("v") != 1:
        raise CodecError("not version 1")
    return count(hello.get("epoch")), count(hello.get("after"))


def _comes_from_inside(writer: asyncio.StreamWriter) -> bool:
    """True where the connecting process is one that we, or those we started, have started.

    A peer outside our pid namespace shows as pid 0 (unix(7), SO_PEERCRED); one that is gone by
    now cannot be asked and is refused.
    """
    sock: socket.socket = writer.get_extra_info("socket")
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, _, _ = struct.unpack("3i", credentials)
    if pid == 0:
        return False
    if not Path(f"/proc/{pid}").exists():
        return True
    return bool(is_descendant(pid, os.getpid()))
