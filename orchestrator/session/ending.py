"""What follows by itself: how a turn ends, and that the next one starts. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from .effects import pull_request_key
from .events import Event, StopReason, TurnEnded, TurnStarted
from .state import Session, Turn
from .values import Home, Outcome, Phase

MAX_LAUNCHES_PER_TURN = 2


def prompt_key(turn: int, launch: int) -> str:
    return f"turn/{turn}/prompt/{launch}"


def advance(s: Session, at: datetime) -> list[Event]:
    """The next consequence that nobody has to ask for, or nothing."""
    turn = s.turn
    if turn is None:
        if s.waiting and not s.ended:
            return [TurnStarted(at=at, turn=len(s.turns) + 1, prompt=s.waiting[0].key)]
        return []
    if turn.phase is Phase.STARTING and turn.launches >= MAX_LAUNCHES_PER_TURN:
        return [_ended(turn, at, Outcome.FAILED, f"No sandbox could be started: {s.lost}")]
    if turn.phase is Phase.STARTING and s.sandbox is not None:
        handing = s.attempts.get(prompt_key(turn.number, s.sandbox.launch))
        if handing is not None and handing.settled and not handing.done:
            reason = f"The agent could not be given the prompt: {handing.failed}"
            return [_ended(turn, at, Outcome.FAILED, reason)]
    if turn.phase is Phase.STOPPING and turn.handed_at is None:
        return [_ended(turn, at, *outcome_of(s, turn))]
    if turn.phase is Phase.FINISHING and _finished(s, turn):
        return [_ended(turn, at, *outcome_of(s, turn))]
    return []


def _ended(turn: Turn, at: datetime, outcome: Outcome, reason: str) -> TurnEnded:
    return TurnEnded(at=at, turn=turn.number, outcome=outcome, reason=reason)


def _finished(s: Session, turn: Turn) -> bool:
    if not turn.work_settled and s.sandbox is not None:
        return False
    return not owes_pull_request(s, turn)


def owes_pull_request(s: Session, turn: Turn) -> bool:
    """A good turn of an issue's session, with commits on its branch, and no pull request yet."""
    return (
        s.opened is not None
        and s.opened.home is Home.ISSUE
        and s.opened.plan.pull_request != "none"
        and s.pull_request is None
        and turn.work_settled
        and any(t.work is not None and t.work.commits > 0 for t in s.turns[s.shown_turns :])
        and outcome_of(s, turn)[0] is Outcome.SUCCEEDED
        and not s.has_settled(pull_request_key(turn.number))
    )


def outcome_of(s: Session, turn: Turn) -> tuple[Outcome, str]:
    """How a turn ended, and the sentence that says why; empty where all went well."""
    if turn.stop is not None:
        return _stopped(s, turn.stop.why)
    end = turn.finished
    assert end is not None  # nothing else brings a turn to its end
    if end.error:
        return Outcome.FAILED, end.error
    if not end.produced:
        return Outcome.FAILED, "The agent ended its turn without saying or doing anything."
    if turn.work_refused:
        return Outcome.FAILED, turn.work_refused
    attempt = s.attempts.get(pull_request_key(turn.number))
    if attempt is not None and attempt.settled and not attempt.done:
        return Outcome.SUCCEEDED, f"The pull request could not be opened: {attempt.failed}"
    return Outcome.SUCCEEDED, ""


def _stopped(s: Session, why: StopReason) -> tuple[Outcome, str]:
    assert s.opened is not None
    limits = s.opened.plan.limits
    match why:
        case "timeout":
            minutes = limits.turn_seconds / 60
            return Outcome.TIMED_OUT, f"A turn may take {minutes:g} min, and they are over."
        case "silence":
            seconds = limits.silence_seconds
            return Outcome.TIMED_OUT, f"Nothing was heard from the agent for {seconds:g} s."
        case "budget":
            return Outcome.OUT_OF_BUDGET, "The next model call could pass the budget."
        case "stop" | "cancel":
            return Outcome.STOPPED, ""
        case _:
            assert_never(why)
