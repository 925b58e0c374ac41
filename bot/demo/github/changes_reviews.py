"""What can be done to reviews and their comments on lines of the diff."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from . import hunks
from .changes_pulls import Refused, changed_file
from .hooks import Hooks
from .hunks import Side, Spot
from .model import Actor, Json, LedgerVerb, Pull, Repo, Review, ReviewComment, Thread
from .shapes import node_id
from .shapes_thread import pull_simple, review_comment
from .shapes_thread import review as review_shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A review comment as asked for, before it is known whether the diff shows its line."""

    path: str
    body: str
    line: int | None = None
    side: Side = "RIGHT"
    start_line: int | None = None
    start_side: Side | None = None
    position: int | None = None
    whole_file: bool = False


def add_review(
    hooks: Hooks,
    repo: Repo,
    found: Pull,
    actor: Actor,
    *,
    body: str,
    event: Literal["COMMENT", "APPROVE", "REQUEST_CHANGES"] | None,
    remarks: Sequence[Remark] = (),
    commit_id: str | None = None,
) -> tuple[Review, list[ReviewComment]]:
    """All remarks or none: one line outside the diff refuses the whole review."""
    world = hooks.world
    placed = [(r, place(repo, found, r)) for r in remarks]
    states = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
    review = Review(
        id=world.next_id("review"),
        number=found.number,
        user=actor.user,
        app=actor.app,
        body=body,
        state=states[event] if event else "PENDING",  # type: ignore[arg-type]
        commit_id=commit_id or found.head_sha,
        submitted_at=world.now() if event else None,
        visible_from=world.faults.visible_from(),
    )
    repo.reviews[review.id] = review
    world.record(actor, "create", "review", repo, found.number, review.id, body)
    made = [_store(hooks, repo, found, actor, review, r, spot) for r, spot in placed]
    if event:
        review_event(hooks, repo, found, review, actor, "submitted")
        for one in made:
            comment_event(hooks, repo, found, one, actor, "created")
    return review, made


def submit_review(
    hooks: Hooks, repo: Repo, found: Pull, review: Review, actor: Actor, *, body: str, state: str
) -> None:
    """A pending review becomes visible, and its comments with it."""
    review.state, review.submitted_at = state, hooks.world.now()  # type: ignore[assignment]
    review.body = body or review.body
    hooks.world.record(actor, "edit", "review", repo, found.number, review.id, review.body)
    review_event(hooks, repo, found, review, actor, "submitted")
    for one in [c for c in repo.review_comments.values() if c.review_id == review.id]:
        comment_event(hooks, repo, found, one, actor, "created")


def reply(
    hooks: Hooks, repo: Repo, found: Pull, actor: Actor, to: ReviewComment, body: str
) -> ReviewComment:
    """An answer in a thread stands where its first comment stands."""
    now = hooks.world.now()
    review, _ = _bare_review(hooks, repo, found, actor)
    made = ReviewComment(
        id=hooks.world.next_id("review_comment"),
        number=found.number,
        review_id=review.id,
        thread_id=to.thread_id,
        user=actor.user,
        app=actor.app,
        body=body,
        path=to.path,
        line=to.line,
        original_line=to.original_line,
        side=to.side,
        start_line=to.start_line,
        start_side=to.start_side,
        subject_type=to.subject_type,
        commit_id=to.commit_id,
        original_commit_id=to.original_commit_id,
        diff_hunk=to.diff_hunk,
        position=to.position,
        in_reply_to=to.id,
        created_at=now,
        updated_at=now,
        visible_from=hooks.world.faults.visible_from(),
    )
    repo.review_comments[made.id] = made
    hooks.world.record(actor, "create", "review_comment", repo, found.number, made.id, body)
    review_event(hooks, repo, found, review, actor, "submitted")
    comment_event(hooks, repo, found, made, actor, "created")
    return made


def _bare_review(hooks: Hooks, repo: Repo, found: Pull, actor: Actor) -> tuple[Review, None]:
    """A single comment or reply also makes a review without text, which GitHub announces."""
    review = Review(
        id=hooks.world.next_id("review"),
        number=found.number,
        user=actor.user,
        app=actor.app,
        body="",
        state="COMMENTED",
        commit_id=found.head_sha,
        submitted_at=hooks.world.now(),
        visible_from=hooks.world.faults.visible_from(),
    )
    repo.reviews[review.id] = review
    return review, None


