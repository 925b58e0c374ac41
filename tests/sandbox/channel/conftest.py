"""Two ends of a wire in one process, over a real socket pair."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import pytest_asyncio

from sandbox.streams import Stream
from sandbox.wire import Wire

SECONDS = 60


class End:
    """One end: its wire, and the streams that the other end has opened."""

    def __init__(self, reader, writer, *, initiator: bool) -> None:
        self.opened: asyncio.Queue[Stream] = asyncio.Queue()
        self.wire = Wire(reader, writer, initiator=initiator, accept=self.opened.put_nowait)


class Raw:
    """A side that says whatever bytes it likes, towards a real wire."""

    def __init__(self, sock: socket.socket, end: End) -> None:
        self.sock = sock
        self.end = end

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def heard(self) -> bytes:
        """Everything until the wire is closed."""
        heard = b""
        while data := await asyncio.get_running_loop().sock_recv(self.sock, 1 << 16):
            heard += data
        return heard


Raws = Callable[[], Awaitable[Raw]]


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    """A test that waits for ever fails instead."""

    def late(*_: object) -> None:
        raise TimeoutError(f"not done after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[tuple[End, End]]:
    """Host and supervisor end, hellos said."""
    one, two = socket.socketpair()
    host = End(*await asyncio.open_unix_connection(sock=one), initiator=True)
    inside = End(*await asyncio.open_unix_connection(sock=two), initiator=False)
    for end in (host, inside):
        end.wire.start()
        end.wire.say_hello({"v": 1})
    await asyncio.gather(host.wire.hello(), inside.wire.hello())
    yield host, inside
    await host.wire.close("the test is over")
    await inside.wire.close("the test is over")


@pytest_asyncio.fixture
async def raw() -> AsyncIterator[Raws]:
    """Makes raw sides; each talks to a host end of its own."""
    made: list[Raw] = []

    async def make() -> Raw:
        one, two = socket.socketpair()
        end = End(*await asyncio.open_unix_connection(sock=one), initiator=True)
        end.wire.start()
        two.setblocking(False)
        made.append(Raw(two, end))
        return made[-1]

    yield make
    for side in made:
        side.sock.close()
        await side.end.wire.close("the test is over")
