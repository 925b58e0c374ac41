"""What has happened to a session. Stored for ever: fields are added, never renamed or reused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .values import (
    Home,
    Outcome,
    Person,
    Plan,
    Prompt,
    PromptKey,
    Proposal,
    PullRequest,
    Source,
    Step,
    Usage,
    Work,
)

StopReason = Literal["stop", "cancel", "timeout", "silence", "budget"]
Word = Literal["status", "stop", "cancel", "retry", "archive", "budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """The first prompt of a thread, or of its next generation, was accepted.

    `branch` is where the work goes: a new branch for an issue, the head branch of a pull request.
    """

    at: datetime
    session: str
    repository: str
    home: Home
    title: str
    branch: str
    public: bool
    plan: Plan
    start: str = ""
    """The commit to begin at, where a person named it (`run <sha>`); else the branch decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptQueued:
    at: datetime
    prompt: Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRefused:
    """Asked by someone who may ask, but not possible now: they are owed the reason."""

    at: datetime
    key: PromptKey
    by: Person
    source: Source
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WordAnswered:
    """A word that is not a prompt was taken (`status`, `stop`, ...). `text` is what is owed as
    a reply; None where the status comment itself is the answer."""

    at: datetime
    key: PromptKey
    word: Word
    by: Person
    source: Source
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    at: datetime
    turn: int
    prompt: PromptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLaunched:
    at: datetime
    launch: int
    sandbox: str
    workspace_present: bool
    restored: bool
    base: str
    """Commit that the workspace begins at."""
    note: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReady:
    """Workspace prepared, scripts run, agent open. `agent_session` is the ACP session's id."""

    at: datetime
    launch: int
    agent: str
    agent_session: str
    resumed: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptHanded:
    """The sandbox has taken the turn's prompt: from here on silence counts."""

    at: datetime
    turn: int
    launch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLost:
    """It is not running any more, or must not be used any more, and nobody asked for that."""

    at: datetime
    launch: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReleased:
    at: datetime
    launch: int
    snapshot: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportsReceived:
    """What the sandbox said, up to report `upto`; it may drop those now.

    `steps` replace earlier ones of the same id. `said` is the agent's newest whole message.
    """

    at: datetime
    launch: int
    upto: int
    turn: int | None
    steps: tuple[Step, ...] = ()
    said: str | None = None
    said_message: int = 0
    """Which message `said` is, as the sandbox counts them: its next piece is appended to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCallReserved:
    """The worst a model call can cost is set aside before the call is made."""

    at: datetime
    turn: int
    call: str
    microdollars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCallSettled:
    at: datetime
    turn: int
    call: str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStopRequested:
    at: datetime
    turn: int
    why: StopReason
    by: Person | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFinished:
    """The agent ended its turn, or will never answer. `error` is empty where all went well."""

    at: datetime
    turn: int
    reason: str
    error: str
    produced: bool
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTaken:
    """The turn's commits are on the branch; None where there was nothing to take."""

    at: datetime
    turn: int
    work: Work | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRefused:
    """The commits could not be taken out or pushed, and why, in words people can act on."""

    at: datetime
    turn: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestProposed:
    """The agent said what its pull request shall say; it is opened when the work is pushed."""

    at: datetime
    turn: int
    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestOpened:
    at: datetime
    turn: int
    pull_request: PullRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestClosed:
    at: datetime
    number: int
    merged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    at: datetime
    turn: int
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCancelled:
    at: datetime
    by: Person
    dropped: tuple[PromptKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionArchived:
    """Put away by a person: its sandbox goes, and a new mention starts the next generation."""

    at: datetime
    by: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRaised:
    at: datetime
    by: Person
    microdollars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectIntended:
    """Written before an effect is tried; after a crash the world is looked at before a retry."""

    at: datetime
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectDone:
    """`ref` is the id of what now exists: a comment's, a check run's."""

    at: datetime
    key: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectFailed:
    """`retry_at` None means given up for good."""

    at: datetime
    key: str
    reason: str
    retry_at: datetime | None


Event = (
    SessionOpened
    | PromptQueued
    | PromptRefused
    | WordAnswered
    | TurnStarted
    | SandboxLaunched
    | SandboxReady
    | PromptHanded
    | SandboxLost
    | SandboxReleased
    | ReportsReceived
    | ModelCallReserved
    | ModelCallSettled
    | TurnStopRequested
    | AgentFinished
    | WorkTaken
    | WorkRefused
    | PullRequestProposed
    | PullRequestOpened
    | PullRequestClosed
    | TurnEnded
    | SessionCancelled
    | SessionArchived
    | BudgetRaised
    | EffectIntended
    | EffectDone
    | EffectFailed
)
