"""Control goes first, streams wait only for their own readers, and everything is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc

import pytest

from sandbox.frames import FrameDecoder, FrameType
from sandbox.streams import WINDOW, StreamReset, WireLost
from sandbox.wire import MAX_STREAMS


async def read_all(stream) -> bytes:
    data = bytearray()
    while piece := await stream.read():
        data += piece
    return bytes(data)


async def test_a_stream_carries_both_ways_and_half_closes(pair):
    host, inside = pair
    asked = host.wire.open("collect", {"turn": 3})
    await asked.write(b"question")
    await asked.close()
    served = await inside.opened.get()
    assert (served.kind, served.meta) == ("collect", {"turn": 3})
    assert await read_all(served) == b"question"
    answer = bytes(range(256)) * 4000
    reading = asyncio.create_task(read_all(asked))
    await served.write(answer)
    await served.close()
    assert await reading == answer
    assert host.wire._streams == inside.wire._streams == {}


async def test_a_large_transfer_never_delays_control(pair):
    """100 MB stream while control goes round; measured in bytes that overtake, not in time."""
    host, inside = pair
    size, rounds = 100 << 20, 0
    big = inside.wire.open("http", {})
    received = 0
    piece = bytes(1 << 20)

    async def send() -> None:
        for _ in range(size // len(piece)):
            await big.write(piece)
        await big.close()

    async def echo() -> None:
        while True:
            await inside.wire.send_control(await inside.wire.control())

    async def receive() -> None:
        nonlocal received
        stream = await host.opened.get()
        while data := await stream.read():
            received += len(data)

    tasks = [asyncio.create_task(work()) for work in (send, echo)]
    receiving = asyncio.create_task(receive())
    overtaken = []
    while not receiving.done():
        before = received
        await host.wire.send_control({"round": rounds})
        assert await host.wire.control() == {"round": rounds}
        overtaken.append(received - before)
        rounds += 1
    await receiving
    assert received == size
    assert rounds > 20
    # At most what the writer, the two socket buffers and the stream's window can hold.
    assert max(overtaken) < 2 << 20
    for task in tasks:
        task.cancel()


async def test_a_slow_reader_slows_only_its_own_stream(pair):
    host, inside = pair
    stuck = inside.wire.open("http", {"n": 1})
    writing = asyncio.create_task(stuck.write(bytes(4 * WINDOW)))
    not_read = await host.opened.get()
    quick = inside.wire.open("http", {"n": 2})
    other = asyncio.create_task(quick.write(bytes(8 * WINDOW)))
    reader = await host.opened.get()
    got = 0
    while got < 8 * WINDOW:
        got += len(await reader.read())
    await other
    assert not writing.done()
    assert len(not_read._inbox) == WINDOW
    while got < 12 * WINDOW:
        got += len(await not_read.read())
    await writing


async def test_a_reset_reaches_the_other_side_with_its_reason(pair):
    host, inside = pair
    stream = host.wire.open("collect", {})
    served = await inside.opened.get()
    writing = asyncio.create_task(served.write(bytes(4 * WINDOW)))
    await stream.reset("changed my mind")
    with pytest.raises(StreamReset, match="changed my mind"):
        await writing
    with pytest.raises(StreamReset, match="changed my mind"):
        await served.read()
    with pytest.raises(StreamReset, match="changed my mind"):
        await stream.write(b"more")
    await host.wire.ping()
    assert host.wire.lost is inside.wire.lost is None


async def test_losing_the_wire_wakes_everybody(pair):
    host, inside = pair
    stream = host.wire.open("collect", {})
    waiting = [
        asyncio.create_task(stream.read()),
        asyncio.create_task(stream.write(bytes(4 * WINDOW))),
        asyncio.create_task(host.wire.control()),
        asyncio.create_task(host.wire.wait_lost()),
    ]
    await inside.opened.get()
    await inside.wire.close("evicted")
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [WireLost] * 4
    assert {str(result) for result in results} == {"evicted"}
    for late in (host.wire.control(), host.wire.ping(), host.wire.send_control({})):
        with pytest.raises(WireLost, match="evicted"):
            await late


async def test_what_was_received_before_the_loss_can_still_be_read(pair):
    host, inside = pair
    await inside.wire.send_control({"seq": 1})
    stream = inside.wire.open("http", {})
    await stream.write(b"last words")
    await stream.close()
    await inside.wire.close("done")
    await host.wire.wait_lost()
    assert await host.wire.control() == {"seq": 1}
    assert await read_all(await host.opened.get()) == b"last words"


async def test_control_that_nobody_takes_is_held_back_and_arrives_later(pair):
    host, inside = pair
    sent = 0

    async def send() -> None:
        nonlocal sent
        for number in range(10_000):
            await inside.wire.send_control({"seq": number, "text": "x" * 1000})
            sent = number + 1

    sending = asyncio.create_task(send())
    stream = inside.wire.open("http", {})
    await stream.write(b"not held back")
    assert await (await host.opened.get()).read() == b"not held back"
    assert sent < 3000
    for number in range(10_000):
        assert (await host.wire.control())["seq"] == number
    await sending


async def test_too_many_streams_are_refused_here(pair):
    host, _ = pair
    for _ in range(MAX_STREAMS // 2):
        host.wire.open("collect", {})
    with pytest.raises(ValueError, match="open already"):
        host.wire.open("collect", {})


async def test_many_streams_of_tiny_frames_stay_within_memory(pair):
    host, inside = pair
    streams = [inside.wire.open("http", {}) for _ in range(20)]
    tracemalloc.start()
    try:
        for stream in streams:
            for _ in range(500):
                await stream.write(b"x")
        await inside.wire.flush()
        await inside.wire.ping()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert host.wire.lost is None


async def test_streams_take_turns(pair):
    """Three writers, one reader of frames: no stream gets two frames while another waits."""
    _, inside = pair
    for stream in (inside.wire.open("http", {}), inside.wire.open("http", {})):
        stream._outbox.extend([bytes(1000)] * 6)
        stream._outbox_size = 6000
        stream._announce()
    decoder = FrameDecoder()
    frames = []
    while batch := inside.wire._outgoing.next_bytes():
        frames += decoder.feed(batch)
    data = [frame.stream for frame in frames if frame.type is FrameType.DATA]
    assert data == [2, 4] * 6
    with contextlib.suppress(WireLost):
        await inside.wire.close("frames were stolen")
