"""What can be done to issues and conversations: change, ledger line and webhook in one step.

Permissions are checked before, by the door the request came through.
"""

from collections.abc import Sequence
from typing import Literal

from .accounts import Person
from .hooks import Hooks
from .model import (
    Actor,
    Comment,
    Event,
    Issue,
    Json,
    Label,
    LedgerVerb,
    Pull,
    Reaction,
    Repo,
    Review,
    ReviewComment,
)
from .shapes import label as label_shape
from .shapes import user
from .shapes_thread import comment as comment_shape
from .shapes_thread import issue as issue_shape
from .shapes_thread import pull as pull_shape


def thread_event(
    hooks: Hooks, repo: Repo, found: Issue, actor: Actor, action: str, more: Json | None = None
) -> None:
    """`issues` or `pull_request`, by what the thread is."""
    parts: Json
    if isinstance(found, Pull):
        parts = {"number": found.number, "pull_request": pull_shape(hooks.world, repo, found)}
        event = "pull_request"
    else:
        parts, event = {"issue": issue_shape(hooks.world, repo, found)}, "issues"
    hooks.emit(event, action, parts | (more or {}), repo=repo, sender=actor.user)


def next_number(repo: Repo) -> int:
    """Issues and pull requests count together."""
    return len(repo.issues) + 1


def open_issue(
    hooks: Hooks,
    repo: Repo,
    actor: Actor,
    *,
    title: str,
    body: str | None,
    labels: Sequence[str] = (),
    assignees: Sequence[Person] = (),
) -> Issue:
    world, now = hooks.world, hooks.world.now()
    found = Issue(
        id=world.next_id("issue"),
        number=next_number(repo),
        user=actor.user,
        app=actor.app,
        title=title,
        body=body,
        created_at=now,
        updated_at=now,
        visible_from=world.faults.visible_from(),
    )
    repo.issues[found.number] = found
    repo.open_threads += 1
    found.labels = [repo_label(hooks, repo, name) for name in labels]
    found.assignees = list(assignees)
    world.record(actor, "create", "issue", repo, found.number, found.id, body or "")
    thread_event(hooks, repo, found, actor, "opened")
    for one in found.labels:
        thread_event(hooks, repo, found, actor, "labeled", {"label": label_shape(world, repo, one)})
    for person in found.assignees:
        thread_event(hooks, repo, found, actor, "assigned", {"assignee": user(world, person)})
    return found


def edit_thread(
    hooks: Hooks,
    repo: Repo,
    found: Issue,
    actor: Actor,
    *,
    title: str | None = None,
    body: str | None = None,
    state: Literal["open", "closed"] | None = None,
    state_reason: str | None = None,
) -> None:
    """Title and body of an issue or pull request, and whether it is open."""
    world, now = hooks.world, hooks.world.now()
    kind = "pull_request" if isinstance(found, Pull) else "issue"
    changes: Json = {}
    if title is not None and title != found.title:
        changes["title"] = {"from": found.title}
        _note(found, actor, hooks, "changed the title", f"{found.title} → {title}")
        found.title = title
    if body is not None and body != found.body:
        changes["body"] = {"from": found.body or ""}
        found.body, found.edits = body, found.edits + 1
    if changes:
        found.updated_at = now
        world.record(actor, "edit", kind, repo, found.number, found.id, found.body or "")
        thread_event(hooks, repo, found, actor, "edited", {"changes": changes})
    if state is not None and state != found.state:
        found.state, found.updated_at = state, now
        closing = state == "closed"
        repo.open_threads += -1 if closing else 1
        found.closed_at = now if closing else None
        found.closed_by = actor.user if closing else None
        found.state_reason = state_reason or ("completed" if closing else "reopened")
        if isinstance(found, Pull):
            found.state_reason = None
        verb: LedgerVerb = "close" if closing else "reopen"
        _note(found, actor, hooks, "closed this" if closing else "reopened this")
        world.record(actor, verb, kind, repo, found.number, found.id)
        thread_event(hooks, repo, found, actor, "closed" if closing else "reopened")


def _note(found: Issue, actor: Actor, hooks: Hooks, what: str, detail: str = "") -> None:
    found.events.append(Event(at=hooks.world.now(), actor=actor.user, what=what, detail=detail))


# -- labels and assignees


def repo_label(hooks: Hooks, repo: Repo, name: str, color: str = "ededed") -> Label:
    """The repository's label of this name (case does not matter), created when missing."""
    found = repo.labels.get(name.lower())
    if found is None:
        found = Label(id=hooks.world.next_id("label"), name=name, color=color)
        repo.labels[name.lower()] = found
    return found


def add_labels(hooks: Hooks, repo: Repo, found: Issue, actor: Actor, names: Sequence[str]) -> None:
    """Idempotent: labels that are there already say nothing."""
    for name in names:
        one = repo_label(hooks, repo, name)
        if one in found.labels:
            continue
        found.labels.append(one)
        found.updated_at = hooks.world.now()
        _note(found, actor, hooks, "added the label", one.name)
        hooks.world.record(actor, "add", "label", repo, found.number, one.name)
        more = {"label": label_shape(hooks.world, repo, one)}
        thread_event(hooks, repo, found, actor, "labeled", more)


