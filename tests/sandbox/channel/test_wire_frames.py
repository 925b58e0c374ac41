"""Frames survive any cut; garbage is refused with a reason and without keeping it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.frames import (
    FRAGMENTED,
    HEADER,
    MAX_MESSAGE,
    MAX_PAYLOAD,
    NEEDS_STREAM,
    STREAMLESS,
    Frame,
    FrameDecoder,
    FrameType,
    MessageAssembler,
    ProtocolError,
    encode,
    fragments,
)


@st.composite
def frames(draw) -> Frame:
    kind = draw(st.sampled_from(FrameType))
    if kind in STREAMLESS:
        stream = 0
    else:
        stream = draw(st.integers(1 if kind in NEEDS_STREAM else 0, 2**32 - 1))
    size = {FrameType.CREDIT: 4, FrameType.CLOSE: 0, FrameType.PING: 8, FrameType.PONG: 8}.get(kind)
    payload = draw(
        st.binary(max_size=300) if size is None else st.binary(min_size=size, max_size=size)
    )
    return Frame(kind, stream, payload, kind in FRAGMENTED and draw(st.booleans()))


@given(st.lists(frames(), max_size=8), st.data())
def test_frames_survive_any_cut(sent, data):
    whole = b"".join(encode(frame) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    decoder = FrameDecoder()
    got = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        got += decoder.feed(whole[start:end])
    assert got == sent
    assert not decoder.mid_frame


@given(st.lists(st.binary(max_size=400), max_size=20))
@example([b"\x00"])
@example([HEADER.pack(4, 1, MAX_PAYLOAD)] * 3)
def test_garbage_is_frames_or_a_protocol_error(pieces):
    decoder = FrameDecoder()
    try:
        for piece in pieces:
            for frame in decoder.feed(piece):
                assert len(frame.payload) <= MAX_PAYLOAD
    except ProtocolError as error:
        assert len(str(error)) < 100
    assert len(decoder._buffer) <= HEADER.size + MAX_PAYLOAD + 400


@given(st.binary(max_size=3 * MAX_PAYLOAD))
@example(b"x" * MAX_PAYLOAD)
@example(b"x" * (MAX_PAYLOAD + 1))
@example(b"")
def test_messages_are_put_together_again(message):
    decoder, assembler = FrameDecoder(), MessageAssembler()
    got = []
    for encoded in fragments(FrameType.CONTROL, message):
        for frame in decoder.feed(encoded):
            got.append(assembler.add(frame))
    assert got[-1] == message
    assert got[:-1] == [None] * (len(got) - 1)


def test_a_message_over_the_limit_is_neither_sent_nor_collected():
    with pytest.raises(ValueError, match="over"):
        fragments(FrameType.CONTROL, b"x" * (MAX_MESSAGE + 1))
    assembler = MessageAssembler()
    part = Frame(FrameType.CONTROL, 0, b"x" * MAX_PAYLOAD, more=True)
    with pytest.raises(ProtocolError, match="over"):
        for _ in range(MAX_MESSAGE // MAX_PAYLOAD + 1):
            assembler.add(part)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ((0, 0, 0), "unknown frame type"),
        ((77, 0, 0), "unknown frame type"),
        ((4 | 0x80, 1, 1), "cannot be fragmented"),
        ((2, 1, 1), "CONTROL on stream"),
        ((3, 0, 1), "OPEN without a stream"),
        ((4, 0, 1), "DATA without a stream"),
        ((5, 1, 3), "CREDIT of 3 bytes"),
        ((6, 1, 1), "CLOSE with a payload"),
        ((8, 0, 9), "PING of 9 bytes"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused_before_its_payload(header, words):
    with pytest.raises(ProtocolError, match=words):
        FrameDecoder().feed(HEADER.pack(*header))
