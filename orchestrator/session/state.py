"""What a session is after all its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .events import (
    AgentFinished,
    SessionArchived,
    SessionCancelled,
    SessionOpened,
    TurnStopRequested,
)
from .values import (
    NO_USAGE,
    Home,
    Outcome,
    Person,
    Phase,
    Prompt,
    PromptKey,
    Proposal,
    PullRequest,
    SessionId,
    Source,
    Step,
    Usage,
    Work,
)

KEPT_STEPS = 200
"""Steps of one turn that stay in memory; the count goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    number: int
    prompt: Prompt
    started_at: datetime
    phase: Phase = Phase.STARTING
    launches: int = 0
    """Sandboxes lost before this turn's prompt was handed over."""
    handed_at: datetime | None = None
    last_report_at: datetime | None = None
    stop: TurnStopRequested | None = None
    steps: tuple[Step, ...] = ()
    steps_total: int = 0
    said: str = ""
    said_message: int = 0
    usage: Usage = NO_USAGE
    reserved: Mapping[str, int] = field(default_factory=dict)
    finished: AgentFinished | None = None
    work_settled: bool = False
    work: Work | None = None
    work_refused: str = ""
    pull_request: PullRequest | None = None
    proposal: Proposal | None = None
    outcome: Outcome | None = None
    reason: str = ""
    ended_at: datetime | None = None

    @property
    def reserved_microdollars(self) -> int:
        return sum(self.reserved.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The one live sandbox of a session."""

    launch: int
    id: str
    base: str
    restored: bool
    note: str
    launch_seconds: float
    launched_at: datetime
    workspace_present: bool = True
    upto: int = 0
    """The last report that is safe with us."""
    ready_at: datetime | None = None
    ready_seconds: float | None = None
    agent: str = ""
    agent_session: str = ""
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An effect that was intended: done, given up, or to be tried again at `retry_at`."""

    intended_at: datetime
    tries: int = 1
    done: bool = False
    ref: str = ""
    failed: str = ""
    retry_at: datetime | None = None

    @property
    def settled(self) -> bool:
        return self.done or (bool(self.failed) and self.retry_at is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One thing a person said that was taken, and the reply it is owed, if any."""

    key: PromptKey
    by: Person
    source: Source
    reply: str | None
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: SessionId
    version: int = 0
    opened: SessionOpened | None = None
    asked: Mapping[PromptKey, Asked] = field(default_factory=dict)
    waiting: tuple[Prompt, ...] = ()
    turns: tuple[Turn, ...] = ()
    sandbox: Sandbox | None = None
    launches: int = 0
    lost: str = ""
    unreleased: tuple[tuple[int, str], ...] = ()
    """(launch, sandbox) lost without being terminated: still to be made sure of."""
    snapshot: str | None = None
    base: str = ""
    """Commit at which the workspace began, whatever snapshots it has been through since."""
    agent_session: str = ""
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    pull_request: PullRequest | None = None
    merged: bool = False
    """The pull request before was merged: what comes next starts from the base branch."""
    shown_turns: int = 0
    """Turns whose work a pull request has shown that is closed now."""
    usage: Usage = NO_USAGE
    cancelled: SessionCancelled | None = None
    archived: SessionArchived | None = None
    raised_microdollars: int = 0
    """Added to the session's limit by people."""
    last_activity: datetime | None = None

    @property
    def turn(self) -> Turn | None:
        """The running turn."""
        if self.turns and self.turns[-1].outcome is None:
            return self.turns[-1]
        return None

    @property
    def ended(self) -> bool:
        """This generation takes no more prompts."""
        return self.cancelled is not None or self.archived is not None

    @property
    def last_turn(self) -> Turn | None:
        return self.turns[-1] if self.turns else None

    @property
    def branch(self) -> str:
        """Where work goes: the pull request's head, whatever had to be pushed beside it; before
        there is one, where the last work is, or the branch that the session opened with."""
        assert self.opened is not None
        if self.opened.home is Home.PULL_REQUEST:
            return self.opened.branch
        turns = self.turns
        if self.pull_request is not None:
            shown = [t.number for t in turns if t.pull_request == self.pull_request]
            turns = tuple(t for t in turns if t.number <= max(shown, default=0))
        found = (t.work.branch for t in reversed(turns) if t.work is not None)
        return next(found, self.opened.branch)

    @property
    def reserved_microdollars(self) -> int:
        return sum(turn.reserved_microdollars for turn in self.turns[-2:])

    def ref(self, key: str) -> str | None:
        """The id of what an effect made, once it is done."""
        attempt = self.attempts.get(key)
        return attempt.ref if attempt is not None and attempt.done else None

    def has_settled(self, key: str) -> bool:
        attempt = self.attempts.get(key)
        return attempt is not None and attempt.settled


def initial(session: SessionId) -> Session:
    return Session(id=session)
