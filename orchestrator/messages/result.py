"""What is said once when a turn has ended: the short reply, since an edit notifies nobody."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.session.values import Outcome
from orchestrator.session.view import SessionView, TurnView

from . import inert
from .markdown import prose
from .status import composed, ended_reason, facts_table, headline, saved_words

_SUMMARY = 3_000


def result(view: SessionView, turn: TurnView, *, marker: str) -> str:
    """To the person who asked. Only for a turn that has ended."""
    assert turn.ended_at is not None
    shown = _of_turn(view, turn)
    parts = [
        f"{inert.person(turn.author.login)} {headline(shown, turn.ended_at)}",
        ended_reason(view, turn),
        prose(turn.said, _SUMMARY) if turn.said.strip() else "",
        facts_table(turn),
        saved_words(view, turn),
        _next(turn),
    ]
    return composed(parts, marker)


def _of_turn(view: SessionView, turn: TurnView) -> SessionView:
    """The view as if `turn` were the last one: a next turn may have begun already."""
    return replace(view, turn=turn)


def _next(turn: TurnView) -> str:
    match turn.outcome:
        case Outcome.FAILED | Outcome.TIMED_OUT:
            return "`/openinspect retry` runs this prompt again."
        case Outcome.OUT_OF_BUDGET:
            return (
                "`/openinspect budget +2` goes on from here. New sessions take theirs from "
                "`limits.turn_usd` and `limits.session_usd` in `.openinspect/config.yml`."
            )
        case _:
            return ""
