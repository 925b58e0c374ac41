"""What GitHub tells, as plain frozen values: parsed once, never a `dict` further in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestrator.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account. `id` 0 is GitHub's ghost: an author who is gone, equal to nobody."""

    id: int
    login: str
    type: str
    """`User`, `Bot` or `Organization`."""


GHOST = Person(id=0, login="ghost", type="User")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppInfo:
    id: int
    slug: str
    name: str
    bot_user_id: int | None
    """None where no installation exists yet and the server shows nothing to strangers."""
    permissions: Mapping[str, str]
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryInfo:
    id: int
    full_name: str
    default_branch: str
    private: bool
    archived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What someone may do in a repository, from all sources of rights together.

    `user_id` is whose rights these are: compare it with the sender's id, since a login can be
    given up and taken by someone else. `role` shows custom roles by name.
    """

    user_id: int | None
    can_push: bool
    can_admin: bool
    role: str
    can_maintain: bool = False


NO_PERMISSION = Permission(user_id=None, can_push=False, can_admin=False, role="none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue, or the issue side of a pull request."""

    number: int
    title: str
    body: str
    author: Person
    state: str
    is_pull_request: bool
    created_at: datetime
    updated_at: datetime
    labels: tuple[str, ...]
    html_url: str
    node_id: str
    locked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment on an issue or pull request. `app_id` is the App that wrote it, if one did."""

    id: int
    node_id: str
    body: str
    author: Person
    app_id: int | None
    created_at: datetime
    updated_at: datetime
    html_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewComment:
    """A comment on a line of a diff. `line` is None where the line is outdated."""

    id: int
    node_id: str
    body: str
    author: Person
    path: str
    line: int | None
    original_line: int | None
    side: str
    diff_hunk: str
    commit_id: str
    in_reply_to: int | None
    review_id: int | None
    created_at: datetime
    updated_at: datetime
    html_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One end of a pull request. `repository` is None where the fork has been deleted."""

    ref: str
    sha: str
    repository: int | None
    full_name: str | None
    pushed_at: datetime | None = None
    """When anything was last pushed to that repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    number: int
    title: str
    body: str
    state: str
    draft: bool
    merged: bool
    head: Side
    base: Side
    author: Person
    html_url: str
    maintainer_can_modify: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFile:
    path: str
    status: str
    added: int
    removed: int
    previous_path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutput:
    """Summary and text hold at most 65,535 characters each."""

    title: str
    summary: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    id: int
    name: str
    head_sha: str
    external_id: str
    status: str
    conclusion: str | None
    app_id: int | None
    html_url: str


class EntryKind(StrEnum):
    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What stands at a path. `content` is None for all that is no plain file, and where the file
    is larger than was asked for; a symbolic link is never followed."""

    path: str
    kind: EntryKind
    mode: str
    sha: str
    size: int
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to hand an event to the App. All attempts for one event share `guid`."""

    id: int
    guid: str
    event: str
    action: str | None
    delivered_at: datetime
    redelivery: bool
    status: str
    status_code: int
    installation: int | None
    repository: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    deliveries: tuple[Delivery, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredEvent:
    """A delivery with what was sent. The payload is for the same reader as a webhook's body."""

    delivery: Delivery
    headers: Mapping[str, str]
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnIssue:
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnIssueComment:
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnReviewComment:
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnReview:
    """REST has no reactions for reviews, so reacting to one does nothing."""

    id: int


Subject = OnIssue | OnIssueComment | OnReviewComment | OnReview


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCredentials:
    """Access to one repository over HTTPS for at most an hour. Never goes on a command line."""

    url: str
    header: Secret
    expires_at: datetime

    def environment(self, *more: tuple[str, str]) -> dict[str, str]:
        """Variables for `git`, with `more` configuration; it asks nobody for a password.

        Configuration from the environment shows neither in `ps` nor in `.git/config`.
        """
        entries = [(f"http.{self.url}.extraheader", self.header.reveal()), *more]
        variables = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": str(len(entries))}
        for number, (key, value) in enumerate(entries):
            variables[f"GIT_CONFIG_KEY_{number}"] = key
            variables[f"GIT_CONFIG_VALUE_{number}"] = value
        return variables
