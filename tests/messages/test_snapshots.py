"""The words as people see them, each in one snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from orchestrator import messages
from orchestrator.config import ConfigProblem, read_config
from orchestrator.messages import Links, Template
from orchestrator.session.values import Home, Outcome, Phase, Status, Work


def views(show: Any) -> dict[str, Any]:
    return {
        "queued": show.working(status=Status.QUEUED, turn=None, waiting=(show.waiting("do it"),)),
        "starting": show.working(
            status=Status.STARTING, turn_phase=Phase.STARTING, turn_steps=(), turn_steps_total=0,
            sandbox=None,
        ),
        "preparing": show.working(
            status=Status.STARTING, turn_phase=Phase.STARTING, turn_steps=(), turn_steps_total=0,
            sandbox=replace(show.working().sandbox, ready_seconds=None),
        ),
        "working": show.working(waiting=(show.waiting("also add a changelog entry"),)),
        "restored": show.working(
            sandbox=replace(
                show.working().sandbox, restored=True, note="The snapshot was taken 3 h ago.",
                lost="the machine restarted",
            ),
        ),
        "many waiting": show.working(waiting=tuple(show.waiting(f"task {n}") for n in range(6))),
        "stopping": show.working(
            turn_phase=Phase.STOPPING, turn_stopping="stop", turn_stopped_by=show.HUBOT
        ),
        "stopping for silence": show.working(
            turn_phase=Phase.STOPPING, turn_stopping="silence"
        ),
        "finishing": show.working(turn_phase=Phase.FINISHING, turn_said=show.SAID),
        "done": show.done(),
        "done, sandbox gone": show.done(sandbox=None),
        "done, second turn": show.done(turn_number=2, turn_pull_request=None),
        "done, nothing changed": show.ended(Outcome.SUCCEEDED, turn_said="It is right as it is."),
        "done, with a note": show.done(
            turn_work=replace(show.WORK, note="The branch had moved; this is on `x-2`."),
        ),
        "failed": show.ended(
            Outcome.FAILED, turn_reason="The agent ended its turn without saying or doing anything."
        ),
        "stopped": show.ended(Outcome.STOPPED, turn_stopped_by=show.HUBOT, turn_work=show.WORK),
        "timed out": show.ended(
            Outcome.TIMED_OUT, turn_reason="Nothing was heard from the agent for 120 s."
        ),
        "out of budget": show.ended(
            Outcome.OUT_OF_BUDGET, turn_reason="The next model call could pass the budget.",
            turn_work=show.WORK,
        ),
        "cancelled": show.ended(
            Outcome.STOPPED, status=Status.CANCELLED, cancelled_by=show.OCTOCAT, dropped=2
        ),
    }  # fmt: skip


NAMES = [
    "queued", "starting", "preparing", "working", "restored", "many waiting", "stopping",
    "stopping for silence", "finishing", "done", "done, sandbox gone", "done, second turn",
    "done, nothing changed", "done, with a note", "failed", "stopped", "timed out",
    "out of budget", "cancelled",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_status_comment(name: str, show: Any, snapshot: SnapshotAssertion) -> None:
    view = views(show)[name]
    links = Links(history="https://github.com/acme/app/commits/openinspect/state")
    text = messages.status(view, now=show.after(134), marker=show.marker, links=links)
    assert text == snapshot
    assert messages.find_marker(text, show.KEY) is not None


ENDED = [name for name in NAMES if name.startswith(("done", "failed", "stopped", "timed", "out"))]


@pytest.mark.parametrize("name", ENDED)
def test_the_reply_at_the_end(name: str, show: Any, snapshot: SnapshotAssertion) -> None:
    view = views(show)[name]
    assert messages.result(view, view.turn, marker=show.marker) == snapshot


@pytest.mark.parametrize("name", ENDED)
def test_the_check_run(name: str, show: Any, snapshot: SnapshotAssertion) -> None:
    view = views(show)[name]
    said = messages.check_finished(view, view.turn)
    told = (messages.conclusion(view.turn), said.title, said.summary, said.text)
    assert "\n=====\n".join(told) == snapshot


def test_the_reply_is_about_its_own_turn(show: Any) -> None:
    first = show.done()
    second = show.working(turn_number=2, turn_prompt="another thing")
    text = messages.result(second, first.turn, marker=show.marker)
    assert "turn 1" in text and "Done" in text and "another thing" not in text


TEMPLATE = """<!-- Thank you for contributing! @acme/everyone -->
## What does this change?

