"""How each event changes a session. Never refuses, never decides: any event fits any state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from .effects import STATUS_KEY, launch_key, push_key, release_key
from .events import (
    AgentFinished,
    BudgetRaised,
    EffectDone,
    EffectFailed,
    EffectIntended,
    Event,
    ModelCallReserved,
    ModelCallSettled,
    PromptHanded,
    PromptQueued,
    PromptRefused,
    PullRequestClosed,
    PullRequestOpened,
    PullRequestProposed,
    ReportsReceived,
    SandboxLaunched,
    SandboxLost,
    SandboxReady,
    SandboxReleased,
    SessionArchived,
    SessionCancelled,
    SessionOpened,
    TurnEnded,
    TurnStarted,
    TurnStopRequested,
    WordAnswered,
    WorkRefused,
    WorkTaken,
)
from .state import KEPT_STEPS, Asked, Attempt, Sandbox, Session, Turn, initial
from .values import Phase, SessionId, Step


def replay(session: SessionId, events: Iterable[Event]) -> Session:
    state = initial(session)
    for event in events:
        state = evolve(state, event)
    return state


def evolve(session: Session, event: Event) -> Session:
    return replace(_apply(session, event), version=session.version + 1)


def _apply(s: Session, event: Event) -> Session:
    match event:
        case SessionOpened():
            return replace(s, opened=event, last_activity=event.at)
        case PromptQueued(prompt=prompt):
            asked = Asked(
                key=prompt.key, by=prompt.author, source=prompt.source, reply=None, accepted=True
            )
            return replace(
                s,
                waiting=(*s.waiting, prompt),
                asked={**s.asked, prompt.key: asked},
                last_activity=event.at,
            )
        case PromptRefused():
            asked = Asked(
                key=event.key, by=event.by, source=event.source, reply=event.reason, accepted=False
            )
            return replace(s, asked={**s.asked, event.key: asked})
        case WordAnswered():
            asked = Asked(
                key=event.key, by=event.by, source=event.source, reply=event.text, accepted=True
            )
            return replace(s, asked={**s.asked, event.key: asked})
        case TurnStarted():
            return _start_turn(s, event)
        case SandboxLaunched():
            sandbox = Sandbox(
                launch=event.launch,
                id=event.sandbox,
                base=event.base,
                restored=event.restored,
                note=event.note,
                launch_seconds=event.seconds,
                launched_at=event.at,
                workspace_present=event.workspace_present,
            )
            launches = max(s.launches, event.launch)
            base = s.base if event.restored and s.base else event.base
            return replace(s, sandbox=sandbox, launches=launches, base=base)
        case SandboxReady():
            return _sandbox_ready(s, event)
        case PromptHanded():
            return _on_turn(s, event.turn, lambda t: _handed(t, event.at))
        case SandboxLost():
            return _sandbox_lost(s, event)
        case SandboxReleased():
            gone = s.sandbox is not None and s.sandbox.launch == event.launch
            return replace(
                s,
                sandbox=None if gone else s.sandbox,
                lost="" if gone else s.lost,
                unreleased=tuple(u for u in s.unreleased if u[0] != event.launch),
                snapshot=event.snapshot or s.snapshot,
            )
        case ReportsReceived():
            return _receive(s, event)
        case ModelCallReserved():
            return _on_turn(
                s,
                event.turn,
                lambda t: replace(t, reserved={**t.reserved, event.call: event.microdollars}),
            )
        case ModelCallSettled():
            rest = _on_turn(
                s,
                event.turn,
                lambda t: replace(
                    t,
                    reserved={k: v for k, v in t.reserved.items() if k != event.call},
                    usage=t.usage + event.usage,
                ),
            )
            return replace(rest, usage=rest.usage + event.usage)
        case TurnStopRequested():
            return _on_turn(s, event.turn, lambda t: replace(t, phase=Phase.STOPPING, stop=event))
        case AgentFinished():
            finished = _on_turn(
                s, event.turn, lambda t: replace(t, phase=Phase.FINISHING, finished=event)
            )
            return replace(finished, last_activity=event.at)
        case WorkTaken():
            return _on_turn(s, event.turn, lambda t: replace(t, work_settled=True, work=event.work))
        case WorkRefused():
            return _on_turn(
                s, event.turn, lambda t: replace(t, work_settled=True, work_refused=event.reason)
            )
        case PullRequestProposed():
            return _on_turn(s, event.turn, lambda t: replace(t, proposal=event.proposal))
        case PullRequestOpened():
            shown = _on_turn(s, event.turn, lambda t: replace(t, pull_request=event.pull_request))
            return replace(shown, pull_request=event.pull_request, merged=False)
        case PullRequestClosed():
            same = s.pull_request is not None and s.pull_request.number == event.number
            if not same:
                return s
            ended = tuple(t for t in s.turns if t.outcome is not None)
            return replace(s, pull_request=None, merged=event.merged, shown_turns=len(ended))
        case TurnEnded():
            over = _on_turn(
                s,
                event.turn,
                lambda t: replace(t, outcome=event.outcome, reason=event.reason, ended_at=event.at),
            )
            return replace(over, last_activity=event.at)
        case SessionCancelled():
            return replace(s, cancelled=event, waiting=())
        case SessionArchived():
            return replace(s, archived=event)
        case BudgetRaised():
            return replace(s, raised_microdollars=s.raised_microdollars + event.microdollars)
        case EffectIntended():
            before = s.attempts.get(event.key)
            attempt = (
                Attempt(intended_at=event.at)
                if before is None
                else replace(before, tries=before.tries + 1, failed="", retry_at=None)
            )
            return replace(s, attempts={**s.attempts, event.key: attempt})
        case EffectDone():
            before = s.attempts.get(event.key, Attempt(intended_at=event.at))
            done = replace(before, done=True, ref=event.ref, failed="", retry_at=None)
            return replace(s, attempts={**s.attempts, event.key: done})
        case EffectFailed():
            return _failed(s, event)
        case _:
            assert_never(event)


def _failed(s: Session, event: EffectFailed) -> Session:
    before = s.attempts.get(event.key, Attempt(intended_at=event.at))
    if before.done:
        return s
    failed = replace(before, failed=event.reason or "failed", retry_at=event.retry_at)
    s = replace(s, attempts={**s.attempts, event.key: failed})
    if event.retry_at is not None:
        return s
    return _given_up(s, event.key, event.reason)


def _given_up(s: Session, key: str, reason: str) -> Session:
    """An effect that will not be tried again must not hold up what waits for it."""
    turn = s.turn
    number = s.launches + 1
    if key == launch_key(number):
        # The next launch has a number of its own.
        s = replace(s, launches=number, lost=reason)
        if turn is None:
            return s
        return _on_turn(s, turn.number, lambda t: replace(t, launches=t.launches + 1))
    if s.sandbox is not None and key == release_key(s.sandbox.launch):
        return replace(s, sandbox=None)
    if turn is not None and key == push_key(turn.number):
        return _on_turn(
            s, turn.number, lambda t: replace(t, work_settled=True, work_refused=reason)
        )
    left = tuple(u for u in s.unreleased if key != release_key(u[0]))
    return replace(s, unreleased=left)


def _start_turn(s: Session, event: TurnStarted) -> Session:
    prompt = next((p for p in s.waiting if p.key == event.prompt), None)
    if prompt is None:
        return s
    turn = Turn(number=event.turn, prompt=prompt, started_at=event.at)
    rest = tuple(p for p in s.waiting if p.key != event.prompt)
    earlier = (*s.turns[:-1], *(replace(t, steps=()) for t in s.turns[-1:]))
    started = replace(s, waiting=rest, turns=(*earlier, turn), last_activity=event.at)
    return _status_owed_again(started)


def _status_owed_again(s: Session) -> Session:
    """Given up in an earlier turn is not given up for ever. The attempt stays: a try that seemed
    to fail may have got through, so the next one looks first."""
    attempt = s.attempts.get(STATUS_KEY)
    if attempt is None or attempt.done or not attempt.settled:
        return s
    again = replace(attempt, tries=0, failed="")
    return replace(s, attempts={**s.attempts, STATUS_KEY: again})


def _sandbox_ready(s: Session, event: SandboxReady) -> Session:
    if s.sandbox is None or s.sandbox.launch != event.launch:
        return s
    sandbox = replace(
        s.sandbox,
        ready_at=event.at,
        ready_seconds=event.seconds,
        agent=event.agent,
        agent_session=event.agent_session,
        resumed=event.resumed,
    )
    return replace(s, sandbox=sandbox, agent_session=event.agent_session or s.agent_session)


def _sandbox_lost(s: Session, event: SandboxLost) -> Session:
    unreleased = s.unreleased
    sandbox = s.sandbox
    if sandbox is not None and sandbox.launch == event.launch:
        unreleased = (*unreleased, (sandbox.launch, sandbox.id))
        sandbox = None
    lost = replace(s, sandbox=sandbox, lost=event.reason, unreleased=unreleased)
    turn = s.turn
    if turn is not None and turn.phase is Phase.STARTING:
        return _on_turn(lost, turn.number, lambda t: replace(t, launches=t.launches + 1))
    return lost


def _receive(s: Session, event: ReportsReceived) -> Session:
    if s.sandbox is not None and s.sandbox.launch == event.launch:
        s = replace(s, sandbox=replace(s.sandbox, upto=max(s.sandbox.upto, event.upto)))
    turn = s.turn
    if turn is None:
        return s

    def told(t: Turn) -> Turn:
        steps, new = _merge(t.steps, event.steps)
        return replace(
            t,
            last_report_at=event.at,
            steps=steps,
            steps_total=t.steps_total + new,
            said=t.said if event.said is None else event.said,
            said_message=t.said_message if event.said is None else event.said_message,
        )

    return _on_turn(s, turn.number, told)


def _merge(steps: tuple[Step, ...], news: tuple[Step, ...]) -> tuple[tuple[Step, ...], int]:
    by_id = {step.id: step for step in steps}
    new = sum(1 for step in news if step.id not in by_id)
    for step in news:
        before = by_id.get(step.id)
        by_id[step.id] = step if before is None else replace(step, at=before.at)
    return tuple(by_id.values())[-KEPT_STEPS:], new


def _handed(turn: Turn, at: datetime) -> Turn:
    phase = Phase.RUNNING if turn.phase is Phase.STARTING else turn.phase
    return replace(turn, handed_at=at, last_report_at=at, phase=phase)


def _on_turn(s: Session, number: int, change: Callable[[Turn], Turn]) -> Session:
    turns = tuple(change(t) if t.number == number else t for t in s.turns[-2:])
    return replace(s, turns=(*s.turns[:-2], *turns))
