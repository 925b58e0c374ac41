"""All that a surface needs to show a session, computed from its state and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .state import Session, Turn
from .values import (
    Home,
    Outcome,
    Person,
    Phase,
    PullRequest,
    SessionId,
    Status,
    Step,
    Usage,
    Work,
    parse_session_id,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnView:
    number: int
    prompt: str
    author: Person
    started_at: datetime
    ended_at: datetime | None
    phase: Phase
    stopping: str | None
    """Why the turn is being ended: `stop`, `cancel`, `timeout`, `silence`, `budget`."""
    stopped_by: Person | None
    steps: tuple[Step, ...]
    steps_total: int
    """May exceed `len(steps)`: only the newest are kept."""
    said: str
    usage: Usage
    outcome: Outcome | None
    reason: str
    work: Work | None
    pull_request: PullRequest | None
    """Set where this very turn opened it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingView:
    prompt: str
    author: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxView:
    launch: int
    restored: bool
    base: str
    note: str
    launch_seconds: float
    ready_seconds: float | None
    """None while it boots."""
    agent: str
    resumed: bool
    lost: str
    """Why the last sandbox is gone, if nobody asked for that; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    id: SessionId
    version: int
    repository: str
    home: Home
    home_number: int
    title: str
    status: Status
    branch: str
    pull_request: PullRequest | None
    turn: TurnView | None
    """The running turn, else the last one."""
    turns: int
    waiting: tuple[WaitingView, ...]
    sandbox: SandboxView | None
    usage: Usage
    turn_microdollars: int
    session_microdollars: int
    model: str
    idle_seconds: float
    public: bool
    cancelled_by: Person | None
    kept: bool
    """A snapshot can bring the sandbox's state back."""
    dropped: int
    """Prompts that a cancel left unanswered."""
    start: str = ""
    """The commit of a fork that a person named, where nothing else of it may run."""


def view(session: Session, turn: int | None = None) -> SessionView:
    """What is shown now, or how turn `turn` is to be shown while later ones run.

    Raises `ValueError` for a session that was never opened: there is nothing to show.
    """
    s = session
    if s.opened is None:
        raise ValueError(f"{s.id} was never opened")
    plan = s.opened.plan
    shown = s.turn or s.last_turn
    if turn is not None:
        shown = next((t for t in s.turns if t.number == turn), shown)
    _, home_number, _, _ = parse_session_id(s.id)
    return SessionView(
        id=s.id,
        version=s.version,
        repository=s.opened.repository,
        home=s.opened.home,
        home_number=home_number,
        title=s.opened.title,
        status=status_of(s),
        branch=s.branch,
        pull_request=s.pull_request,
        turn=_turn_view(shown) if shown is not None else None,
        turns=len(s.turns),
        waiting=tuple(WaitingView(prompt=p.text, author=p.author) for p in s.waiting),
        sandbox=_sandbox_view(s),
        usage=s.usage,
        turn_microdollars=(shown.prompt.microdollars if shown is not None else None)
        or plan.limits.turn_microdollars,
        session_microdollars=plan.limits.session_microdollars + s.raised_microdollars,
        model=(shown.prompt.model if shown is not None else None) or plan.model or "",
        idle_seconds=plan.limits.idle_seconds,
        public=s.opened.public,
        cancelled_by=s.cancelled.by if s.cancelled is not None else None,
        kept=s.snapshot is not None,
        dropped=len(s.cancelled.dropped) if s.cancelled is not None else 0,
        start=s.opened.start,
    )


def status_of(s: Session) -> Status:
    turn = s.turn
    if turn is not None:
        if turn.phase is Phase.STARTING:
            return Status.STARTING
        return Status.WORKING
    if s.archived is not None:
        return Status.ARCHIVED
    if s.cancelled is not None:
        return Status.CANCELLED
    return Status.QUEUED if s.waiting else Status.IDLE


def _turn_view(t: Turn) -> TurnView:
    return TurnView(
        number=t.number,
        prompt=t.prompt.text,
        author=t.prompt.author,
        started_at=t.started_at,
        ended_at=t.ended_at,
        phase=t.phase,
        stopping=t.stop.why if t.stop is not None else None,
        stopped_by=t.stop.by if t.stop is not None else None,
        steps=t.steps,
        steps_total=t.steps_total,
        said=t.finished.summary if t.finished is not None else t.said,
        usage=t.usage,
        outcome=t.outcome,
        reason=t.reason,
        work=t.work,
        pull_request=t.pull_request,
    )


def _sandbox_view(s: Session) -> SandboxView | None:
    b = s.sandbox
    if b is None:
        return None
    return SandboxView(
        launch=b.launch,
        restored=b.restored,
        base=b.base,
        note=b.note,
        launch_seconds=b.launch_seconds,
        ready_seconds=b.ready_seconds,
        agent=b.agent,
        resumed=b.resumed,
        lost=s.lost,
    )
