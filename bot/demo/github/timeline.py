"""A thread in the order in which it happened, ready to be shown."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .accounts import Person
from .changes_pulls import pull_changes
from .gitstore import Commit, FileChange
from .hunks import spots
from .model import CheckRun, Comment, Event, Issue, Pull, Reaction, Repo, Review, ReviewComment
from .world import World

EMOJI = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "eyes": "👀",
    "rocket": "🚀",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a diff."""

    kind: Literal["same", "added", "removed", "hunk"]
    old: int | None
    new: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    name: str
    status: str
    additions: int
    deletions: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remarks:
    """A review thread: the lines it is about and what was said."""

    path: str
    rows: tuple[Row, ...]
    comments: tuple[ReviewComment, ...]
    outdated: bool
    resolved_by: Person | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Exactly one of the things a timeline shows, and when it happened."""

    at: datetime
    comment: Comment | None = None
    event: Event | None = None
    commit: Commit | None = None
    author: Person | None = None
    review: Review | None = None
    threads: tuple[Remarks, ...] = field(default=())


def rows_of(patch: str) -> tuple[Row, ...]:
    out: list[Row] = []
    old = new = 0
    by_position: dict[int, dict[str, int]] = {}
    for spot in spots(patch):
        by_position.setdefault(spot.position, {})[spot.side] = spot.line
    for position, text in enumerate(patch.split("\n")):
        lines = by_position.get(position)
        if lines is None:
            out.append(Row(kind="hunk", old=None, new=None, text=text))
            continue
        old, new = lines.get("LEFT", 0), lines.get("RIGHT", 0)
        kind: Literal["same", "added", "removed"] = "same"
        if not old:
            kind = "added"
        elif not new:
            kind = "removed"
        out.append(Row(kind=kind, old=old or None, new=new or None, text=text[1:]))
    return tuple(out)


def file_diff(change: FileChange) -> FileDiff:
    return FileDiff(
        name=change.filename,
        status=change.status,
        additions=change.additions,
        deletions=change.deletions,
        rows=rows_of(change.patch) if change.patch else (),
    )


def files_of(repo: Repo, found: Pull) -> list[FileDiff]:
    return [file_diff(c) for c in pull_changes(repo, found)]


def commits_of(repo: Repo, found: Pull) -> list[Commit]:
    """Oldest first. A merged one keeps those that were its own."""
    base = found.base_sha
    if found.merge_commit_sha is not None:
        parents = repo.git.commit(found.merge_commit_sha).parents
        base = parents[0] if parents else base
    return repo.git.log(found.head_sha, without=base)[::-1]


def checks_of(repo: Repo, found: Pull) -> list[CheckRun]:
    return [r for r in repo.checks.values() if r.head_sha == found.head_sha]


def entries(world: World, repo: Repo, found: Issue) -> list[Entry]:
    out = [Entry(at=c.created_at, comment=c) for c in repo.comments_on(found.number)]
    out += [Entry(at=e.at, event=e) for e in found.events]
    if isinstance(found, Pull):
        out += [
            Entry(
                at=max(c.committer.when, found.created_at),
                commit=c,
                author=world.person_by_email(c.author.email),
            )
            for c in commits_of(repo, found)
        ]
        out += [e for e in _reviews(repo, found) if e is not None]
    return sorted(out, key=lambda e: e.at)


def _reviews(repo: Repo, found: Pull) -> list[Entry | None]:
    return [_review(repo, r) for r in repo.reviews.values() if r.number == found.number]


def _review(repo: Repo, review: Review) -> Entry | None:
    """A review with the threads it began; replies stand in theirs, pending ones are hidden."""
    if review.submitted_at is None:
        return None
    begun = [
        c
        for c in repo.review_comments.values()
        if c.review_id == review.id and c.in_reply_to is None
    ]
    threads = tuple(_thread(repo, c) for c in begun)
    if not threads and not review.body and review.state == "COMMENTED":
        return None
    return Entry(at=review.submitted_at, review=review, threads=threads)


def _thread(repo: Repo, first: ReviewComment) -> Remarks:
    said = [c for c in repo.review_comments.values() if c.thread_id == first.thread_id]
    return Remarks(
        path=first.path,
        rows=rows_of(first.diff_hunk)[-4:] if first.diff_hunk else (),
        comments=tuple(said),
        outdated=first.line is None and first.subject_type == "line",
        resolved_by=repo.threads[first.thread_id].resolved_by,
    )


def reactions(given: list[Reaction]) -> list[tuple[str, int, str]]:
    """(emoji, how many, who) in GitHub's order."""
    out = []
    for content, emoji in EMOJI.items():
        who = [r.user.login for r in given if r.content == content]
        if who:
            out.append((emoji, len(who), ", ".join(who)))
    return out


def participants(repo: Repo, found: Issue) -> list[Person]:
    seen = {found.user.id: found.user}
    everything: list[Comment | ReviewComment] = [
        *repo.comments.values(),
        *repo.review_comments.values(),
    ]
    for said in everything:
        if said.number == found.number:
            seen[said.user.id] = said.user
    return list(seen.values())
