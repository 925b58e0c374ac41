"""What a command means for a session. Pure: no clock, no I/O, no randomness. May refuse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from .asking import (
    add_prompt,
    answer_status,
    archive,
    cancel,
    raise_budget,
    refuse_prompt,
    retry,
    stop,
)
from .commands import (
    AddPrompt,
    AnswerStatus,
    Archive,
    Cancel,
    Command,
    Confirm,
    Fail,
    Intend,
    NoteHanded,
    NoteLaunched,
    NoteLost,
    NotePullRequest,
    NotePullRequestClosed,
    NoteReady,
    NoteReleased,
    NoteWork,
    NoteWorkRefused,
    ProposePullRequest,
    RaiseBudget,
    Receive,
    RefusePrompt,
    ReserveModelCall,
    Retry,
    SettleModelCall,
    Stop,
    Tick,
)
from .ending import advance
from .errors import NoSession
from .events import (
    EffectDone,
    EffectFailed,
    EffectIntended,
    Event,
    ModelCallReserved,
    ModelCallSettled,
    PullRequestClosed,
    PullRequestOpened,
    PullRequestProposed,
    TurnStopRequested,
    WorkRefused,
    WorkTaken,
)
from .evolve import evolve
from .hearing import bereft, handed, launched, lost, ready, receive, released
from .pending import pending
from .state import Session, Turn
from .values import Limits, Phase


def decide(session: Session, command: Command) -> list[Event]:
    """The events that `command` leads to, none where it changes nothing.

    Raises a `SessionError` where a person asked for what cannot be done now; its text is what
    they read. The same command twice decides nothing the second time.
    """
    events: list[Event] = []
    for event in _decide(session, command):
        events.append(event)
        session = evolve(session, event)
    while more := advance(session, command.at):
        events.extend(more)
        for event in more:
            session = evolve(session, event)
    return events


def _decide(s: Session, c: Command) -> Sequence[Event]:
    if s.opened is None and not isinstance(c, AddPrompt):
        if isinstance(c, Stop | Cancel | Retry | Archive | RaiseBudget | AnswerStatus):
            raise NoSession(name="openinspect")
        return []
    match c:
        case AddPrompt():
            return add_prompt(s, c)
        case RefusePrompt():
            return refuse_prompt(s, c)
        case Stop():
            return stop(s, c)
        case Cancel():
            return cancel(s, c)
        case Retry():
            return retry(s, c)
        case Archive():
            return archive(s, c)
        case RaiseBudget():
            return raise_budget(s, c)
        case AnswerStatus():
            return answer_status(s, c)
        case Tick():
            return _tick(s, c.at)
        case Intend():
            # What was owed when its task began may not be any more: a prompt came meanwhile.
            owed = any(effect.key == c.key for effect in pending(s, c.at))
            return [EffectIntended(at=c.at, key=c.key)] if owed else []
        case Confirm():
            done = s.ref(c.key) is not None
            return [] if done else [EffectDone(at=c.at, key=c.key, ref=c.ref)]
        case Fail():
            if s.ref(c.key) is not None:
                return []
            return [EffectFailed(at=c.at, key=c.key, reason=c.reason, retry_at=c.retry_at)]
        case NoteLaunched():
            return launched(s, c)
        case NoteReady():
            return ready(s, c)
        case NoteHanded():
            return handed(s, c)
        case NoteLost():
            return lost(s, c.at, c.launch, c.reason)
        case NoteReleased():
            return released(s, c)
        case Receive():
            return receive(s, c)
        case NoteWork():
            if _unsettled(s, c.turn) is None:
                return []
            return [WorkTaken(at=c.at, turn=c.turn, work=c.work)]
        case NoteWorkRefused():
            if _unsettled(s, c.turn) is None:
                return []
            return [WorkRefused(at=c.at, turn=c.turn, reason=c.reason)]
        case ProposePullRequest():
            t = s.turn
            if t is None or t.number != c.turn or t.proposal == c.proposal:
                return []
            return [PullRequestProposed(at=c.at, turn=c.turn, proposal=c.proposal)]
        case NotePullRequest():
            if s.pull_request is not None and s.pull_request.number == c.pull_request.number:
                return []
            return [PullRequestOpened(at=c.at, turn=c.turn, pull_request=c.pull_request)]
        case NotePullRequestClosed():
            if s.pull_request is None or s.pull_request.number != c.number:
                return []
            return [PullRequestClosed(at=c.at, number=c.number, merged=c.merged)]
        case ReserveModelCall():
            return _reserve(s, c)
        case SettleModelCall():
            return [
                ModelCallSettled(at=c.at, turn=turn.number, call=c.call, usage=c.usage)
                for turn in s.turns[-2:]
                if c.call in turn.reserved
            ]
        case _:
            assert_never(c)


def limits(s: Session) -> Limits:
    return s.opened.plan.limits if s.opened is not None else Limits()


def _unsettled(s: Session, turn: int) -> Turn | None:
    t = s.turn
    if t is None or t.number != turn or t.phase is not Phase.FINISHING or t.work_settled:
        return None
    return t


def _reserve(s: Session, c: ReserveModelCall) -> list[Event]:
    t = s.turn
    if t is None or t.number != c.turn or c.call in t.reserved:
        return []
    if t.phase not in (Phase.STARTING, Phase.RUNNING):
        return []
    bounds = limits(s)
    most_in_turn = t.prompt.microdollars or bounds.turn_microdollars
    most_in_session = bounds.session_microdollars + s.raised_microdollars
    in_turn = t.usage.microdollars + t.reserved_microdollars + c.microdollars
    in_session = s.usage.microdollars + s.reserved_microdollars + c.microdollars
    if in_turn > most_in_turn or in_session > most_in_session:
        return [TurnStopRequested(at=c.at, turn=t.number, why="budget", by=None)]
    return [ModelCallReserved(at=c.at, turn=t.number, call=c.call, microdollars=c.microdollars)]


def _tick(s: Session, at: datetime) -> list[Event]:
    t = s.turn
    if t is None:
        return []
    bounds = limits(s)
    if t.phase in (Phase.STARTING, Phase.RUNNING) and at >= t.started_at + timedelta(
        seconds=bounds.turn_seconds
    ):
        return [TurnStopRequested(at=at, turn=t.number, why="timeout", by=None)]
    silent_since = t.last_report_at
    if (
        t.phase is Phase.RUNNING
        and silent_since is not None
        and at >= silent_since + timedelta(seconds=bounds.silence_seconds)
    ):
        return [TurnStopRequested(at=at, turn=t.number, why="silence", by=None)]
    if t.phase is Phase.STOPPING and t.stop is not None:
        if at >= t.stop.at + timedelta(seconds=bounds.stop_grace_seconds):
            reason = f"the agent did not stop within {bounds.stop_grace_seconds:g} s"
            return lost(s, at, s.launches, reason) or bereft(s, at, reason)
        return []
    sandbox = s.sandbox
    if (
        t.phase is Phase.STARTING
        and sandbox is not None
        and sandbox.ready_at is None
        and at >= sandbox.launched_at + timedelta(seconds=bounds.boot_seconds)
    ):
        minutes = bounds.boot_seconds / 60
        return lost(s, at, sandbox.launch, f"it was not ready after {minutes:g} min")
    return []
