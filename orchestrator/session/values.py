"""The words a session is told in: people, prompts, steps, outcomes. Plain frozen values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

SessionId = NewType("SessionId", str)
RepositoryId = NewType("RepositoryId", int)
UserId = NewType("UserId", int)
PromptKey = NewType("PromptKey", str)
"""What asked, e.g. `comment-987`: one source object is one prompt, whatever is delivered again."""

MAX_WAITING = 10
MAX_PROMPT_CHARACTERS = 64_000


class Kind(StrEnum):
    MAIN = "main"
    REVIEW = "review"


def session_id(
    repository: RepositoryId, home: int, kind: Kind = Kind.MAIN, generation: int = 1
) -> SessionId:
    """The id is derived from what the session belongs to, so nothing has to look it up."""
    return SessionId(f"{repository}-{home}-{kind}-{generation}")


_SESSION_ID = re.compile(r"([1-9]\d*)-([1-9]\d*)-(main|review)-([1-9]\d*)")


def parse_session_id(text: str) -> tuple[RepositoryId, int, Kind, int]:
    """The parts of a session id; raises `ValueError` for anything else."""
    match = _SESSION_ID.fullmatch(text)
    if match is None:
        raise ValueError(f"not a session id: {text[:80]!r}")
    repository, home, kind, generation = match.groups()
    return RepositoryId(int(repository)), int(home), Kind(kind), int(generation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone on GitHub. The numeric id is the identity; a login is only how they are shown."""

    id: UserId
    login: str
    name: str = ""


class SourceKind(StrEnum):
    ISSUE = "issue"
    PULL_REQUEST = "pull_request"
    ISSUE_COMMENT = "comment"
    REVIEW_COMMENT = "review-comment"
    REVIEW = "review"
    API = "api"
    """Asked from outside GitHub: `id` is the request's, and `url` the thread's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The very text that asked, as it stood: object id, version and hash, never fetched again.

    `thread` is the issue or pull request it was written on, which may be a pull request that
    the session opened. `in_reply_to` is the review thread a reply belongs in.
    """

    kind: SourceKind
    id: int
    thread: int
    updated_at: datetime
    sha256: str
    url: str
    in_reply_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What one person asked for, frozen. `context` is what the agent is told beside it."""

    key: PromptKey
    author: Person
    text: str
    source: Source
    context: str = ""
    model: str | None = None
    effort: str | None = None
    microdollars: int | None = None
    """What its turn may cost at most, where a person said so; None takes the session's limit."""
    app: int | None = None
    """The GitHub App that asked, where it was one."""


class Status(StrEnum):
    """Of the session, as people see it."""

    QUEUED = "queued"
    STARTING = "starting"
    WORKING = "working"
    IDLE = "idle"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


class Phase(StrEnum):
    """Of the running turn."""

    STARTING = "starting"
    """Waits for a sandbox that is ready."""
    RUNNING = "running"
    """The agent has the prompt, or is about to be given it."""
    STOPPING = "stopping"
    """The agent has been told to end; 15 s later it is ended."""
    FINISHING = "finishing"
    """The agent is done; its work is being taken out, pushed and shown."""


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    TIMED_OUT = "timed_out"
    OUT_OF_BUDGET = "out_of_budget"


class StepKind(StrEnum):
    READ = "read"
    EDIT = "edit"
    RUN = "run"
    SEARCH = "search"
    SCRIPT = "script"
    OTHER = "other"


class StepStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing done, with the same `id` from its start to its end. Text is bounded and cleaned."""

    id: str
    kind: StepKind
    status: StepStatus
    title: str
    at: datetime
    paths: tuple[str, ...] = ()
    exit_code: int | None = None
    added: int | None = None
    removed: int | None = None
    seconds: float | None = None
    tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    path: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a turn left in the repository: its branch's head after the push, and the difference."""

    branch: str
    head: str
    base: str
    commits: int
    files: tuple[ChangedFile, ...] = ()
    note: str = ""
    """Said to people: the branch moved, files were left out, changes were not committed."""
    subject: str = ""
    """Of the turn's first commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    number: int
    url: str
    draft: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the agent would have its pull request say."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and cost of model calls. Cost in millionths of a US dollar, so sums are exact."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    microdollars: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            microdollars=self.microdollars + other.microdollars,
        )


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds a session; fixed when it opens, from the configuration of that moment."""

    turn_seconds: float = 90 * 60
    silence_seconds: float = 2 * 60
    idle_seconds: float = 10 * 60
    stop_grace_seconds: float = 15
    boot_seconds: float = 15 * 60
    """From launch to ready, scripts included."""
    turn_microdollars: int = 5_000_000
    session_microdollars: int = 25_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How this session works, fixed when it opens: agent, branches, pull request policy."""

    agent: tuple[str, ...] = ()
    """Command of an ACP agent; empty means the deployment's default."""
    model: str | None = None
    effort: str | None = None
    base_branch: str = ""
    """Where new work starts."""
    default_branch: str = ""
    """The repository's own when the session opened; empty in what was stored before."""
    branch_prefix: str = "openinspect/"
    pull_request: str = "draft"
    """`draft`, `ready` or `none`."""
    instructions: str = ""
    config_commit: str = ""
    provider: str = "local"
    cpu: float = 2.0
    memory_mib: int = 4096
    lifetime_seconds: float = 120 * 60
    setup_seconds: float = 300
    start_seconds: float = 120
    limits: Limits = field(default_factory=Limits)


class Home(StrEnum):
    ISSUE = "issue"
    PULL_REQUEST = "pull_request"
