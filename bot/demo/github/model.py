"""What the embedded GitHub remembers: people, repositories, threads, Apps, deliveries.

These are records of a simulated world, so unlike the rest of the house they change in place.
Only `changes.py` and `apps.py` change them; everything else reads.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from .accounts import App, Grant, Person
from .gitstore import BareRepository

Json = dict[str, Any]

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")


@dataclass(slots=True, kw_only=True)
class Label:
    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(slots=True, kw_only=True)
class Reaction:
    id: int
    content: str
    user: Person
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class Comment:
    """A comment on an issue or a pull request's conversation."""

    id: int
    number: int
    user: Person
    body: str
    created_at: datetime
    updated_at: datetime
    visible_from: datetime
    app: App | None = None
    edits: int = 0
    history: list[str] = field(default_factory=list)
    minimized: str | None = None
    reactions: list[Reaction] = field(default_factory=list)

    @property
    def author(self) -> str:
        return self.user.login


@dataclass(slots=True, kw_only=True)
class ReviewComment:
    """A comment on a line of a pull request's diff (`line` None: the whole file, or outdated)."""

    id: int
    number: int
    review_id: int
    thread_id: int
    user: Person
    body: str
    path: str
    line: int | None
    original_line: int | None
    side: Literal["LEFT", "RIGHT"]
    start_line: int | None
    start_side: Literal["LEFT", "RIGHT"] | None
    subject_type: Literal["line", "file"]
    commit_id: str
    original_commit_id: str
    diff_hunk: str
    position: int | None
    in_reply_to: int | None
    created_at: datetime
    updated_at: datetime
    visible_from: datetime
    app: App | None = None
    edits: int = 0
    minimized: str | None = None
    reactions: list[Reaction] = field(default_factory=list)

    @property
    def author(self) -> str:
        return self.user.login


@dataclass(slots=True, kw_only=True)
class Thread:
    """A review thread: it begins with one review comment and can be resolved."""

    id: int
    resolved_by: Person | None = None


@dataclass(slots=True, kw_only=True)
class Review:
    id: int
    number: int
    user: Person
    body: str
    state: Literal["PENDING", "COMMENTED", "APPROVED", "CHANGES_REQUESTED", "DISMISSED"]
    commit_id: str
    submitted_at: datetime | None
    visible_from: datetime
    app: App | None = None
    minimized: str | None = None


@dataclass(slots=True, kw_only=True)
class Event:
    """A line of the timeline that is not a comment: labeled, closed, pushed, renamed."""

    at: datetime
    actor: Person
    what: str
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class Issue:
    id: int
    number: int
    user: Person
    title: str
    body: str | None
    created_at: datetime
    updated_at: datetime
    visible_from: datetime
    app: App | None = None
    state: Literal["open", "closed"] = "open"
    state_reason: str | None = None
    closed_at: datetime | None = None
    closed_by: Person | None = None
    locked: bool = False
    edits: int = 0
    labels: list[Label] = field(default_factory=list)
    assignees: list[Person] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def author(self) -> str:
        return self.user.login


@dataclass(slots=True, kw_only=True)
class Pull(Issue):
    """A pull request is an issue with a branch; its own id differs from the issue's."""

    pull_id: int
    head: str
    base: str
    head_repo: "Repo"
    head_sha: str
    base_sha: str
    draft: bool = False
    merged_at: datetime | None = None
    merged_by: Person | None = None
    merge_commit_sha: str | None = None
    requested_reviewers: list[Person] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class CheckRun:
    id: int
    app: "App"
    head_sha: str
    name: str
    status: str
    conclusion: str | None
    external_id: str
    details_url: str | None
    started_at: datetime
    completed_at: datetime | None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[Json] = field(default_factory=list)
    actions: list[Json] = field(default_factory=list)
    suite_id: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Repo:
    id: int
    owner: Person
    name: str
    private: bool
    default_branch: str
    created_at: datetime
    pushed_at: datetime
    git: BareRepository
    description: str | None = None
    parent: "Repo | None" = None
    grants: dict[int, Grant] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    issues: dict[int, Issue] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    conversations: dict[int, dict[int, Comment]] = field(default_factory=dict)
    open_threads: int = 0
    review_comments: dict[int, ReviewComment] = field(default_factory=dict)
    threads: dict[int, Thread] = field(default_factory=dict)
    reviews: dict[int, Review] = field(default_factory=dict)
    checks: dict[int, CheckRun] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    @property
    def path(self) -> Path:
        return self.git.path

    def comments_on(self, number: int) -> list[Comment]:
        """The conversation of one thread, oldest first, however many threads there are."""
        return list(self.conversations.get(number, {}).values())

    def grant_of(self, person: Person) -> Grant:
        """The owner is admin; anyone can read what is public; else only what was granted."""
        if person is self.owner:
            return Grant(level="admin", role_name="admin")
        if (given := self.grants.get(person.id)) is not None:
            return given
        level: Literal["none", "read"] = "none" if self.private else "read"
        return Grant(level=level, role_name=level)


@dataclass(slots=True, kw_only=True, eq=False)
class Installation:
    id: int
    app: App
    account: Person
    repositories: list[Repo]
    permissions: dict[str, str]
    created_at: datetime
    suspended: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Token:
    """An installation's token (`installation` set) or a person's (`person` set)."""

    value: str = field(repr=False)
    user: Person
    expires_at: datetime | None
    installation: Installation | None = None
    repositories: tuple[Repo, ...] | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    revoked: bool = False


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One attempt to tell an App something; a redelivery has the same `guid` and a new `id`."""

    id: int
    guid: str
    app: App
    event: str
    action: str | None
    payload: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    installation_id: int | None
    repository_id: int | None
    delivered_at: datetime
    redelivery: bool = False
    pending: bool = True
    status: str = "pending"
    status_code: int = 0
    duration: float = 0.0
    response_headers: dict[str, str] = field(default_factory=dict, repr=False)
    response_body: str = ""

    @property
    def ok(self) -> bool:
        return not self.pending and 200 <= self.status_code < 400


LedgerVerb = Literal["create", "edit", "delete", "push", "close", "reopen", "add", "remove"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: an account, and the App through which it acts (None: by hand)."""

    user: Person
    app: App | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One effect that happened. `app` is the App's slug, None for a person acting by hand."""

    at: datetime
    actor: str
    app: str | None
    action: LedgerVerb
    kind: str
    repository: str
    number: int | None
    object_id: int | str
    body: str
