"""Events as lines: nothing is lost, nothing wrong is let in, old lines read for ever."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from support.stored import EVENTS, NOON, a_session, any_event, opened, prompt
from support.write_stored_events import files_of, line_of

from orchestrator.codec import STORED, UPCASTERS, BadRecord, UnknownEvent, decode, encode, with_text
from orchestrator.session.events import (
    EffectDone,
    Event,
    PromptQueued,
    PullRequestClosed,
    SandboxReady,
    SessionOpened,
)

FILES = sorted((Path(__file__).parent.parent / "stored_events").glob("*.json"))
DONE = '{"v":1,"e":"effect_done","at":"2026-11-24T12:00:00Z","key":"status","ref":"55"}'


@settings(max_examples=300, deadline=None)
@given(event=any_event())
def test_every_event_survives_storage(event: Event) -> None:
    line = encode(event)
    assert decode(line) == event
    assert encode(decode(line.encode())) == line
    assert "\n" not in line


def test_every_event_class_has_a_stored_name_and_no_field_named_like_the_envelope() -> None:
    assert {cls for _, cls in STORED.values()} == set(EVENTS)
    names = {field.name for cls in EVENTS for field in dataclasses.fields(cls)}
    assert not names & {"v", "e", "n", "k", "h"}


def test_every_older_version_has_its_upcaster() -> None:
    needed = {(name, old) for name, (version, _) in STORED.items() for old in range(1, version)}
    assert set(UPCASTERS) == needed


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_was_ever_stored_still_reads_and_is_written_the_same(file: Path) -> None:
    """Byte for byte in the newest shape; an older one of the same version gains fields."""
    line = line_of(file)
    event = decode(line)
    assert decode(encode(event)) == event
    name = file.name.split(".")[0]
    if file == files_of(name, STORED[name][0])[-1]:
        assert encode(event) == line, "changed? see tests/support/write_stored_events.py"


def test_every_event_has_a_stored_file() -> None:
    stored = {file.stem.split(".")[0] for file in FILES}
    assert stored == set(STORED)


def test_the_line_reads_as_people_expect() -> None:
    assert encode(EffectDone(at=NOON, key="status", ref="55")) == DONE
    assert decode(DONE) == EffectDone(at=NOON, key="status", ref="55")


def test_times_are_stored_in_utc() -> None:
    vienna = datetime(2026, 11, 24, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    assert encode(EffectDone(at=vienna, key="status", ref="55")) == DONE


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"at": "2026-11-24T12:00:00+00:00"}, "effect_done.at: not a UTC time"),
        ({"at": "2026-11-24Z"}, "not a UTC time"),
        ({"at": 5}, "not a UTC time"),
        ({"key": None}, "effect_done.key: not a str"),
        ({"key": 7}, "not a str"),
        ({"more": 1}, "unknown field 'more'"),
        ({"ref": ...}, "ref is missing"),
    ],
)
def test_a_wrong_field_is_refused_with_its_name(change: dict[str, Any], what: str) -> None:
    record = {k: v for k, v in {**json.loads(DONE), **change}.items() if v is not ...}
    with pytest.raises(BadRecord) as refusal:
        decode(json.dumps(record), "s/ab/1/000001.jsonl:7")
    assert what in str(refusal.value)
    assert refusal.value.where.startswith("s/ab/1/000001.jsonl:7")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{",
        "null",
        "1",
        '{"v":1}',
        '{"e":"effect_done"}',
        '{"v":true,"e":"effect_done"}',
        "[" * 100_000,
        '{"v":1,"e":"effect_done","at":NaN}',
        b"\xff",
        '{"v":' + "9" * 5000 + "}",
    ],
    ids=range(12),
)
def test_what_is_no_record_is_refused(line: str | bytes) -> None:
    with pytest.raises(BadRecord):
        decode(line)


@pytest.mark.parametrize("change", [{"e": "effect_undone"}, {"v": 2}, {"v": 0}])
def test_what_a_newer_program_wrote_is_refused_as_such(change: dict[str, Any]) -> None:
    with pytest.raises(UnknownEvent):
        decode(json.dumps({**json.loads(DONE), **change}))


@pytest.mark.parametrize("text", ["nan", "inf"])
def test_numbers_that_json_has_not_are_refused(text: str) -> None:
    ready = SandboxReady(
        at=NOON, launch=1, agent="a", agent_session="b", resumed=False, seconds=float(text)
    )
    with pytest.raises(BadRecord):
        encode(ready)
    line = encode(replace(ready, seconds=1.0))
    for huge in ("1e999", "NaN", "true", '"1"'):
        with pytest.raises(BadRecord):
            decode(line.replace('"seconds":1.0', f'"seconds":{huge}'))


def test_wrong_values_are_refused_before_they_are_stored() -> None:
    with pytest.raises(BadRecord, match=r"pull_request_closed.merged: not a bool"):
        encode(PullRequestClosed(at=NOON, number=1, merged=1))  # type: ignore[arg-type]
    with pytest.raises(BadRecord, match="zone"):
        encode(EffectDone(at=datetime(2026, 1, 1), key="", ref=""))  # noqa: DTZ001
    with pytest.raises(BadRecord, match="no stored name"):
        encode(prompt())  # type: ignore[arg-type]


def test_only_free_text_is_cleaned() -> None:
    queued = PromptQueued(at=NOON, prompt=prompt(text="the key is hunter2"))
    shouted = with_text(queued, str.upper)
    assert isinstance(shouted, PromptQueued)
    assert shouted.prompt.text == "THE KEY IS HUNTER2"
    assert shouted.prompt.key == queued.prompt.key
    assert shouted.prompt.source.kind == queued.prompt.source.kind
    plan = with_text(replace_plan(opened(a_session())), str.upper)
    assert isinstance(plan, SessionOpened)
    assert plan.plan.agent == ("MY-AGENT", "--ACP")
    assert plan.plan.model is None


def replace_plan(event: Event) -> Event:
    assert isinstance(event, SessionOpened)
    return replace(event, plan=replace(event.plan, agent=("my-agent", "--acp")))
