"""The status comment: one per session, edited in place, true even when the agent is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from orchestrator.session.values import Outcome, Phase, Status
from orchestrator.session.view import SandboxView, SessionView, TurnView

from . import figures, inert, steps
from .markdown import prose, sentence

LONGEST = 60_000
"""GitHub takes more, but not everywhere: https://github.com/dead-claudia/github-limits"""
_PROMPT = 300
_SUMMARY = 12_000
_WAITING_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where more can be seen; empty ones are not shown. Ours, never from a text."""

    history: str = ""
    live: str = ""


def status(view: SessionView, *, now: datetime, marker: str, links: Links | None = None) -> str:
    """The whole comment, below 60,000 characters; `marker` is its last line."""
    turn = view.turn
    parts: list[str] = [headline(view, now)]
    if turn is not None:
        parts.append(_prompt(turn))
        parts.append(_named_commit(view))
        parts.append(_running(view, turn, now) if turn.outcome is None else _ended(view, turn))
    parts.append(_waiting(view))
    if turn is not None:
        parts.append(steps.activity(turn.steps, turn.steps_total))
    parts.append(_footer(view, links or Links()))
    return composed(parts, marker)


def composed(parts: list[str], marker: str) -> str:
    """The parts that say something, and the marker, which is always whole and last.

    Every part is bounded where it is made; should all of them be at their largest, those that
    matter least, the later ones, are left out.
    """
    room = LONGEST - len(marker) - 3
    kept: list[str] = []
    for part in parts:
        if part and len(part) + 2 <= room:
            kept.append(part)
            room -= len(part) + 2
    return "\n\n".join([*kept, marker])


def headline(view: SessionView, now: datetime) -> str:
    """State, turn, elapsed, cost, and what came of it."""
    turn = view.turn
    words = [f"**{state_words(view)}**"]
    if turn is not None:
        words.append(f"turn {turn.number}")
        words.append(figures.between(turn.started_at, turn.ended_at or now))
        words.append(_cost(view, turn))
    pull = turn.pull_request if turn is not None and turn.outcome else None
    leads = f" → #{pull.number}{' (draft)' if pull.draft else ''}" if pull else ""
    return " · ".join(words) + leads


def _cost(view: SessionView, turn: TurnView) -> str:
    spent = figures.money(turn.usage.microdollars)
    if turn.outcome is Outcome.OUT_OF_BUDGET:
        return f"{spent} of {figures.money(view.turn_microdollars)}"
    return spent


def state_words(view: SessionView) -> str:
    turn = view.turn
    if turn is not None and turn.outcome is None:
        match turn.phase:
            case Phase.STARTING:
                return "Starting"
            case Phase.RUNNING:
                return "Working"
            case Phase.STOPPING:
                return "Stopping"
            case Phase.FINISHING:
                return "Finishing"
            case _:
                assert_never(turn.phase)
    if view.status is Status.CANCELLED:
        return "Cancelled"
    if turn is None or turn.outcome is None:
        return "Queued"
    return outcome_words(turn.outcome)


def outcome_words(outcome: Outcome) -> str:
    match outcome:
        case Outcome.SUCCEEDED:
            return "Done"
        case Outcome.FAILED:
            return "Failed"
        case Outcome.STOPPED:
            return "Stopped"
        case Outcome.TIMED_OUT:
            return "Stopped: timed out"
        case Outcome.OUT_OF_BUDGET:
            return "Stopped: out of budget"
        case _:
            assert_never(outcome)


def _prompt(turn: TurnView) -> str:
    asked = sentence(turn.prompt, _PROMPT)
    return f"> {asked} — {inert.person(turn.author.login)}"


def _named_commit(view: SessionView) -> str:
    """Of a fork, whose other commits do not run."""
    if not view.start:
        return ""
    return (
        f"Runs at {inert.code(view.start[:10])} of the fork and at no other commit of it. Its work "
        f"goes to {inert.code(view.branch)} in this repository, never to the fork."
    )


def _running(view: SessionView, turn: TurnView, now: datetime) -> str:
    lines = [*_sandbox(view.sandbox), *steps.checklist(turn.steps, now)]
    if turn.phase is Phase.STARTING and view.sandbox is None:
        lines.append("- [ ] Starting a sandbox")
    elif turn.phase is Phase.STARTING and view.sandbox and view.sandbox.ready_seconds is None:
        lines.append("- [ ] Preparing the workspace and the agent")
    elif turn.phase is Phase.FINISHING:
        lines.append("- [ ] Taking the work out of the sandbox")
    elif turn.phase is Phase.STOPPING:
        lines.append(f"- [ ] Stopping{_why_stopping(turn)}")
    return "\n".join(lines)


def _why_stopping(turn: TurnView) -> str:
    match turn.stopping:
        case "timeout":
            return ", the turn took too long"
        case "silence":
            return ", nothing was heard from the agent"
        case "budget":
            return ", the budget is used up"
        case _:
            by = turn.stopped_by
            return f", asked by {inert.person(by.login)}" if by else ""


def _sandbox(box: SandboxView | None) -> list[str]:
    if box is None:
        return []
    facts = ["restored"] if box.restored else []
    if box.base:
        facts.append(f"at {box.base[:7]}")
    about = f" ({', '.join(facts)})" if facts else ""
    seconds = box.launch_seconds + (box.ready_seconds or 0.0)
    lines = []
    if box.ready_seconds is not None:
        lines.append(f"- [x] Sandbox ready in {figures.duration(seconds)}{about}")
    if box.note:
        lines.append(f"- [x] {sentence(box.note, 300)}")
    if box.lost:
        lines.append(f"- [x] The sandbox before was lost: {sentence(box.lost, 300)}")
    return lines


def _ended(view: SessionView, turn: TurnView) -> str:
    """Reason first where it did not go well, then what was said, then the facts."""
    shown = turn.work is not None or turn.outcome is Outcome.SUCCEEDED
    parts = [
        ended_reason(view, turn),
        prose(turn.said, _SUMMARY) if turn.said.strip() else "",
        facts_table(turn) if shown else "",
        saved_words(view, turn),
        "" if shown else "\n".join(steps.checklist(turn.steps, None)),
    ]
    return "\n\n".join(part for part in parts if part)


def ended_reason(view: SessionView, turn: TurnView) -> str:
    if view.status is Status.CANCELLED and view.cancelled_by is not None:
        by = inert.person(view.cancelled_by.login)
        dropped = (
            f" {figures.count(view.dropped, 'prompt')} that waited will not be answered."
            if view.dropped
            else ""
        )
        return f"Cancelled by {by}.{dropped} A new mention starts the next session."
    if turn.outcome is Outcome.STOPPED and turn.stopped_by is not None:
        return f"Stopped by {inert.person(turn.stopped_by.login)}."
    return _reason(turn.reason)


def _reason(reason: str) -> str:
    """Its first line as a sentence; what follows is a program's output, shown as it is."""
    first, _, rest = reason.strip().partition("\n")
    said = sentence(first[:1].upper() + first[1:], 1000)
    if rest.strip():
        return f"{said}:\n\n{inert.fenced(rest[-2000:], 'text')}"
    return f"{said}." if said and said[-1].isalnum() else said