def place(repo: Repo, found: Pull, remark: Remark) -> Spot | None:
    """Where the diff shows the remark's line; `Refused` when it does not. None: whole file."""
    change = changed_file(repo, found, remark.path)
    if change is None:
        raise Refused("Path could not be resolved")
    if remark.whole_file:
        return None
    if remark.position is not None:
        spot = hunks.at_position(change.patch, remark.position)
    else:
        spot = hunks.at_line(change.patch, remark.side, remark.line or 0)
    if spot is None:
        raise Refused("Line could not be resolved")
    if remark.start_line is not None:
        start = hunks.at_line(change.patch, remark.start_side or remark.side, remark.start_line)
        if start is None or start.hunk != spot.hunk:
            raise Refused("start_line must be part of the same hunk as the line.")
        if remark.start_line >= spot.line:
            raise Refused("start_line must precede the end line.")
    return spot


def _store(
    hooks: Hooks,
    repo: Repo,
    found: Pull,
    actor: Actor,
    review: Review,
    remark: Remark,
    spot: Spot | None,
) -> ReviewComment:
    now, thread = hooks.world.now(), Thread(id=hooks.world.next_id("thread"))
    repo.threads[thread.id] = thread
    line = None if spot is None else spot.line
    made = ReviewComment(
        id=hooks.world.next_id("review_comment"),
        number=found.number,
        review_id=review.id,
        thread_id=thread.id,
        user=actor.user,
        app=actor.app,
        body=remark.body,
        path=remark.path,
        line=line,
        original_line=line,
        side="RIGHT" if spot is None else spot.side,
        start_line=remark.start_line,
        start_side=(remark.start_side or remark.side) if remark.start_line else None,
        subject_type="file" if spot is None else "line",
        commit_id=found.head_sha,
        original_commit_id=found.head_sha,
        diff_hunk="" if spot is None else spot.diff_hunk,
        position=None if spot is None else spot.position,
        in_reply_to=None,
        created_at=now,
        updated_at=now,
        visible_from=hooks.world.faults.visible_from(),
    )
    repo.review_comments[made.id] = made
    hooks.world.record(actor, "create", "review_comment", repo, found.number, made.id, made.body)
    return made


def review_event(
    hooks: Hooks,
    repo: Repo,
    found: Pull,
    review: Review,
    actor: Actor,
    action: str,
    more: Json | None = None,
) -> None:
    shape = review_shape(hooks.world, repo, review)
    # Webhooks write the state in lower case, REST in upper.
    shape |= {"state": review.state.lower(), "submitted_at": shape.get("submitted_at")}
    parts: Json = {"review": shape, "pull_request": pull_simple(hooks.world, repo, found)}
    parts |= more or {}
    hooks.emit("pull_request_review", action, parts, repo=repo, sender=actor.user)


def comment_event(
    hooks: Hooks,
    repo: Repo,
    found: Pull,
    one: ReviewComment,
    actor: Actor,
    action: str,
    more: Json | None = None,
) -> None:
    parts: Json = {
        "comment": review_comment(hooks.world, repo, one),
        "pull_request": pull_simple(hooks.world, repo, found),
    }
    parts |= more or {}
    hooks.emit("pull_request_review_comment", action, parts, repo=repo, sender=actor.user)


def edit_review_comment(
    hooks: Hooks, repo: Repo, found: Pull, one: ReviewComment, actor: Actor, body: str
) -> None:
    before = one.body
    if before == body:
        return
    one.body, one.updated_at, one.edits = body, hooks.world.now(), one.edits + 1
    hooks.world.record(actor, "edit", "review_comment", repo, found.number, one.id, body)
    more = {"changes": {"body": {"from": before}}}
    comment_event(hooks, repo, found, one, actor, "edited", more)


def delete_review_comment(
    hooks: Hooks, repo: Repo, found: Pull, one: ReviewComment, actor: Actor
) -> None:
    del repo.review_comments[one.id]
    hooks.world.record(actor, "delete", "review_comment", repo, found.number, one.id, one.body)
    comment_event(hooks, repo, found, one, actor, "deleted")


def resolve(
    hooks: Hooks,
    repo: Repo,
    thread: Thread,
    comments: Sequence[ReviewComment],
    actor: Actor,
    *,
    resolve: bool,
) -> None:
    """Close a thread or open it again."""
    thread.resolved_by = actor.user if resolve else None
    found = repo.issues[comments[0].number]
    assert isinstance(found, Pull)
    verb: LedgerVerb = "close" if resolve else "reopen"
    hooks.world.record(actor, verb, "review_thread", repo, found.number, thread.id)
    shape = {
        "node_id": node_id("PRRT", thread.id),
        "comments": [review_comment(hooks.world, repo, c) for c in comments],
    }
    parts: Json = {"thread": shape, "pull_request": pull_simple(hooks.world, repo, found)}
    action = "resolved" if resolve else "unresolved"
    hooks.emit("pull_request_review_thread", action, parts, repo=repo, sender=actor.user)
