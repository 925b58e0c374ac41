"""What the world may owe a session. Every effect has a key that is the same for ever."""

from __future__ import annotations

from dataclasses import dataclass

from .values import Person, Prompt, PromptKey, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class React:
    """Eyes on what asked: it was seen and accepted. Idempotent at GitHub."""

    key: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Show in the thread what was asked from outside GitHub, and by whom. A comment, found again
    by its signed marker and our App's id."""

    key: str
    prompt: Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStatus:
    """The session's one status comment; found again by its signed marker and our App's id."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowFinal:
    """Edit the status comment so that it shows how turn `turn` ended."""

    key: str
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLabel:
    """`label` None takes ours away. Idempotent at GitHub."""

    key: str
    working: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCheck:
    """A check run on the pull request's head; found again by its `external_id`."""

    key: str
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishCheck:
    key: str
    turn: int
    check_run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSandbox:
    """Named by session and launch number, so the second launch finds the first."""

    key: str
    launch: int
    snapshot: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandPrompt:
    """The supervisor takes a turn's number once."""

    key: str
    turn: int
    launch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAgent:
    key: str
    turn: int
    launch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeWork:
    """Commits out of the sandbox and onto the branch; known by the ref's value."""

    key: str
    turn: int
    launch: int
    commit_message: str | None
    """Commit what the agent left uncommitted, with this message; None leaves it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPullRequest:
    """Known by its head branch."""

    key: str
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyResult:
    """One short comment at a turn's end, since edits notify nobody."""

    key: str
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to one thing asked, in the thread where it was asked."""

    key: str
    prompt: PromptKey
    to: Person
    source: Source
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSandbox:
    key: str
    launch: int
    sandbox: str
    keep: bool
    """Take a snapshot first."""


Effect = (
    React
    | Announce
    | CreateStatus
    | ShowFinal
    | SetLabel
    | StartCheck
    | FinishCheck
    | LaunchSandbox
    | HandPrompt
    | StopAgent
    | TakeWork
    | OpenPullRequest
    | ReplyResult
    | Reply
    | ReleaseSandbox
)


STATUS_KEY = "status"


def launch_key(launch: int) -> str:
    return f"launch/{launch}"


def release_key(launch: int) -> str:
    return f"launch/{launch}/release"


def pull_request_key(turn: int) -> str:
    return f"turn/{turn}/pull-request"


def push_key(turn: int) -> str:
    return f"turn/{turn}/push"