<!-- Describe it. -->

## How was this tested?

## Related issues

## Checklist

- [ ] I have read CONTRIBUTING.md
- [ ] Docs are updated
"""
ODD_TEMPLATES = {
    "none": "",
    "ordinary": TEMPLATE,
    "without a place for anything": "- [ ] signed\n",
    "with bold headings": "**Summary**\n\n**Test plan**\n\n**Fixes**\n",
    "with an open fence": "## Summary\n\n```sh\nmake test\n",
    "with an open comment": "## Summary\n\n<!-- never closed\n## Tests\n",
    "with Windows line ends": "## Summary\r\n\r\n## Tests\r\n",
}


@pytest.mark.parametrize("name", ODD_TEMPLATES)
def test_the_pull_request(name: str, show: Any, snapshot: SnapshotAssertion) -> None:
    view = show.done()
    text = messages.pull_request_body(
        view,
        view.turn,
        marker=show.marker,
        asked_at="https://github.com/acme/app/issues/41#issuecomment-1",
        template=Template(text=ODD_TEMPLATES[name]),
    )
    assert text == snapshot
    assert show.Reader(text).last.strip() == show.marker


def test_a_session_of_a_pull_request_only_refers(show: Any) -> None:
    view = show.done(home=Home.PULL_REQUEST)
    text = messages.pull_request_body(view, view.turn, marker=show.marker)
    assert "Refs #41" in text and "Fixes" not in text


TITLES = [
    ("Fix the retry loop", "Fix the retry loop"),
    ("fix: check the deadline first", "Fix: check the deadline first"),
    ("Fixed the flaky test.", "Fix the flaky test"),
    ("I fixed the flaky test", "Fix the flaky test"),
    ("**Added** `retry` to _the_ client", "Add retry to the client"),
    ("Fixes #12 and closes acme/app#13", "Fix issue 12 and closes issue 13"),
    ("Fix it [skip ci]", "Fix it"),
    ("Ping @acme/team about it", "Ping ＠acme/team about it"),
    ("A <b>bold</b> title", "A bbold/b title"),
    ("x" * 100, "X" + "x" * 70 + "…"),
    ("Make the very long words of this title end before the limit that GitHub shows us",
     "Make the very long words of this title end before the limit that GitHub…"),
    ("Line one\nLine two", "Line one Line two"),
    ("\x1b[31mRed\x07", "31mRed"),
    ("", "Fix the flaky retry test"),
    ("   ", "Fix the flaky retry test"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "title"), TITLES)
def test_titles(subject: str, title: str, show: Any) -> None:
    view = show.done(turn_said="It works.")
    shown = messages.pull_request_title(view, view.turn, commit_subject=subject)
    assert shown == title
    assert len(shown) <= 72


def test_a_title_from_what_was_said_or_asked(show: Any) -> None:
    def title(**changes: Any) -> str:
        view = show.done(**changes)
        return messages.pull_request_title(view, view.turn)

    assert title(turn_said="Added a deadline check. More.") == "Add a deadline check"
    assert title(turn_said="It was wrong.", turn_prompt="add a test") == "Add a test"
    assert title(turn_said="", turn_prompt="this is broken") == "Flaky retry test"
    assert title(turn_said="", turn_prompt="", title="") == "Work on issue 41"


def test_short_answers(show: Any, snapshot: SnapshotAssertion) -> None:
    problem = read_config(b"agent:\n  modle: x/y\n")
    assert isinstance(problem, ConfigProblem)
    texts = [
        messages.refusal(
            "`mona` has read access to acme/app; write is needed to start work",
            login="mona",
            marker=show.marker,
        ),
        messages.reply(messages.help_words("openinspect"), login="mona", marker=show.marker),
        messages.status_words(show.working(), now=show.after(134)),
        messages.status_words(
            show.done(waiting=(show.waiting("x"),)), now=show.after(500), status_url="https://x/y"
        ),
        messages.config_notice(problem, going_on_with="the defaults", marker=show.marker),
    ]
    assert "\n\n==========\n\n".join(texts) == snapshot


def test_what_was_only_read_is_neutral(show: Any) -> None:
    nothing = show.ended(Outcome.SUCCEEDED)
    assert messages.conclusion(nothing.turn) == "neutral"
    empty = Work(branch="x", head="a", base="a", commits=0)
    assert messages.conclusion(show.done(turn_work=empty).turn) == "neutral"
    assert messages.conclusion(show.done().turn) == "success"
