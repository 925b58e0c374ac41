"""Whatever an agent or a person writes: bounded, balanced, and nothing in it acts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.hostile_text import ALL, MENTIONS

from orchestrator import messages
from orchestrator.messages import LONGEST, Template
from orchestrator.messages.inert import code, fenced, person, text
from orchestrator.messages.markdown import prose, sentence
from orchestrator.messages.status import composed
from orchestrator.session.values import ChangedFile, Outcome, StepKind, StepStatus


def everywhere(show: Any, said: str) -> list[str]:
    """Every message with `said` in every place that others write."""
    said = said.replace("{mac}", show.marker.split("mac=")[1][:32])
    file = ChangedFile(path=said, added=1, removed=1)
    steps = tuple(
        show.step(
            n, kind, said, status=status, paths=(said,), tail=said,
            exit_code=1 if status is StepStatus.FAILED else None,
        )
        for n, (kind, status) in enumerate(
            [(kind, status) for kind in StepKind for status in StepStatus]
        )
    )  # fmt: skip
    changes = {
        "turn_prompt": said, "turn_said": said, "turn_steps": steps, "turn_reason": said,
        "title": said, "waiting": (show.waiting(said),), "model": said,
        "sandbox": replace(show.working().sandbox, note=said, lost=said),
    }  # fmt: skip
    work = replace(show.WORK, files=(file,), note=said, branch=said)
    live = show.working(**changes)
    over = [
        show.ended(outcome, **changes, turn_work=work if outcome is Outcome.SUCCEEDED else None)
        for outcome in Outcome
    ]
    texts = [messages.status(v, now=show.after(9), marker=show.marker) for v in (live, *over)]
    texts += [messages.result(v, v.turn, marker=show.marker) for v in over]
    texts.append(messages.pull_request_body(over[0], over[0].turn, marker=show.marker))
    texts.append(
        messages.pull_request_body(
            over[0], over[0].turn, marker=show.marker, template=Template(text="## Summary\n")
        )
    )
    for view in over:
        check = messages.check_finished(view, view.turn)
        texts += [f"{part}\n\n{show.marker}" for part in (check.summary, check.text)]
    started = messages.check_started(live, live.turn)
    texts.append(f"{started.summary}\n\n{show.marker}")
    texts.append(f"{messages.status_words(live, now=show.after(9))}\n\n{show.marker}")
    return texts


def assert_inert(show: Any, said: str) -> None:
    for shown in everywhere(show, said):
        assert len(shown) < LONGEST
        shown.encode()
        read = show.Reader(shown)
        assert read.last.strip() == show.marker, shown
        assert messages.find_marker(shown, show.KEY) is not None
        assert shown.count("<!-- openinspect") == 1
        assert read.mentions <= {"octocat", "hubot"}
        assert read.links == set()
        assert read.images == 0
        assert read.foreign_html == []
        assert read.bare_urls == []
        assert read.references <= {"41"}
        assert read.commands == []
        assert read.bot_commands == []
        assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown


@pytest.mark.parametrize("said", ALL)
def test_nothing_that_others_write_acts(said: str, show: Any) -> None:
    assert_inert(show, said)


@pytest.mark.parametrize("said", MENTIONS)
def test_a_mention_by_the_agent_reaches_nobody(said: str, show: Any) -> None:
    for make in (prose, sentence):
        assert show.Reader(make(said, 5_000)).mentions == set(), make
    assert show.Reader(text(said)).mentions == set()


FRAGMENTS = st.lists(
    st.sampled_from(ALL)
    | st.sampled_from(
        ["\n", "\n\n", " ", "`", "``", "```", "*", "_", "|", "\\", "<", ">", "a", "- "]
    )
    | st.text(max_size=8),
    max_size=12,
).map("".join)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(FRAGMENTS)
def test_nothing_in_any_mixture_acts(show: Any, said: str) -> None:
    assert_inert(show, said)


@settings(max_examples=400, deadline=None)
@given(FRAGMENTS, st.integers(min_value=40, max_value=400))
def test_prose_keeps_its_limit(said: str, limit: int) -> None:
    assert len(prose(said, limit)) <= limit


HUGE = [
    "x",
    "word ",
    "`",
    "```\n",
    "@a ",
    "#1 ",
    "https://a.b/c ",
    "<b>",
    "- a\n",
    "> ",
    "[",
    "\\",
    "|a|b|\n|-|-|\n",
    "![](x)",
    "*",
    "\n",
    "é",
    "👩‍💻",
    "\x1b[31m",
    "/approve\n",
    "&amp;",
]


@pytest.mark.parametrize("piece", HUGE)
def test_however_much_is_printed(piece: str, show: Any) -> None:
    """What digesting lets through at most, and ten times as many files as are ever shown."""
    said = (piece * 64_000)[:64_000]
    steps = tuple(
        show.step(
            n, StepKind.RUN, said[:300], status=StepStatus.FAILED, tail=said[:2_000],
            paths=(said[:300],) * 20, exit_code=n,
        )
        for n in range(1, 201)
    )  # fmt: skip
    files = tuple(ChangedFile(path=said[:300] + str(n), added=n, removed=n) for n in range(200))
    view = show.done(
        turn_said=said,
        turn_prompt=said,
        turn_reason=said,
        turn_steps=steps,
        turn_steps_total=100_000,
        turn_work=replace(show.WORK, files=files, note=said),
        waiting=tuple(show.waiting(said) for _ in range(10)),
    )
    start = time.process_time()
    shown = messages.status(view, now=show.after(9), marker=show.marker)
    assert time.process_time() - start < 3
    assert len(shown) < LONGEST
    assert "Activity, 100,000 steps" in shown
    assert show.Reader(shown).last.strip() == show.marker
    for make in (messages.result, messages.pull_request_body):
        assert len(make(view, view.turn, marker=show.marker)) < LONGEST
    check = messages.check_finished(view, view.turn)
    assert max(map(len, (check.summary, check.text))) < LONGEST


def test_parts_that_do_not_fit_are_left_out_and_the_marker_never_is(show: Any) -> None:
    shown = composed(["a" * 50_000, "b" * 50_000, "", "c" * 100], show.marker)
    assert "a" * 50_000 in shown and "bb" not in shown and "c" * 100 in shown
    assert shown.endswith(f"\n\n{show.marker}")
    assert len(composed(["x" * (LONGEST - len(show.marker) - 5)], show.marker)) < LONGEST


KEPT = [
    "plain text",
    "two lines\nof one paragraph",
    "one\n\ntwo",
    "**bold** and *soft* and ~~gone~~",
    "`code`, ``a ` b``",
    "- a\n- b\n  - c",
    "1. a\n2. b",
    "> quoted",
    "```py\nprint('x')\n```",
    "| a | b |\n| --- | --- |\n| 1 | 2 |",
    "snake_case_name",
    "Grüße, 日本語, 😀",
]


@pytest.mark.parametrize("said", KEPT)
def test_ordinary_prose_stays_as_it_is(said: str) -> None:
    assert prose(said, 1_000) == said


def test_what_is_cut_says_so() -> None:
    shown = prose("A sentence of some words.\n\n" * 100, 500)
    assert shown.endswith("*Cut here: the whole text is longer.*")
    assert "\n\nA sentence" in shown


@pytest.mark.parametrize("make", [code, fenced])
@given(said=st.text(alphabet="`a\n \\|@/", max_size=30))
def test_code_cannot_be_left(make: Callable[[str], str], said: str) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(f"{make(said)}\n\nAFTER")
    assert tokens[-2].content == "AFTER"
    kinds = [token.type for token in tokens]
    assert kinds.count("fence") == (1 if make is fenced else 0)


@pytest.mark.parametrize(
    ("login", "shown"),
    [
        ("octocat", "@octocat"),
        ("a-b-c", "@a-b-c"),
        ("helper[bot]", "@helper[bot]"),
        ("acme/team", "`@acme/team`"),
        ("a b", "`@a b`"),
        ("x](y", "`@x](y`"),
        ("", "`@`"),
    ],
)
def test_only_logins_are_mentioned(login: str, shown: str) -> None:
    assert person(login) == shown
