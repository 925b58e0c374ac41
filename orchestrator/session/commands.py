"""What may be asked of a session, or told to it. Time and ids arrive inside the command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .values import (
    Home,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a session is fixed to when its first prompt opens it."""

    repository: str
    home: Home
    title: str
    branch: str
    public: bool
    plan: Plan
    start: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPrompt:
    at: datetime
    prompt: Prompt
    opening: Opening


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusePrompt:
    """Note that a prompt by a permitted person could not be taken, so that they are told."""

    at: datetime
    key: PromptKey
    by: Person
    source: Source
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End the running turn; the queue goes on."""

    at: datetime
    key: PromptKey
    by: Person
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """End the session; a new mention starts the next generation."""

    at: datetime
    key: PromptKey
    by: Person
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Queue the last ended turn's prompt again, now by whoever asks."""

    at: datetime
    key: PromptKey
    by: Person
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Put a session away in which nothing runs or waits."""

    at: datetime
    key: PromptKey
    by: Person
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseBudget:
    """Let the session cost more; a turn that ended out of budget goes on with the addition."""

    at: datetime
    key: PromptKey
    by: Person
    source: Source
    microdollars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposePullRequest:
    at: datetime
    turn: int
    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerStatus:
    """`text` is the answer, rendered by the caller from this session's view."""

    at: datetime
    key: PromptKey
    by: Person
    source: Source
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: end what is over its limit."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Intend:
    at: datetime
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    at: datetime
    key: str
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    at: datetime
    key: str
    reason: str
    retry_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteLaunched:
    at: datetime
    launch: int
    sandbox: str
    workspace_present: bool
    restored: bool
    base: str
    note: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteReady:
    at: datetime
    launch: int
    agent: str
    agent_session: str
    resumed: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteHanded:
    at: datetime
    turn: int
    launch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteLost:
    at: datetime
    launch: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteReleased:
    """`snapshot` is what was kept of it; None where nothing was to be, or could be, kept."""

    at: datetime
    launch: int
    snapshot: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of a turn as the sandbox tells it."""

    turn: int
    reason: str
    error: str
    produced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive:
    """A run of reports, digested; everything up to `upto` is in it."""

    at: datetime
    launch: int
    upto: int
    turn: int | None
    steps: tuple[Step, ...] = ()
    said: str | None = None
    said_message: int = 0
    ready: NoteReady | None = None
    failed: str | None = None
    """The sandbox cannot boot, and why."""
    finished: Finished | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteWork:
    at: datetime
    turn: int
    work: Work | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteWorkRefused:
    at: datetime
    turn: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePullRequest:
    at: datetime
    turn: int
    pull_request: PullRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePullRequestClosed:
    at: datetime
    number: int
    merged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveModelCall:
    """Answered by `ModelCallReserved`, or by the turn's end where the budget does not reach."""

    at: datetime
    turn: int
    call: str
    microdollars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleModelCall:
    at: datetime
    turn: int
    call: str
    usage: Usage


Command = (
    AddPrompt
    | RefusePrompt
    | Stop
    | Cancel
    | Retry
    | Archive
    | RaiseBudget
    | ProposePullRequest
    | AnswerStatus
    | Tick
    | Intend
    | Confirm
    | Fail
    | NoteLaunched
    | NoteReady
    | NoteHanded
    | NoteLost
    | NoteReleased
    | Receive
    | NoteWork
    | NoteWorkRefused
    | NotePullRequest
    | NotePullRequestClosed
    | ReserveModelCall
    | SettleModelCall
)
