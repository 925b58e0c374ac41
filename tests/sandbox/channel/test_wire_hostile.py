"""Whatever the other side says, the wire is closed with a reason and nothing is raised."""

from __future__ import annotations

import contextlib
import random

import pytest

from sandbox.frames import HEADER, Frame, FrameType, encode, fragments
from sandbox.streams import WINDOW, Stream
from sandbox.wire import MAX_STREAMS

HELLO = fragments(FrameType.HELLO, b'{"v":1}')[0]

BIG = b'{"a":"%s"}' % (b"x" * 900_000)


def frame(kind: FrameType, stream: int = 0, payload: bytes = b"", more: bool = False) -> bytes:
    return encode(Frame(kind, stream, payload, more))


def opening(stream: int, text: str = '{"kind":"http","meta":{}}') -> bytes:
    return frame(FrameType.OPEN, stream, text.encode())


def credit(stream: int, size: int) -> bytes:
    return frame(FrameType.CREDIT, stream, size.to_bytes(4, "big"))


CASES = {
    "control before hello": (frame(FrameType.CONTROL, 0, b"{}"), "CONTROL before HELLO"),
    "two hellos": (HELLO + HELLO, "second HELLO"),
    "hello that is no JSON": (frame(FrameType.HELLO, 0, b"\xff"), "HELLO: not JSON"),
    "control that is a list": (HELLO + frame(FrameType.CONTROL, 0, b"[]"), "not a JSON object"),
    "control with NaN": (HELLO + frame(FrameType.CONTROL, 0, b'{"a":NaN}'), "not JSON"),
    "control nested too deep": (
        HELLO + frame(FrameType.CONTROL, 0, b'{"a":' + b"[" * 60_000),
        "not JSON",
    ),
    "a number of 60,000 digits": (
        HELLO + frame(FrameType.CONTROL, 0, b'{"a":' + b"9" * 60_000 + b"}"),
        "not JSON",
    ),
    "control of more than 1 MiB": (
        HELLO + frame(FrameType.CONTROL, 0, b"x" * 65_535, more=True) * 17,
        "over",
    ),
    "endless empty fragments": (HELLO + frame(FrameType.CONTROL, 0, b"", more=True), "empty"),
    "hello inside control": (
        HELLO + frame(FrameType.CONTROL, 0, b"{", more=True) + HELLO,
        "HELLO inside a CONTROL",
    ),
    "control beyond its window": (
        HELLO + b"".join(fragments(FrameType.CONTROL, BIG)) * 3,
        "beyond its window",
    ),
    "pong without ping": (HELLO + frame(FrameType.PONG, 0, bytes(8)), "PONG without PING"),
    "our own stream ids": (HELLO + opening(3), "OPEN of stream 3"),
    "a stream twice": (HELLO + opening(2) + opening(2), "OPEN of stream 2"),
    "streams backwards": (HELLO + opening(8) + opening(6), "OPEN of stream 6"),
    "open without a kind": (HELLO + opening(2, '{"meta":{}}'), "kind and meta"),
    "open with more": (HELLO + opening(2, '{"kind":"a","meta":{},"x":1}'), "kind and meta"),
    "open that is no JSON": (HELLO + opening(2, "{"), "OPEN: not JSON"),
    "too many streams": (
        HELLO + b"".join(opening(2 * n) for n in range(1, MAX_STREAMS + 2)),
        f"more than {MAX_STREAMS} streams",
    ),
    "data on a stream never opened": (
        HELLO + frame(FrameType.DATA, 2, b"x"),
        "unknown stream 2",
    ),
    "reset of a stream never opened": (HELLO + frame(FrameType.RESET, 9), "unknown stream 9"),
    "data without data": (HELLO + opening(2) + frame(FrameType.DATA, 2), "DATA without data"),
    "data beyond credit": (
        HELLO + opening(2) + frame(FrameType.DATA, 2, bytes(60_000)) * (WINDOW // 60_000 + 1),
        "beyond credit",
    ),
    "data after close": (
        HELLO + opening(2) + frame(FrameType.CLOSE, 2) + frame(FrameType.DATA, 2, b"x"),
        "DATA after CLOSE",
    ),
    "close after close": (
        HELLO + opening(2) + frame(FrameType.CLOSE, 2) * 2,
        "CLOSE after CLOSE",
    ),
    "credit that was not used": (HELLO + opening(2) + credit(2, 1), "credit beyond"),
    "credit of nothing": (HELLO + opening(2) + credit(2, 0), "credit beyond"),
    "control credit that was not used": (HELLO + credit(0, 1), "control credit beyond"),
    "a reason of 2 KiB": (HELLO + opening(2) + frame(FrameType.RESET, 2, b"x" * 2048), "reason"),
    "a farewell of 2 KiB": (HELLO + frame(FrameType.RESET, 0, b"x" * 2048), "reason"),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "unknown frame type"),
}


