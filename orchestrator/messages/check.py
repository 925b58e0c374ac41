"""What the check run on a pull request's head shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from orchestrator.session.values import Outcome
from orchestrator.session.view import SessionView, TurnView

from . import figures, inert, steps
from .markdown import prose, sentence
from .status import ended_reason, facts_table, outcome_words, saved_words

Conclusion = Literal["success", "failure", "cancelled", "timed_out", "neutral"]
NAME = "openinspect"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckText:
    """`title` is one line; GitHub takes 65,535 characters of each of the others."""

    title: str
    summary: str
    text: str


def check_started(view: SessionView, turn: TurnView) -> CheckText:
    asked = sentence(turn.prompt, 300)
    return CheckText(
        title=f"Turn {turn.number} is running",
        summary=f"> {asked} — {inert.code(turn.author.login)}",
        text="",
    )


def check_finished(view: SessionView, turn: TurnView) -> CheckText:
    assert turn.outcome is not None and turn.ended_at is not None
    took = figures.between(turn.started_at, turn.ended_at)
    cost = figures.money(turn.usage.microdollars)
    parts = [
        ended_reason(view, turn),
        prose(turn.said, 12_000) if turn.said.strip() else "",
        facts_table(turn),
        saved_words(view, turn),
    ]
    said = "\n\n".join(part for part in parts if part)
    return CheckText(
        title=f"{outcome_words(turn.outcome)} · turn {turn.number} · {took} · {cost}",
        summary=said or outcome_words(turn.outcome),
        text=steps.activity(turn.steps, turn.steps_total),
    )


def conclusion(turn: TurnView) -> Conclusion:
    """A turn that ended well without any work is no success: nothing was delivered."""
    assert turn.outcome is not None
    match turn.outcome:
        case Outcome.SUCCEEDED:
            delivered = turn.work is not None and turn.work.commits > 0
            return "success" if delivered else "neutral"
        case Outcome.FAILED:
            return "failure"
        case Outcome.STOPPED:
            return "cancelled"
        case Outcome.TIMED_OUT:
            return "timed_out"
        case Outcome.OUT_OF_BUDGET:
            return "neutral"
        case _:
            assert_never(turn.outcome)
