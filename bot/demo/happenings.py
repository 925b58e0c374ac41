"""What happens in the demo, as the person watching is told it: one value for each line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The embedded GitHub is up; `url` is its page of the thread."""

    repository: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A person wrote a comment; `thread` is `owner/name#1`."""

    author: str
    thread: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySent:
    """`event` with its action, as in `issue_comment.created`; `status` is our answer to it."""

    event: str
    status: int
    milliseconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """`reason` is the decision record's own sentence."""

    accepted: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reacted:
    content: str
    milliseconds: float
    """Since the delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReady:
    """`how` is `cold`, `warm` or `from its snapshot`; `seconds` is None where it was not said."""

    how: str
    commit: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeen:
    """One step of the agent, in the words of the status comment."""

    text: str
    state: Literal["running", "done", "failed"]
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentEdited:
    """The status comment as it now reads on GitHub; the first time it was created."""

    markdown: str
    created: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitPushed:
    branch: str
    sha: str
    subject: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestOpened:
    number: int
    title: str
    url: str
    draft: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """`state` as the status comment's headline has it: Done, Stopped, Failed, ..."""

    turn: int
    state: str
    ok: bool
    seconds: float
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffShown:
    """The pull request's changes as `git diff` prints them."""

    patch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestsRan:
    """What decides the demo's exit code: the pull request's head in a fresh clone."""

    __test__ = False

    command: str
    ok: bool
    seconds: float
    tail: str
    """The last lines it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WentWrong:
    """Something that ends the demo, in one sentence that can be acted on."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The last words: facts as label and value, what to open, what to type next."""

    ok: bool
    facts: tuple[tuple[str, str], ...]
    open: tuple[str, ...] = ()
    type: tuple[str, ...] = ()


Happening = (
    Opened
    | Asked
    | DeliverySent
    | Decided
    | Reacted
    | SandboxReady
    | StepSeen
    | CommentEdited
    | CommitPushed
    | PullRequestOpened
    | TurnEnded
    | DiffShown
    | TestsRan
    | WentWrong
    | Summary
)
