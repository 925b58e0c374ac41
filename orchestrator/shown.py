"""Where a session shows on GitHub, from its state alone. Pure."""

from __future__ import annotations

from orchestrator.session import Session, view
from orchestrator.session.state import Turn
from orchestrator.session.values import Home, Work, parse_session_id
from orchestrator.session.view import TurnView


def home_number(session: Session) -> int:
    return parse_session_id(session.id)[1]


def turn_of(s: Session, number: int) -> Turn:
    return next(turn for turn in s.turns if turn.number == number)


def shown_turn(s: Session, number: int) -> TurnView:
    turn = view(s, number).turn
    assert turn is not None
    return turn


def newest_work(s: Session) -> Work | None:
    """What was pushed last, by any turn of this session."""
    return next((turn.work for turn in reversed(s.turns) if turn.work is not None), None)


def pull_number(s: Session) -> int | None:
    if s.opened is not None and s.opened.home is Home.PULL_REQUEST:
        return home_number(s)
    return s.pull_request.number if s.pull_request is not None else None
