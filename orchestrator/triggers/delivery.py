"""What GitHub tells us, in our own words: the values that a delivery is parsed into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestrator.session.values import Person, RepositoryId, SourceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    id: RepositoryId
    full_name: str
    private: bool
    default_branch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """`type` is GitHub's: `User`, `Bot`, `Organization`, `Mannequin`. Names prove nothing."""

    person: Person
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every delivery says: which event, where, and by whom."""

    event: str
    action: str
    repository: Repository
    installation: int | None
    sender: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a pull request's commits are. `repository` is None where the fork was deleted."""

    repository: int | None
    repository_name: str
    branch: str
    commit: str
    base_branch: str
    base_commit: str
    pushed_at: datetime | None = None
    """When anything was last pushed to the head's repository: by GitHub's clock, unlike a
    commit's own date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The issue or pull request, as the delivery shows it."""

    number: int
    title: str
    body: str
    author: Actor | None
    is_pull_request: bool
    open: bool
    head: Head | None = None
    """None for an issue, and where the delivery does not say: `issue_comment` never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The text that a delivery is about. `author` is None for a deleted account."""

    kind: SourceKind
    id: int
    body: str
    author: Actor | None
    app: int | None
    """The GitHub App that wrote it, as GitHub itself says."""
    created_at: datetime
    updated_at: datetime
    url: str
    in_reply_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The lines that a review comment is about. `line` is None where they are outdated."""

    path: str
    line: int | None
    start_line: int | None
    side: str
    diff_hunk: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What an edit replaced; None where that part stayed as it was."""

    title: str | None
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueOpened:
    envelope: Envelope
    thread: Thread
    written: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueEdited:
    envelope: Envelope
    thread: Thread
    written: Written
    before: Before


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLabeled:
    """`written` is the issue as it stood then, whoever wrote it."""

    envelope: Envelope
    thread: Thread
    written: Written
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueAssigned:
    envelope: Envelope
    thread: Thread
    written: Written
    assignee: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestOpened:
    envelope: Envelope
    thread: Thread
    written: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestEdited:
    envelope: Envelope
    thread: Thread
    written: Written
    before: Before


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestClosed:
    envelope: Envelope
    number: int
    merged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentCreated:
    envelope: Envelope
    thread: Thread
    written: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentEdited:
    envelope: Envelope
    thread: Thread
    written: Written
    before: Before


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSubmitted:
    envelope: Envelope
    thread: Thread
    written: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEdited:
    envelope: Envelope
    thread: Thread
    written: Written
    before: Before


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCommentCreated:
    envelope: Envelope
    thread: Thread
    written: Written
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCommentEdited:
    envelope: Envelope
    thread: Thread
    written: Written
    place: Place
    before: Before


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """Asked from outside GitHub, through the API: `written` is the prompt, whatever it says."""

    envelope: Envelope
    thread: Thread
    written: Written
    token: str
    """What the token is called."""
    model: str | None
    effort: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotForUs:
    """A well-formed delivery that asks for nothing; `reason` says why, `envelope` if it has one."""

    event: str
    action: str
    reason: str
    envelope: Envelope | None = None


Created = IssueOpened | PullRequestOpened | CommentCreated | ReviewSubmitted | ReviewCommentCreated
Edited = IssueEdited | PullRequestEdited | CommentEdited | ReviewEdited | ReviewCommentEdited
Marked = IssueLabeled | IssueAssigned
Told = Created | Edited | Marked | Requested
Delivered = Told | PullRequestClosed


class BadPayload(Exception):
    """The delivery is not what GitHub documents: {where} {problem}."""

    def __init__(self, *, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__((type(self).__doc__ or "").format(where=where, problem=problem))