def remove_label(hooks: Hooks, repo: Repo, found: Issue, actor: Actor, name: str) -> bool:
    one = next((x for x in found.labels if x.name.lower() == name.lower()), None)
    if one is None:
        return False
    found.labels.remove(one)
    found.updated_at = hooks.world.now()
    _note(found, actor, hooks, "removed the label", one.name)
    hooks.world.record(actor, "remove", "label", repo, found.number, one.name)
    more = {"label": label_shape(hooks.world, repo, one)}
    thread_event(hooks, repo, found, actor, "unlabeled", more)
    return True


def assign(hooks: Hooks, repo: Repo, found: Issue, actor: Actor, people: Sequence[Person]) -> None:
    """Make these the assignees, at most 10."""
    for gone in [p for p in found.assignees if p not in people]:
        found.assignees.remove(gone)
        hooks.world.record(actor, "remove", "assignee", repo, found.number, gone.login)
        more = {"assignee": user(hooks.world, gone)}
        thread_event(hooks, repo, found, actor, "unassigned", more)
    for new in [p for p in people if p not in found.assignees][:10]:
        found.assignees.append(new)
        hooks.world.record(actor, "add", "assignee", repo, found.number, new.login)
        _note(found, actor, hooks, "assigned", f"@{new.login}")
        more = {"assignee": user(hooks.world, new)}
        thread_event(hooks, repo, found, actor, "assigned", more)


# -- comments


def _comment_event(
    hooks: Hooks, repo: Repo, found: Comment, actor: Actor, action: str, more: Json
) -> None:
    parts = {
        "issue": issue_shape(hooks.world, repo, repo.issues[found.number]),
        "comment": comment_shape(hooks.world, repo, found),
    }
    hooks.emit("issue_comment", action, more | parts, repo=repo, sender=actor.user)


def add_comment(hooks: Hooks, repo: Repo, number: int, actor: Actor, body: str) -> Comment:
    world, now = hooks.world, hooks.world.now()
    found = Comment(
        id=world.next_id("comment"),
        number=number,
        user=actor.user,
        app=actor.app,
        body=body,
        created_at=now,
        updated_at=now,
        visible_from=world.faults.visible_from(),
    )
    repo.comments[found.id] = found
    repo.conversations.setdefault(number, {})[found.id] = found
    repo.issues[number].updated_at = now
    world.record(actor, "create", "issue_comment", repo, number, found.id, body)
    _comment_event(hooks, repo, found, actor, "created", {})
    return found


def edit_comment(hooks: Hooks, repo: Repo, found: Comment, actor: Actor, body: str) -> None:
    """The same body again changes nothing and tells nobody."""
    if body == found.body:
        return
    before, now = found.body, hooks.world.now()
    found.history.append(before)
    found.body, found.updated_at, found.edits = body, now, found.edits + 1
    repo.issues[found.number].updated_at = now
    hooks.world.record(actor, "edit", "issue_comment", repo, found.number, found.id, body)
    _comment_event(hooks, repo, found, actor, "edited", {"changes": {"body": {"from": before}}})


def delete_comment(hooks: Hooks, repo: Repo, found: Comment, actor: Actor) -> None:
    del repo.comments[found.id], repo.conversations[found.number][found.id]
    hooks.world.record(actor, "delete", "issue_comment", repo, found.number, found.id, found.body)
    _comment_event(hooks, repo, found, actor, "deleted", {})


# -- reactions (GitHub sends no webhook for them)

Reactable = Issue | Comment | ReviewComment


def react(
    hooks: Hooks, repo: Repo, on: Reactable, actor: Actor, content: str
) -> tuple[Reaction, bool]:
    """One of each kind per account: the second time, the first one is given back (False)."""
    for given in on.reactions:
        if given.user is actor.user and given.content == content:
            return given, False
    found = Reaction(
        id=hooks.world.next_id("reaction"),
        content=content,
        user=actor.user,
        created_at=hooks.world.now(),
    )
    on.reactions.append(found)
    hooks.world.record(actor, "add", "reaction", repo, on.number, found.id, content)
    return found, True


def unreact(hooks: Hooks, repo: Repo, on: Reactable, actor: Actor, reaction_id: int) -> bool:
    for given in on.reactions:
        if given.id == reaction_id:
            on.reactions.remove(given)
            hooks.world.record(
                actor, "remove", "reaction", repo, on.number, given.id, given.content
            )
            return True
    return False


def minimize(
    hooks: Hooks, repo: Repo, on: Comment | ReviewComment | Review, actor: Actor, reason: str | None
) -> None:
    """Fold a comment away, or (None) show it again; GitHub tells nobody."""
    on.minimized = None if reason is None else reason.lower()
    hooks.world.record(actor, "edit", "minimized", repo, on.number, on.id, reason or "")
