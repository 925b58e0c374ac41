"""Every command and report survives the journey; anything else is refused as a whole."""

from __future__ import annotations

import contextlib
import typing
from dataclasses import fields
from types import UnionType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.checks import CodecError
from sandbox.codec import (
    MAX_TEXT,
    command_from_json,
    command_to_json,
    report_from_json,
    report_to_json,
)
from sandbox.commands import (
    AgentProgram,
    Boot,
    Command,
    GitIdentity,
    Prompt,
    Script,
    ToolOffer,
)
from sandbox.reports import Numbered, Report, ToolCalled, TurnFinished, Warned
from sandbox.strict_json import BadJson, bytes_from_object, object_from_bytes

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SPECIAL = {
    "seconds": st.floats(0, 1e6) | st.none(),
    "paths": st.lists(words, max_size=64).map(tuple),
    "entries": st.lists(
        st.tuples(words, st.sampled_from(["pending", "in_progress", "completed"])), max_size=5
    ).map(tuple),
}


def values(shape, name):
    """A strategy for one field, from its annotation."""
    hint = typing.get_type_hints(shape)[name]
    if name == "paths" or name == "entries":
        return SPECIAL[name]
    if typing.get_origin(hint) is typing.Literal:
        return st.sampled_from(typing.get_args(hint))
    if isinstance(hint, UnionType):
        inner = [h for h in typing.get_args(hint) if h is not type(None)]
        return st.none() | simple(inner[0])
    return simple(hint)


def simple(hint):
    if hint in (GitIdentity, Script, AgentProgram, ToolOffer):
        return st.builds(hint, **{f.name: values(hint, f.name) for f in fields(hint)})
    if typing.get_origin(hint) is dict:
        return st.dictionaries(words, simple(typing.get_args(hint)[1]), max_size=3)
    if typing.get_origin(hint) is tuple:
        return st.lists(simple(typing.get_args(hint)[0]), max_size=4).map(tuple)
    return {
        str: words,
        int: st.integers(0, 2**40),
        float: st.floats(0, 1e6),
        bool: st.booleans(),
    }[hint]


def anything(union):
    return st.one_of(
        *(
            st.builds(shape, **{f.name: values(shape, f.name) for f in fields(shape)})
            for shape in typing.get_args(union)
        )
    )


@given(anything(Command))
def test_commands_survive(command):
    assert command_from_json(object_from_bytes(bytes_from_object(command_to_json(command)))) == (
        command
    )


@given(anything(Report), st.integers(1, 2**50), st.floats(0, 1e10))
def test_reports_survive(report, seq, at):
    numbered = Numbered(seq=seq, at=at, report=report)
    assert report_from_json(object_from_bytes(bytes_from_object(report_to_json(numbered)))) == (
        numbered
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=8,
)


@given(anything(Report), json_values, st.data())
def test_a_report_with_one_field_spoilt_is_itself_or_refused(report, junk, data):
    message = report_to_json(Numbered(seq=1, at=0.0, report=report))
    message[data.draw(st.sampled_from([*message, "surprise"]))] = junk
    try:
        got = report_from_json(message)
    except CodecError as error:
        assert len(str(error)) < 200
    else:
        assert report_from_json(report_to_json(got)) == got


@given(st.binary(max_size=200))
def test_bytes_are_an_object_or_bad_json(data):
    with contextlib.suppress(BadJson):
        assert isinstance(object_from_bytes(data), dict)


def warned(**changes):
    return report_to_json(Numbered(seq=1, at=0.0, report=Warned(scope="a", message="b"))) | changes


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({}, "seq or at"),
        (warned(seq=True), "not a whole number"),
        (warned(seq=-1), "negative"),
        (warned(seq=2**60), "out of range"),
        (warned(at=float("nan")), "out of range"),
        (warned(at="now"), "not a number"),
        (warned(report="shutdown"), "no report that is known"),
        (warned(report=["warned"]), "no report that is known"),
        (warned(extra=1), "unknown field"),
        (warned(message="x" * (MAX_TEXT + 1)), "longer than"),
        (warned(message="é" * (MAX_TEXT // 2 + 1)), "longer than"),
        (warned(message="\ud800"), "not valid Unicode"),
        (warned(message=None), "not a text"),
    ],
)
def test_what_is_not_a_report_is_refused(message, words):
    with pytest.raises(CodecError, match=words):
        report_from_json(message)


def test_sizes_and_choices_of_a_tool_call_are_held():
    call = ToolCalled(turn=1, call="c", kind="edit", title="t", status="completed")
    good = report_to_json(Numbered(seq=1, at=0.0, report=call))
    assert report_from_json(good).report == call
    for bad in (
        {"kind": "hack"},
        {"status": "done"},
        {"paths": ["p"] * 65},
        {"paths": "p"},
        {"output_tail": "x" * (8193)},
        {"added": -1},
        {"exit_code": 1.5},
        {"turn": None},
    ):
        with pytest.raises(CodecError):
            report_from_json(good | bad)


def test_the_content_of_what_is_refused_is_not_told():
    with pytest.raises(CodecError) as refused:
        report_from_json(warned(message=["ghp_not_a_real_token"]))
    assert "ghp" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_field_may_be_left_out_where_it_has_a_default():
    message = {"seq": 1, "at": 0, "report": "turn_finished", "turn": 4, "reason": "end_turn"}
    assert report_from_json(message).report == TurnFinished(turn=4, reason="end_turn")
    del message["turn"]
    with pytest.raises(CodecError, match="lacks turn"):
        report_from_json(message)


def test_a_long_prompt_and_a_large_environment_fit_one_message():
    prompt = Prompt(turn=1, text="é" * 64_000, author=GitIdentity(name="a", email="b"))
    assert command_from_json(object_from_bytes(bytes_from_object(command_to_json(prompt))))
    boot = Boot(
        mode="fresh",
        branch="b",
        commit="c",
        agent=AgentProgram(command=("x",), env={"CONFIG": "x" * 100_000}),
    )
    assert len(bytes_from_object(command_to_json(boot))) < 1 << 20
    assert command_from_json(command_to_json(boot)) == boot
