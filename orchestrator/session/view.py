"""All that a surface needs to show a session, computed from its state and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .values import Home, Outcome, Person, Phase, PullRequest, SessionId, Status, Step, Usage, Work


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
    dropped: int
    """Prompts that a cancel left unanswered."""
