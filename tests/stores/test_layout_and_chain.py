"""Paths, segments, the chain and the commit messages: pure, so tried with anything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.stored import REPOSITORY, a_session, any_event, finished_story, opened

from orchestrator.codec import encode
from orchestrator.secret import Secret
from orchestrator.session import evolve, initial, replay
from orchestrator.session.events import Event
from orchestrator.session.values import RepositoryId, SessionId, parse_session_id, session_id
from orchestrator.stores.chain import ChainBroken, Head, Keys, key_id
from orchestrator.stores.layout import (
    SEGMENT_BYTES,
    SEGMENT_LINES,
    Tail,
    grown,
    open_path,
    pull_path,
    segment_number,
    segment_path,
    session_folder,
    snapshot_path,
)
from orchestrator.stores.snapshot import head_of, snapshot
from orchestrator.stores.words import Told, message, said

SESSION = a_session()
KEYS = Keys(Secret("not-a-key"))


@given(name=st.one_of(st.text(max_size=80), st.from_regex(r"[0-9./-]{1,30}(main)?[0-9./-]{0,9}")))
def test_only_session_ids_become_paths(name: str) -> None:
    for path in (session_folder, snapshot_path, open_path):
        try:
            found = path(SessionId(name))
        except ValueError:
            continue
        assert ".." not in found
        repository, home, kind, generation = parse_session_id(name)
        assert name == session_id(repository, home, kind, generation)
        assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-/.")


def test_the_layout_is_what_is_documented() -> None:
    assert segment_path(SESSION, 1) == "s/49/7001-41-main-1/000001.jsonl"
    assert snapshot_path(SESSION) == "s/49/7001-41-main-1/session.json"
    assert open_path(SESSION) == "idx/open/7001-41-main-1"
    assert pull_path(REPOSITORY, 128) == "idx/pr/b3/7001-128"
    assert segment_number("000012.jsonl") == 12
    assert segment_number("12.jsonl") is None
    assert segment_number("000012.jsonl.bak") is None


@given(
    steps=st.lists(st.lists(st.integers(0, SEGMENT_BYTES * 2), max_size=80), max_size=6),
)
def test_segments_are_bounded_and_lose_nothing(steps: list[list[int]]) -> None:
    files: dict[int, bytes] = {}
    tail, written = Tail(), b""
    for sizes in steps:
        lines = [f"{number}:" + "x" * size for number, size in enumerate(sizes)]
        written += b"".join(line.encode() + b"\n" for line in lines)
        changed = grown(tail, lines)
        for segment in changed:
            assert segment.number in (tail.number, *files.keys()) or segment.number > tail.number
            files[segment.number] = segment.data
            assert segment.lines == segment.data.count(b"\n") <= SEGMENT_LINES
            without_last = segment.data[:-1].rpartition(b"\n")[0]
            assert len(without_last) < SEGMENT_BYTES
        tail = changed[-1] if changed else tail
    assert b"".join(files[number] for number in sorted(files)) == written
    assert sorted(files) == list(range(1, len(files) + 1))


def chained(lines: list[str], keys: Keys = KEYS) -> tuple[list[str], Head]:
    head, sealed = Head(), []
    for line in lines:
        one, head = keys.seal(head, line, REPOSITORY, SESSION)
        sealed.append(one)
    return sealed, head


def unchained(sealed: list[str], keys: Keys = KEYS, session: SessionId = SESSION) -> list[str]:
    head, lines = Head(), []
    for one in sealed:
        line, head = keys.unseal(head, one, REPOSITORY, session)
        lines.append(line)
    return lines


@settings(deadline=None)
@given(events=st.lists(any_event(), max_size=4))
def test_a_chain_gives_back_what_went_in(events: list[Event]) -> None:
    lines = [encode(event) for event in events]
    for keys in (KEYS, Keys()):
        sealed, head = chained(lines, keys)
        assert unchained(sealed, keys) == lines
        assert head.n == len(lines)


def test_every_flipped_bit_is_noticed() -> None:
    (_, sealed), _ = chained([encode(event) for event in finished_story(SESSION)[:2]])
    first, _ = chained([encode(finished_story(SESSION)[0])])
    for place in range(len(sealed)):
        for bit in range(7):
            flipped = chr(ord(sealed[place]) ^ (1 << bit))
            with pytest.raises(ChainBroken):
                unchained([*first, sealed[:place] + flipped + sealed[place + 1 :]])


def test_lines_do_not_move_between_sessions_keys_or_places() -> None:
    sealed, _ = chained(['{"v":1}', '{"v":2}', '{"v":3}'])
    for wrong in (sealed[1:], [sealed[0], sealed[2]], [*sealed, sealed[2]], [sealed[1], sealed[0]]):
        with pytest.raises(ChainBroken):
            unchained(wrong)
    with pytest.raises(ChainBroken):
        unchained(sealed, session=a_session(42))
    with pytest.raises(ChainBroken, match="not one of ours"):
        unchained(sealed, Keys(Secret("another")))
    with pytest.raises(ChainBroken):
        KEYS.unseal(Head(), sealed[0], RepositoryId(9), SESSION)
    assert unchained(sealed, Keys(Secret("another"), older=[Secret("not-a-key")]))


def test_a_key_is_named_without_being_told() -> None:
    assert key_id(Secret("not-a-key")) == key_id(Secret("not-a-key"))
    assert key_id(Secret("not-a-key")) != key_id(Secret("another"))
    assert "not-a-key" not in repr(KEYS) + repr(vars(KEYS).get("_writing"))


def test_the_snapshot_names_the_last_event() -> None:
    head = Head(n=15, h="ab" * 16)
    text = snapshot(replay(SESSION, finished_story(SESSION)), head)
    assert head_of(text) == head
    assert head_of(snapshot(initial(SESSION), head)) == head
    for broken in ("", "{}", "[]", '{"last":{}}', '{"last":{"n":"1","h":"x"}}', "[" * 99_999):
        assert head_of(broken) is None


@settings(deadline=None)
@given(event=any_event())
def test_any_event_is_told_without_links_mentions_or_lines_of_its_own(event: Event) -> None:
    words = said(event)
    assert words.isprintable()
    assert not set("#@:") & set(words)
    state = evolve(initial(SESSION), opened(SESSION))
    text = message([Told(state=state, events=[event])], journal=5, flush="abcd-1")
    subject, blank, *_ = text.split("\n")
    assert len(subject) <= 72
    assert blank == ""
    assert text.endswith(f"Session: {SESSION}\nCost: $0.00\nJournal: 5\nFlush: abcd-1\n")


def test_a_busy_turn_is_told_in_short() -> None:
    story = finished_story(SESSION)
    report = story[8]
    state = replay(SESSION, story[:9])
    text = message(
        [Told(state=state, events=[story[2], report, report, report])], journal=0, flush="a-1"
    )
    assert text.splitlines()[:3] == [
        "issue 41: turn 1 started",
        "",
        "issue 41: turn 1 started, progress (3 times)",
    ]
