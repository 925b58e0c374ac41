"""What can be done to pull requests: open, move, merge."""

from . import hunks
from .changes_issues import edit_thread, next_number, thread_event
from .gitstore import FileChange, Signature
from .hooks import Hooks
from .model import Actor, Event, Pull, Repo, ReviewComment


class Refused(Exception):
    """GitHub would answer 422; the text is its message."""


def open_pull(
    hooks: Hooks,
    repo: Repo,
    actor: Actor,
    *,
    title: str,
    body: str | None,
    head: str,
    base: str,
    draft: bool,
    head_repo: Repo | None = None,
) -> Pull:
    """Refused without commits between the branches, or when one is open for the same two."""
    world, now, source = hooks.world, hooks.world.now(), head_repo or repo
    head_sha, base_sha = source.git.head(head), repo.git.head(base)
    if head_sha is None:
        raise Refused("head:invalid")
    if base_sha is None:
        raise Refused("base:invalid")
    if open_pull_for(repo, source, head, base) is not None:
        raise Refused(f"A pull request already exists for {source.owner.login}:{head}.")
    if source is not repo:
        repo.git.take(source.git, head_sha)
    if repo.git.is_ancestor(head_sha, base_sha):
        raise Refused(f"No commits between {base} and {head}")
    found = Pull(
        id=world.next_id("issue"),
        pull_id=world.next_id("pull"),
        number=next_number(repo),
        user=actor.user,
        app=actor.app,
        title=title,
        body=body,
        created_at=now,
        updated_at=now,
        visible_from=world.faults.visible_from(),
        head=head,
        base=base,
        head_repo=source,
        head_sha=head_sha,
        base_sha=base_sha,
        draft=draft,
    )
    repo.issues[found.number] = found
    repo.open_threads += 1
    _show_head(repo, found)
    world.record(actor, "create", "pull_request", repo, found.number, found.pull_id, body or "")
    thread_event(hooks, repo, found, actor, "opened")
    return found


def _show_head(repo: Repo, found: Pull) -> None:
    """`refs/pull/N/head` is in the base repository, also when the commits are a fork's."""
    ref = f"refs/pull/{found.number}/head"
    if found.head_repo is not repo:
        repo.git.take(found.head_repo.git, found.head_sha)
    repo.git.set_ref(ref, found.head_sha)


def open_pull_for(repo: Repo, source: Repo, head: str, base: str) -> Pull | None:
    for one in repo.issues.values():
        if not isinstance(one, Pull) or one.state != "open" or one.head_repo is not source:
            continue
        if (one.head, one.base) == (head, base):
            return one
    return None


def head_moved(hooks: Hooks, repo: Repo, found: Pull, actor: Actor, before: str, to: str) -> None:
    """`synchronize`: comments follow their line, or become outdated."""
    found.head_sha, found.updated_at = to, hooks.world.now()
    _show_head(repo, found)
    for one in repo.review_comments.values():
        if one.number == found.number and one.line is not None:
            _follow(repo, found, one)
    more = {"before": before, "after": to}
    thread_event(hooks, repo, found, actor, "synchronize", more)


def _follow(repo: Repo, found: Pull, one: ReviewComment) -> None:
    assert one.line is not None
    change = changed_file(repo, found, one.path)
    text = one.diff_hunk.rsplit("\n", 1)[-1][1:]
    spot = None if change is None else hunks.moved(change.patch, one.side, one.line, text)
    one.line = None if spot is None else spot.line
    one.position = None if spot is None else spot.position
    if spot is not None:
        one.commit_id = found.head_sha


def pull_changes(repo: Repo, found: Pull) -> list[FileChange]:
    base = repo.git.merge_base(found.base_sha, found.head_sha)
    return repo.git.changes(base, found.head_sha)


def changed_file(repo: Repo, found: Pull, path: str) -> FileChange | None:
    return next((c for c in pull_changes(repo, found) if c.filename == path), None)


def mark_ready(hooks: Hooks, repo: Repo, found: Pull, actor: Actor) -> None:
    if found.draft:
        found.draft, found.updated_at = False, hooks.world.now()
        note = Event(at=hooks.world.now(), actor=actor.user, what="marked this ready for review")
        found.events.append(note)
        hooks.world.record(actor, "edit", "ready_for_review", repo, found.number, found.pull_id)
        thread_event(hooks, repo, found, actor, "ready_for_review")


def to_draft(hooks: Hooks, repo: Repo, found: Pull, actor: Actor) -> None:
    if not found.draft:
        found.draft, found.updated_at = True, hooks.world.now()
        found.events.append(
            Event(at=hooks.world.now(), actor=actor.user, what="marked this as draft")
        )
        hooks.world.record(actor, "edit", "draft", repo, found.number, found.pull_id)
        thread_event(hooks, repo, found, actor, "converted_to_draft")


def merge(hooks: Hooks, repo: Repo, found: Pull, actor: Actor) -> str:
    """A merge commit on the base branch; refused when the branches conflict."""
    base_sha = repo.git.head(found.base)
    assert base_sha is not None
    author = Signature(name=actor.user.name, email=actor.user.email, when=hooks.world.now())
    message = f"Merge pull request #{found.number} from {repo.owner.login}/{found.head}"
    made = repo.git.merge_commit(base_sha, found.head_sha, f"{message}\n\n{found.title}", author)
    if made is None:
        raise Refused("Pull Request is not mergeable")
    repo.git.set_ref(f"refs/heads/{found.base}", made)
    merged_by_push(hooks, repo, found, actor, made)
    return made


def merged_by_push(hooks: Hooks, repo: Repo, found: Pull, actor: Actor, commit: str) -> None:
    """The head's commits have reached the base branch: that closes it as merged."""
    found.merged_at, found.merged_by = hooks.world.now(), actor.user
    found.merge_commit_sha = commit
    edit_thread(hooks, repo, found, actor, state="closed")