@pytest.mark.parametrize("name", CASES)
async def test_breaking_the_protocol_closes_the_wire_with_a_reason(raw, name):
    said, reason = CASES[name]
    side = await raw()
    with contextlib.suppress(ConnectionError):
        await side.say(said)
    lost = await side.end.wire.wait_lost()
    assert lost.reason.startswith("protocol error: ")
    assert reason in lost.reason


async def test_the_other_side_is_told_why(raw):
    side = await raw()
    await side.say(HELLO + frame(FrameType.CONTROL, 0, b"nonsense"))
    assert b"protocol error: CONTROL: not JSON" in await side.heard()


async def test_a_wire_that_is_cut_in_a_frame_says_so(raw):
    side = await raw()
    await side.say(HELLO + HEADER.pack(FrameType.CONTROL, 0, 100) + b"half")
    side.sock.close()
    assert "middle of a frame" in (await side.end.wire.wait_lost()).reason


async def test_frames_for_a_stream_that_was_just_reset_are_ignored(raw):
    side = await raw()
    await side.say(HELLO + opening(2))
    stream = await side.end.opened.get()
    await stream.reset("no such kind")
    await side.say(frame(FrameType.DATA, 2, b"x") + credit(2, 5) + frame(FrameType.CLOSE, 2))
    await side.say(frame(FrameType.RESET, 0, b"bye"))
    assert (await side.end.wire.wait_lost()).reason == "bye"


async def test_a_side_that_only_asks_and_never_reads_is_dropped(raw):
    """Refusals pile up to a limit, not for ever; credit and pongs do not pile up at all."""
    side = await raw()
    wire = side.end.wire

    def refuse(stream: Stream) -> None:
        wire.say_reset(stream.id, "no such kind of stream here")
        wire.retire(stream)

    wire._accept = refuse
    await side.say(HELLO + frame(FrameType.PING, 0, bytes(8)) * 50_000)
    assert len(wire._outgoing._urgent) < 10
    number = 0
    with contextlib.suppress(ConnectionError):
        while wire.lost is None and number < 400_000:
            await side.say(b"".join(opening(number + 2 * n) for n in range(1, 501)))
            number += 1000
    assert (await wire.wait_lost()).reason == "the other side does not read"


async def test_random_bytes_never_raise(raw):
    """A million random bytes, in the shape of frames so that they get far."""
    chance = random.Random(7)
    for _ in range(60):
        side = await raw()
        said = bytearray(HELLO)
        for _ in range(400):
            kind = chance.choice(list(FrameType))
            stream = chance.choice([0, 0, 1, 2, 2, 4, 6, 2**32 - 1])
            payload = chance.choice([b"", b"{}", bytes(4), bytes(8), chance.randbytes(40)])
            more = 0x80 if chance.random() < 0.1 else 0
            said += HEADER.pack(kind | more, stream, len(payload)) + payload
        with contextlib.suppress(ConnectionError):
            await side.say(bytes(said))
        side.sock.close()
        lost = await side.end.wire.wait_lost()
        assert lost.reason