def facts_table(turn: TurnView) -> str:
    """What changed and what was run, as it happened and not as it was told."""
    rows: list[str] = []
    work = turn.work
    if work is not None and work.files:
        changed = [
            f"{inert.code(f.path, 120)} {figures.lines_changed(f.added, f.removed)}"
            for f in work.files[:20]
        ]
        if len(work.files) > 20:
            changed.append(f"{len(work.files) - 20} more")
        rows.append(_row("Changed", ", ".join(changed)))
    ran = steps.commands_run(turn.steps)
    if ran:
        told = [f"{inert.code(command, 100)} {ended}" for command, ended in ran[-6:]]
        if len(ran) > 6:
            told.insert(0, f"{len(ran) - 6} more")
        rows.append(_row("Ran", ", ".join(told)))
    if work is not None and work.note:
        rows.append(_row("Note", sentence(work.note, 1000)))
    return "\n".join(["| | |", "|---|---|", *rows]) if rows else ""


def _row(name: str, content: str) -> str:
    return f"| {name} | {content.replace(chr(92) + '|', '|').replace('|', chr(92) + '|')} |"


def saved_words(view: SessionView, turn: TurnView) -> str:
    """Where the work is, if it is anywhere."""
    work = turn.work
    if work is None or work.commits == 0:
        if turn.outcome is Outcome.SUCCEEDED:
            return "Nothing was changed in the repository."
        if view.sandbox is not None and view.status is not Status.CANCELLED:
            return "What was not committed is still in the sandbox: the next prompt goes on there."
        return ""
    where = f"{inert.code(work.branch)} ({figures.count(work.commits, 'commit')})"
    pull = view.pull_request
    there = pull is not None and turn.pull_request is None and work.branch == view.branch
    shown = f", shown in #{pull.number}" if pull is not None and there else ""
    return f"The work is on {where}{shown}."


def _waiting(view: SessionView) -> str:
    if not view.waiting:
        return ""
    shown = [
        f"{inert.person(w.author.login)} “{sentence(w.prompt, 120)}”"
        for w in view.waiting[:_WAITING_SHOWN]
    ]
    more = len(view.waiting) - len(shown)
    rest = f" and {more} more" if more else ""
    return f"{figures.count(len(view.waiting), 'prompt')} waiting: {', '.join(shown)}{rest}"


def _footer(view: SessionView, links: Links) -> str:
    running = view.turn is not None and view.turn.outcome is None
    parts: list[str] = []
    if running:
        parts += ["`/openinspect stop`", "`cancel`", "`status`", "`why`"]
    elif view.status in (Status.CANCELLED, Status.ARCHIVED):
        parts.append("`/openinspect help`")
    elif view.turn is not None and view.turn.outcome is Outcome.OUT_OF_BUDGET:
        parts += ["`/openinspect budget +2`", "`status`", "`why`"]
    else:
        parts += ["`/openinspect retry`", "`status`", "`why`"]
    if links.history:
        parts.append(f"[history]({links.history})")
    if links.live and running:
        parts.append(f"[live]({links.live})")
    first = _what_next(view) if not running else ""
    footer = f"<sub>{' · '.join(parts)}</sub>"
    return f"{first}\n\n{footer}" if first else footer


def _what_next(view: SessionView) -> str:
    if view.status is Status.ARCHIVED:
        return "Put away: a new mention starts the next session."
    if view.status is Status.CANCELLED:
        return ""
    if view.waiting:
        return ""
    if view.sandbox is None:
        kept = "; the sandbox's state is kept" if view.kept else ""
        return f"Reply here with a mention to go on{kept}."
    kept = figures.span(view.idle_seconds)
    return (
        "Reply here with a mention to go on; "
        f"the sandbox is kept for {kept} and its state after that."
    )
