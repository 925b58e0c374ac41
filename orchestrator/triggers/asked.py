"""What was asked, frozen as it stood: the value that an accepted delivery becomes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from orchestrator.session.values import Person, PromptKey, Source, SourceKind

from .delivery import (
    Head,
    IssueAssigned,
    IssueLabeled,
    Place,
    Repository,
    Thread,
    Told,
    Written,
)
from .words import PromptText, Word

_KEY_PREFIX = {
    SourceKind.ISSUE: "issue",
    SourceKind.PULL_REQUEST: "pull",
    SourceKind.ISSUE_COMMENT: "comment",
    SourceKind.REVIEW_COMMENT: "review-comment",
    SourceKind.REVIEW: "review",
    SourceKind.API: "api",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`ask` with everything that a session needs to know about who, where and which text."""

    key: PromptKey
    author: Person
    ask: PromptText | Word
    source: Source
    repository: Repository
    installation: int | None
    thread: Thread
    head: Head | None
    """Of the pull request; None on an issue, and for a word that runs nothing."""
    start: str = ""
    """The commit that a person named, and nothing else is to run; else the branch decides."""
    app: int | None = None
    """The listed App that asks; None where a person does."""
    place: Place | None
    """The lines, for a review comment."""

    @property
    def from_fork(self) -> bool:
        return self.head is not None and self.head.repository != self.repository.id


def key_of(told: Told) -> PromptKey:
    """One source object is one prompt: an edit that adds a mention has the same key. A label or
    an assignment is one each time."""
    written = told.written
    match told:
        case IssueLabeled():
            return PromptKey(f"label-{written.id}-{int(written.updated_at.timestamp())}")
        case IssueAssigned():
            return PromptKey(f"assign-{written.id}-{int(written.updated_at.timestamp())}")
        case _:
            return PromptKey(f"{_KEY_PREFIX[written.kind]}-{written.id}")


def source_of(written: Written, thread: Thread) -> Source:
    """The hash is of the body's UTF-8 bytes, as GitHub gave it."""
    return Source(
        kind=written.kind,
        id=written.id,
        thread=thread.number,
        updated_at=written.updated_at,
        sha256=hashlib.sha256(written.body.encode("utf-8", "surrogatepass")).hexdigest(),
        url=written.url,
        in_reply_to=written.in_reply_to,
    )
