"""The host's link against a supervisor end that says what the test wants."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import pytest_asyncio

from sandbox.codec import report_to_json
from sandbox.commands import GitIdentity as Identity
from sandbox.commands import Prompt, Shutdown, StopTurn
from sandbox.link import attach_over, connect
from sandbox.provider import SandboxError, SandboxGone, StreamReset
from sandbox.reports import Numbered, StillWorking
from sandbox.strict_json import JsonObject
from sandbox.wire import Wire

HELLO: JsonObject = {
    "v": 1,
    "phase": "ready",
    "first_seq": 1,
    "last_seq": 0,
    "running_turn": None,
    "finished_turn": 3,
    "gateway_port": 4870,
}


def report(seq: int) -> JsonObject:
    return report_to_json(
        Numbered(seq=seq, at=1.0, report=StillWorking(turn=1, what="x", seconds=float(seq)))
    )


class Scripted:
    """The supervisor's end, answering hello with `hello`."""

    def __init__(self) -> None:
        self.heard: JsonObject = {}
        self.wire: Any = None
        self.streams: asyncio.Queue[Any] = asyncio.Queue()

    async def link(self, hello: JsonObject, *, answer: bool = True, **options: Any) -> Any:
        one, two = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=two)
        self.wire = Wire(reader, writer, initiator=False, accept=self.streams.put_nowait)
        self.wire.start()
        options = {"epoch": 5, "after": 0, "handlers": {}, **options}
        attaching = asyncio.create_task(
            attach_over(*await asyncio.open_unix_connection(sock=one), **options)
        )
        self.heard = await self.wire.hello()
        if answer:
            self.wire.say_hello(hello)
        return await attaching


@pytest_asyncio.fixture
async def scripted():
    made = Scripted()
    yield made
    if made.wire:
        await made.wire.close("the test is over")


async def test_attach_says_epoch_and_after_and_hears_the_state(scripted):
    link = await scripted.link(HELLO | {"last_seq": 9}, after=7)
    assert scripted.heard == {"v": 1, "epoch": 5, "after": 7}
    assert (link.hello.phase, link.hello.last_seq) == ("ready", 9)
    assert (link.hello.running_turn, link.hello.finished_turn) == (None, 3)
    assert link.gateway_port == 4870
    await link.close()


async def test_a_refusal_is_told_in_words(scripted):
    with pytest.raises(SandboxError, match="refused: epoch") as refused:
        await scripted.link({"error": "epoch"})
    assert not isinstance(refused.value, SandboxGone)


@pytest.mark.parametrize(
    "hello",
    [
        {"v": 2},
        {"v": 1},
        HELLO | {"phase": 7},
        HELLO | {"last_seq": -1},
        HELLO | {"running_turn": "one"},
        HELLO | {"phase": "x" * 100},
    ],
)
async def test_a_hello_that_makes_no_sense_is_no_sandbox(scripted, hello):
    with pytest.raises(SandboxGone, match="hello"):
        await scripted.link(hello)


@pytest.mark.parametrize(("first", "last", "after"), [(5, 9, 3), (1, 4, 5)])
async def test_reports_that_are_not_there_are_not_skipped_in_silence(scripted, first, last, after):
    with pytest.raises(SandboxError, match=f"after {after}"):
        await scripted.link(HELLO | {"first_seq": first, "last_seq": last}, after=after)


async def test_reports_come_in_order_and_are_acknowledged(scripted):
    link = await scripted.link(HELLO | {"last_seq": 3}, after=1)
    for seq in (2, 3):
        await scripted.wire.send_control(report(seq))
    got = []
    async for numbered in link.reports():
        got.append(numbered.seq)
        if numbered.seq == 3:
            break
    assert got == [2, 3]
    await link.acknowledge(3)
    assert await scripted.wire.control() == {"ack": 3}
    await link.close()


@pytest.mark.parametrize(
    "message",
    [
        report(3),
        report(1) | {"seq": 0},
        {"command": "shutdown"},
        report(1) | {"what": "x" * 70_000},
    ],
)
async def test_a_report_that_is_out_of_turn_ends_the_wire(scripted, message):
    link = await scripted.link(HELLO)
    await scripted.wire.send_control(message)
    with pytest.raises(SandboxGone, match="protocol error"):
        async for _ in link.reports():
            raise AssertionError("it was let in")
    assert (await scripted.wire.wait_lost()).reason.startswith("protocol error")
    await link.close()


async def test_commands_arrive(scripted):
    link = await scripted.link(HELLO)
    await link.send(Prompt(turn=1, text="go", author=Identity(name="A", email="a@b")))
    await link.send(StopTurn(turn=1))
    await link.send(Shutdown())
    names = [(await scripted.wire.control())["command"] for _ in range(3)]
    assert names == ["prompt", "stop_turn", "shutdown"]
    await link.close()


async def test_a_handler_answers_its_kind_and_others_are_reset(scripted):
    async def shout(stream):
        asked = b""
        while data := await stream.read():
            asked += data
        await stream.write(asked.upper() + str(stream.meta["n"]).encode())

    link = await scripted.link(HELLO, handlers={"http": shout})
    stream = scripted.wire.open("http", {"n": 4})
    await stream.write(b"hello ")
    await stream.close()
    assert await stream.read() == b"HELLO 4"
    assert await stream.read() == b""
    with pytest.raises(Exception, match="no such kind"):
        await scripted.wire.open("shell", {}).read()
    await link.close()


async def test_a_handler_may_answer_before_it_has_read_everything(scripted):
    async def refuse(stream):
        await stream.write(b"413")

    link = await scripted.link(HELLO, handlers={"http": refuse})
    stream = scripted.wire.open("http", {})
    await stream.write(bytes(3 << 20))
    assert await stream.read() == b"413"
    await stream.close()
    assert await stream.read() == b""
    await link.close()


async def test_a_handler_that_fails_resets_its_stream_and_is_told_to_the_loop(scripted):
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def fail(stream):
        raise KeyError("bug")

    link = await scripted.link(HELLO, handlers={"http": fail})
    with pytest.raises(Exception, match="the handler failed"):
        await scripted.wire.open("http", {}).read()
    await link.ping()
    assert [type(context["exception"]) for context in told] == [KeyError]
    await link.close()


async def test_a_reset_and_a_lost_wire_come_in_the_ports_words(scripted):
    link = await scripted.link(HELLO)
    stream = await link.open("collect", {"turn": 1})
    served = await scripted.streams.get()
    assert (served.kind, served.meta) == ("collect", {"turn": 1})
    await served.reset("git is missing")
    with pytest.raises(StreamReset, match="git is missing"):
        await stream.read()
    await scripted.wire.close("evicted")
    with pytest.raises(SandboxGone, match="evicted"):
        await (await anext_report(link))
    for late in (link.send(Shutdown()), link.acknowledge(1), link.open("collect", {})):
        with pytest.raises(SandboxGone, match="evicted"):
            await late
    assert link.lost == "evicted"
    await link.close()


async def anext_report(link):
    return anext(aiter(link.reports()))


async def test_a_supervisor_that_does_not_answer_pings_is_given_up(scripted):
    link = await scripted.link(HELLO, silence=0.2)
    scripted.wire._outgoing.pong = lambda payload: None
    with pytest.raises(SandboxGone, match="no sign of life"):
        await (await anext_report(link))
    await link.close()


async def test_nobody_listens(tmp_path):
    with pytest.raises(SandboxGone, match="no supervisor listens"):
        await connect(tmp_path / "wire.sock", epoch=1, after=0, handlers={})
