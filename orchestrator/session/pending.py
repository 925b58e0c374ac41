"""What the world still owes a session, from its state alone: there is no other recovery code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from .effects import (
    STATUS_KEY,
    Announce,
    CreateStatus,
    Effect,
    FinishCheck,
    HandPrompt,
    LaunchSandbox,
    OpenPullRequest,
    React,
    ReleaseSandbox,
    Reply,
    ReplyResult,
    SetLabel,
    ShowFinal,
    StartCheck,
    StopAgent,
    TakeWork,
    launch_key,
    pull_request_key,
    push_key,
    release_key,
)
from .ending import MAX_LAUNCHES_PER_TURN, owes_pull_request, prompt_key
from .state import Asked, Session, Turn
from .values import Home, Limits, Outcome, Phase, SourceKind


def pending(session: Session, now: datetime) -> list[Effect]:
    """Effects owed now, in the order in which they matter. Those that wait for their retry
    time are left out; `due` says when to ask again."""
    if session.opened is None:
        return []
    return [effect for effect in _owed(session, now) if _may_try(session, effect.key, now)]


def _may_try(s: Session, key: str, now: datetime) -> bool:
    attempt = s.attempts.get(key)
    if attempt is None:
        return True
    if attempt.settled:
        return False
    return attempt.retry_at is None or now >= attempt.retry_at


def _owed(s: Session, now: datetime) -> Iterator[Effect]:
    for asked in s.asked.values():
        if asked.accepted:
            yield from _seen(s, asked)
    if s.turns:
        yield CreateStatus(key=STATUS_KEY)
    for launch, sandbox in s.unreleased:
        yield ReleaseSandbox(key=release_key(launch), launch=launch, sandbox=sandbox, keep=False)
    turn = s.turn
    if turn is not None:
        yield from _running(s, turn)
    else:
        yield from _resting(s, now)
    for ended in s.turns[-2:]:
        if ended.outcome is not None:
            yield from _after(s, ended)
    for asked in s.asked.values():
        if asked.reply is not None:
            yield Reply(
                key=f"ask/{asked.key}/reply",
                prompt=asked.key,
                to=asked.by,
                source=asked.source,
                text=asked.reply,
            )


def _seen(s: Session, asked: Asked) -> Iterator[Effect]:
    """That it was taken shows where it was asked; what was asked elsewhere is shown first."""
    if asked.source.kind is not SourceKind.API:
        yield React(key=f"ask/{asked.key}/eyes", source=asked.source)
        return
    for prompt in (*s.waiting, *(turn.prompt for turn in s.turns)):
        if prompt.key == asked.key:
            yield Announce(key=f"ask/{asked.key}/shown", prompt=prompt)


def _running(s: Session, turn: Turn) -> Iterator[Effect]:
    yield SetLabel(key=f"turn/{turn.number}/label-on", working=True)
    if has_pull_request(s):
        yield StartCheck(key=f"turn/{turn.number}/check", turn=turn.number)
    sandbox = s.sandbox
    if sandbox is not None and release_key(sandbox.launch) in s.attempts:
        # It was being let go when this turn began: finish that, then launch the next one.
        yield ReleaseSandbox(
            key=release_key(sandbox.launch), launch=sandbox.launch, sandbox=sandbox.id, keep=True
        )
        return
    match turn.phase:
        case Phase.STARTING if sandbox is None:
            if not s.unreleased and turn.launches < MAX_LAUNCHES_PER_TURN:
                launch = s.launches + 1
                yield LaunchSandbox(key=launch_key(launch), launch=launch, snapshot=s.snapshot)
        case Phase.STARTING if sandbox is not None and sandbox.ready_at is not None:
            yield HandPrompt(
                key=prompt_key(turn.number, sandbox.launch),
                turn=turn.number,
                launch=sandbox.launch,
            )
        case Phase.STOPPING if sandbox is not None:
            yield StopAgent(key=f"turn/{turn.number}/stop", turn=turn.number, launch=sandbox.launch)
        case Phase.FINISHING:
            if not turn.work_settled and sandbox is not None:
                yield TakeWork(
                    key=push_key(turn.number),
                    turn=turn.number,
                    launch=sandbox.launch,
                    commit_message=_commit_message(turn),
                )
            if owes_pull_request(s, turn):
                yield OpenPullRequest(key=pull_request_key(turn.number), turn=turn.number)
        case _:
            pass


def _commit_message(turn: Turn) -> str | None:
    """Work of a turn that ended well is not left behind uncommitted; other work stays where
    it is, in the sandbox, for whoever goes on."""
    end = turn.finished
    if turn.stop is not None or end is None or end.error:
        return None
    first = next((line.strip() for line in turn.prompt.text.splitlines() if line.strip()), "")
    return first[:72] or "Work of this turn"


def _resting(s: Session, now: datetime) -> Iterator[Effect]:
    sandbox = s.sandbox
    if sandbox is None:
        return
    letting_go = release_key(sandbox.launch) in s.attempts
    idle = s.last_activity is not None and now >= _idle_at(s, s.last_activity)
    if s.ended or letting_go or idle:
        yield ReleaseSandbox(
            key=release_key(sandbox.launch),
            launch=sandbox.launch,
            sandbox=sandbox.id,
            keep=s.cancelled is None,
        )


def has_pull_request(s: Session) -> bool:
    home = s.opened.home if s.opened is not None else Home.ISSUE
    return home is Home.PULL_REQUEST or s.pull_request is not None


def _checked(s: Session, turn: Turn) -> bool:
    """A turn that ended before there was a pull request says nothing about its commits."""
    assert s.opened is not None
    if s.opened.home is Home.PULL_REQUEST or turn.pull_request is not None:
        return True
    return s.pull_request is not None and f"turn/{turn.number}/check" in s.attempts


def _after(s: Session, turn: Turn) -> Iterator[Effect]:
    last = turn is s.turns[-1]
    yield ShowFinal(key=f"turn/{turn.number}/final", turn=turn.number)
    if _checked(s, turn):
        yield FinishCheck(
            key=f"turn/{turn.number}/check-done",
            turn=turn.number,
            check_run=s.ref(f"turn/{turn.number}/check") or "",
        )
    if turn.pull_request is None or turn.outcome is not Outcome.SUCCEEDED:
        yield ReplyResult(key=f"turn/{turn.number}/result", turn=turn.number)
    if last:
        yield SetLabel(key=f"turn/{turn.number}/label-off", working=False)
        if s.ended:
            key = "cancelled" if s.cancelled is not None else "archived"
            yield ShowFinal(key=key, turn=turn.number)


def due(session: Session) -> datetime | None:
    """The next moment at which time alone changes something; None where it never will."""
    return min(_deadlines(session), default=None)


def _deadlines(s: Session) -> Iterator[datetime]:
    if s.opened is None:
        return
    for effect in _owed(s, _NEVER):
        attempt = s.attempts.get(effect.key)
        if attempt is not None and not attempt.settled and attempt.retry_at is not None:
            yield attempt.retry_at
    limits = s.opened.plan.limits
    turn = s.turn
    if turn is not None:
        yield from _turn_deadlines(s, turn, limits)
    elif (
        s.sandbox is not None
        and s.last_activity is not None
        and release_key(s.sandbox.launch) not in s.attempts
    ):
        yield _idle_at(s, s.last_activity)


def _turn_deadlines(s: Session, turn: Turn, limits: Limits) -> Iterator[datetime]:
    if turn.phase in (Phase.STARTING, Phase.RUNNING):
        yield turn.started_at + timedelta(seconds=limits.turn_seconds)
    if turn.phase is Phase.RUNNING and turn.last_report_at is not None:
        yield turn.last_report_at + timedelta(seconds=limits.silence_seconds)
    if turn.phase is Phase.STOPPING and turn.stop is not None:
        yield turn.stop.at + timedelta(seconds=limits.stop_grace_seconds)
    if turn.phase is Phase.STARTING and s.sandbox is not None and s.sandbox.ready_at is None:
        yield s.sandbox.launched_at + timedelta(seconds=limits.boot_seconds)


def _idle_at(s: Session, since: datetime) -> datetime:
    assert s.opened is not None
    return since + timedelta(seconds=s.opened.plan.limits.idle_seconds)


def is_open(session: Session) -> bool:
    """Whether it owes anything, waits for anything, or holds a sandbox."""
    if session.opened is None:
        return False
    if session.turn is not None or session.sandbox is not None or session.unreleased:
        return True
    return any(not session.has_settled(e.key) for e in _owed(session, _NEVER))


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
