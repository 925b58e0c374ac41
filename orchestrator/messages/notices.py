"""Short answers: refusals, help, status in words, and what is wrong with a configuration."""

from __future__ import annotations

from datetime import datetime

from orchestrator.config.keys import CONFIG_PATH
from orchestrator.config.problem import ConfigProblem
from orchestrator.session.view import SessionView

from . import figures, inert
from .status import composed, headline

_REASON = 2_000


def refusal(reason: str, *, login: str, marker: str) -> str:
    """Something was asked that may not or cannot be done. `reason` is one of our sentences and
    may hold Markdown of ours."""
    reason = reason if reason.endswith((".", "?")) else reason + "."
    return composed([f"{inert.person(login)} **Not started**: {reason[:_REASON]}"], marker)


def reply(text: str, *, login: str, marker: str) -> str:
    """An answer of ours to one thing that was asked."""
    return composed([f"{inert.person(login)} {text}"], marker)


def status_words(view: SessionView, *, now: datetime, status_url: str = "") -> str:
    """What `status` answers: state, queue, spending, where more is shown."""
    parts: list[str] = []
    if view.turn is not None and view.turn.outcome is None and view.turn.steps:
        last = view.turn.steps[-1]
        parts.append(f"Last step: {inert.code(last.title, 160)}.")
    if view.waiting:
        parts.append(f"{figures.count(len(view.waiting), 'prompt')} waiting.")
    spent = figures.money(view.usage.microdollars)
    most = figures.money(view.session_microdollars)
    parts.append(f"This session has used {spent} of {most}.")
    if view.pull_request is not None:
        parts.append(f"Pull request: #{view.pull_request.number}.")
    if status_url:
        parts.append(f"[All of it]({status_url}).")
    return f"{headline(view, now)}\n\n{' '.join(parts)}"


def help_words(name: str) -> str:
    """What `help` answers."""
    rows = [
        (f"`@{name}` and what to do", "starts work, or queues it behind what is running"),
        ("`model=provider/name`, `effort=high`", "before what to do: for this one turn"),
        ("`/openinspect run <sha>` and what to do", "works on a fork's head, named by its commit"),
        ("`/openinspect stop`", "ends the running turn; what is queued goes on"),
        ("`/openinspect cancel`", "ends the session and drops the queue"),
        ("`/openinspect archive`", "puts a session away in which nothing runs"),
        ("`/openinspect retry`", "runs the last prompt again"),
        ("`/openinspect budget +2`", "adds two dollars, and goes on where they had run out"),
        ("`/openinspect status`", "says what is going on and what it has cost"),
        ("`/openinspect why`", "says why the last request here was not taken, rule by rule"),
        ("`/openinspect config`", "says what is configured here, and in which line"),
        ("`/openinspect help`", "says this"),
    ]
    table = "\n".join(["| say | and it |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])
    return (
        "What can be said here, in an issue, a comment or a review, by people with write "
        f"access:\n\n{table}\n\nEach word also works as `@{name} stop`. "
        f"Settings are in `{CONFIG_PATH}` of the default branch."
    )


def config_notice(
    problem: ConfigProblem, *, going_on_with: str, marker: str, path: str = CONFIG_PATH
) -> str:
    """Said once on the thread. `going_on_with`: "the defaults", "the last good version"."""
    what = inert.fenced(problem.explain(path), "text")
    return composed(
        [
            f"**Configuration problem** in `{path}`; going on with {going_on_with}.",
            what,
            "It is read from the default branch, as a whole or not at all.",
        ],
        marker,
    )
