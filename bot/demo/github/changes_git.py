"""What follows from commits: pushes, pull requests that move, and checks on commits."""

from collections.abc import Sequence
from dataclasses import dataclass

from .changes_issues import edit_thread
from .changes_pulls import head_moved, merged_by_push
from .gitstore import ZERO, Commit
from .hooks import Hooks
from .model import Actor, CheckRun, Json, Pull, Repo
from .shapes import web
from .shapes_thread import check_run as check_run_shape
from .shapes_thread import check_suite_of
from .world import World, stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class RefUpdate:
    """`before` or `after` is 40 zeros when the ref was created or deleted."""

    ref: str
    before: str
    after: str


def after_push(hooks: Hooks, repo: Repo, actor: Actor, updates: Sequence[RefUpdate]) -> None:
    """The refs have moved already; this is everything that the move causes."""
    repo.pushed_at = hooks.world.now()
    for update in updates:
        hooks.world.record(
            actor, "push", update.ref, repo, None, update.after, _subject(repo, update)
        )
        hooks.emit(
            "push", None, _push(hooks.world, repo, actor, update), repo=repo, sender=actor.user
        )
    for other in list(hooks.world.repositories.values()):
        for found in list(other.issues.values()):
            if isinstance(found, Pull) and found.state == "open":
                _move_pull(hooks, repo, other, found, actor, updates)


def _move_pull(
    hooks: Hooks,
    pushed: Repo,
    repo: Repo,
    found: Pull,
    actor: Actor,
    updates: Sequence[RefUpdate],
) -> None:
    for update in updates:
        is_head = found.head_repo is pushed and update.ref == f"refs/heads/{found.head}"
        if update.after == ZERO:
            if is_head:  # an open pull request cannot be without its branch
                edit_thread(hooks, repo, found, actor, state="closed")
            continue
        if is_head:
            head_moved(hooks, repo, found, actor, update.before, update.after)
        if repo is pushed and update.ref == f"refs/heads/{found.base}":
            found.base_sha = update.after
            if repo.git.is_ancestor(found.head_sha, update.after):
                merged_by_push(hooks, repo, found, actor, update.after)


def _subject(repo: Repo, update: RefUpdate) -> str:
    """The newest commit's first line, empty for a deleted ref or another kind of object."""
    if update.after == ZERO or repo.git.kind(update.after) != "commit":
        return ""
    return repo.git.commit(update.after).title


def _commits(repo: Repo, update: RefUpdate) -> list[Commit]:
    """New commits of a push, oldest first; payloads carry at most 2,048 of them."""
    if update.after == ZERO or repo.git.kind(update.after) != "commit":
        return []
    without = None if update.before == ZERO else update.before
    if without is None:
        default = repo.git.head(repo.default_branch)
        without = default if default != update.after else None
    return repo.git.log(update.after, without=without, limit=2_048)[::-1]


def _push(world: World, repo: Repo, actor: Actor, update: RefUpdate) -> Json:
    commits = [_payload_commit(world, repo, c) for c in _commits(repo, update)]
    created, deleted = update.before == ZERO, update.after == ZERO
    forced = not (created or deleted) and not repo.git.is_ancestor(update.before, update.after)
    head = None
    if not deleted and repo.git.kind(update.after) == "commit":
        head = _payload_commit(world, repo, repo.git.commit(update.after))
    short = f"{update.before[:12]}...{update.after[:12]}"
    return {
        "ref": update.ref,
        "before": update.before,
        "after": update.after,
        "created": created,
        "deleted": deleted,
        "forced": forced,
        "base_ref": None,
        "compare": web(world, repo, f"/compare/{short}"),
        "commits": commits,
        "head_commit": head,
        "pusher": {"name": actor.user.login, "email": actor.user.email},
    }


def _payload_commit(world: World, repo: Repo, commit: Commit) -> Json:
    changes = repo.git.changes(commit.parents[0] if commit.parents else None, commit.sha)

    def who(name: str, email: str) -> Json:
        known = world.person_by_email(email)
        return {"name": name, "email": email} | ({"username": known.login} if known else {})

    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": stamp(commit.committer.when),
        "url": web(world, repo, f"/commit/{commit.sha}"),
        "author": who(commit.author.name, commit.author.email),
        "committer": who(commit.committer.name, commit.committer.email),
        "added": [c.filename for c in changes if c.status == "added"],
        "removed": [c.filename for c in changes if c.status == "removed"],
        "modified": [c.filename for c in changes if c.status not in ("added", "removed")],
    }


# -- checks


def suite_of(hooks: Hooks, repo: Repo, actor: Actor, head_sha: str) -> int:
    """All runs of one App on one commit share a suite."""
    for run in repo.checks.values():
        if run.app is actor.app and run.head_sha == head_sha:
            return run.suite_id
    return hooks.world.next_id("check_suite")


def add_check(hooks: Hooks, repo: Repo, actor: Actor, run: CheckRun) -> CheckRun:
    repo.checks[run.id] = run
    hooks.world.record(actor, "create", "check_run", repo, None, run.id, run.summary or "")
    check_event(hooks, repo, actor, run, "created")
    if run.status == "completed":
        check_event(hooks, repo, actor, run, "completed")
    return run


def check_changed(hooks: Hooks, repo: Repo, actor: Actor, run: CheckRun, was: str) -> None:
    """Call after editing; `was` is the status before."""
    hooks.world.record(actor, "edit", "check_run", repo, None, run.id, run.summary or "")
    if was != "completed" and run.status == "completed":
        check_event(hooks, repo, actor, run, "completed")


def press_button(hooks: Hooks, repo: Repo, actor: Actor, run: CheckRun, identifier: str) -> None:
    """A person clicks a check run's action; only the App that made the run hears of it."""
    if run.status != "completed" or identifier not in [a["identifier"] for a in run.actions]:
        raise ValueError(f"no button {identifier!r} is shown on check run {run.id}")
    more = {"requested_action": {"identifier": identifier}}
    check_event(hooks, repo, actor, run, "requested_action", more)


def check_event(
    hooks: Hooks, repo: Repo, actor: Actor, run: CheckRun, action: str, more: Json | None = None
) -> None:
    shape = check_run_shape(hooks.world, repo, run)
    shape["check_suite"] = check_suite_of(hooks.world, repo, run)
    only = run.app if action in ("requested_action", "rerequested") else None
    parts: Json = {"check_run": shape} | (more or {})
    hooks.emit("check_run", action, parts, repo=repo, sender=actor.user, only=only)
