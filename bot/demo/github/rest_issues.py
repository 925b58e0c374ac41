"""REST: issues, their comments, labels and reactions (also those of pull requests)."""

from collections.abc import Callable, Iterable
from datetime import datetime

from . import changes_issues as changes
from . import shapes
from .model import REACTIONS, Comment, Issue, Json, ReviewComment
from .rest import Answer, Call, Need, Route, invalid, not_found, route
from .shapes_thread import comment as comment_shape
from .shapes_thread import issue as issue_shape

# Measured by two people, see https://github.com/dead-claudia/github-limits/pull/13: the limit
# is 262,144 bytes although the message names 65,536 characters.
BODY_BYTES = 262_144

ISSUES_READ: Need = (("issues", "read"), ("pull_requests", "read"))
ISSUES_WRITE: Need = (("issues", "write"), ("pull_requests", "write"))


def checked_body(call: Call, resource: str, *, required: bool = True) -> str | None:
    body = call.text("body", required=required, resource=resource)
    if required and not (body or "").strip():
        invalid(resource, "body", "missing_field")
    if body is not None and len(body.encode()) > BODY_BYTES:
        message = "body is too long (maximum is 65536 characters)"
        invalid(resource, "body", "custom", message)
    return body


# -- issues


def get_issue(call: Call) -> Answer:
    return Answer(body=issue_shape(call.world, call.repo, call.issue()))


def list_issues(call: Call) -> Answer:
    state, since = call.query.get("state", "open"), _since(call)
    labels = {n.lower() for n in call.query.get("labels", "").split(",") if n}
    found = [
        i
        for i in call.seen(call.repo.issues.values())
        if state in ("all", i.state)
        and labels <= {one.name.lower() for one in i.labels}
        and (since is None or i.updated_at >= since)
    ]
    by_update = call.query.get("sort") == "updated"
    found.sort(
        key=lambda i: i.updated_at if by_update else i.created_at,
        reverse=call.query.get("direction", "desc") == "desc",
    )
    return call.page([issue_shape(call.world, call.repo, i) for i in found])


def _since(call: Call) -> datetime | None:
    value = call.query.get("since")
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        invalid("Request", "since")


def create_issue(call: Call) -> Answer:
    title = call.text("title", required=True, resource="Issue") or ""
    if not title.strip():
        invalid("Issue", "title", "missing_field")
    people = [p for p in map(call.world.person, call.words("assignees")) if p is not None]
    made = changes.open_issue(
        call.hooks,
        call.repo,
        call.actor,
        title=title,
        body=checked_body(call, "Issue", required=False),
        labels=_label_names(call.body.get("labels") or []),
        assignees=people,
    )
    return Answer(status=201, body=issue_shape(call.world, call.repo, made))


def update_issue(call: Call) -> Answer:
    found, state = call.issue(), call.text("state")
    if state not in (None, "open", "closed"):
        invalid("Issue", "state")
    changes.edit_thread(
        call.hooks,
        call.repo,
        found,
        call.actor,
        title=call.text("title"),
        body=checked_body(call, "Issue", required=False),
        state=state,  # type: ignore[arg-type]
        state_reason=call.text("state_reason"),
    )
    if "labels" in call.body:
        _replace(call, found, _label_names(call.body["labels"] or []))
    if "assignees" in call.body:
        people = [p for p in map(call.world.person, call.words("assignees")) if p is not None]
        changes.assign(call.hooks, call.repo, found, call.actor, people)
    return get_issue(call)


# -- comments


def list_comments(call: Call) -> Answer:
    return _comments(call, call.repo.comments_on(call.issue().number))


def list_all_comments(call: Call) -> Answer:
    return _comments(call, call.repo.comments.values())


def _comments(call: Call, found: Iterable[Comment]) -> Answer:
    """Oldest first; `since` compares with the last update."""
    since = _since(call)
    found = [
        c for c in call.seen(found) if since is None or c.updated_at.replace(microsecond=0) >= since
    ]
    if call.query.get("sort") == "updated":
        found.sort(key=lambda c: c.updated_at)
    if call.query.get("direction") == "desc":
        found.reverse()
    return call.page([_comment(call, c) for c in found])


def _comment(call: Call, found: Comment) -> Json:
    body = comment_shape(call.world, call.repo, found)
    if found.minimized is not None:
        body["minimized"] = {"reason": found.minimized}
    return body


def create_comment(call: Call) -> Answer:
    issue, body = call.issue(), checked_body(call, "IssueComment")
    made = changes.add_comment(call.hooks, call.repo, issue.number, call.actor, body or "")
    return Answer(
        status=201,
        body=_comment(call, made),
        headers={"Location": shapes.repo_api(call.world, call.repo, f"/issues/comments/{made.id}")},
    )


def the_comment(call: Call) -> Comment:
    return call.repo.comments.get(call.number("comment_id")) or not_found()


def get_comment(call: Call) -> Answer:
    return Answer(body=_comment(call, the_comment(call)))


def update_comment(call: Call) -> Answer:
    found, body = the_comment(call), checked_body(call, "IssueComment")
    changes.edit_comment(call.hooks, call.repo, found, call.actor, body or "")
    return Answer(body=_comment(call, found))


def delete_comment(call: Call) -> Answer:
    changes.delete_comment(call.hooks, call.repo, the_comment(call), call.actor)
    return Answer(status=204)


# -- labels


def _label_names(given: object) -> list[str]:
    """Names, or objects with a name."""
    if not isinstance(given, list):
        invalid("Label", "labels")
    names = [one.get("name") if isinstance(one, dict) else one for one in given]
    if not all(names):
        invalid("Label", "name", "missing_field")
    return [str(name) for name in names]


def repo_labels(call: Call) -> Answer:
    all_ = call.repo.labels.values()
    return call.page([shapes.label(call.world, call.repo, one) for one in all_])


def repo_label(call: Call) -> Answer:
    found = call.repo.labels.get(call.params["name"].lower())
    return Answer(body=shapes.label(call.world, call.repo, found or not_found()))


def create_label(call: Call) -> Answer:
    name = call.text("name", required=True, resource="Label") or ""
    if name.lower() in call.repo.labels:
        invalid("Label", "name", "already_exists")
    made = changes.repo_label(call.hooks, call.repo, name, call.text("color") or "ededed")
    made.description = call.text("description")
    call.world.record(call.actor, "create", "label", call.repo, None, made.id, name)
    return Answer(status=201, body=shapes.label(call.world, call.repo, made))


def issue_labels(call: Call) -> Answer:
    return call.page([shapes.label(call.world, call.repo, one) for one in call.issue().labels])


def add_labels(call: Call) -> Answer:
    changes.add_labels(
        call.hooks, call.repo, call.issue(), call.actor, _label_names(call.body.get("labels"))
    )
    return issue_labels(call)


def set_labels(call: Call) -> Answer:
    _replace(call, call.issue(), _label_names(call.body.get("labels") or []))
    return issue_labels(call)


def _replace(call: Call, found: Issue, names: list[str]) -> None:
    keep = {n.lower() for n in names}
    for gone in [one.name for one in found.labels if one.name.lower() not in keep]:
        changes.remove_label(call.hooks, call.repo, found, call.actor, gone)
    changes.add_labels(call.hooks, call.repo, found, call.actor, names)


def remove_label(call: Call) -> Answer:
    found = call.issue()
    if not changes.remove_label(call.hooks, call.repo, found, call.actor, call.params["name"]):
        not_found()
    return issue_labels(call)


# -- reactions

Target = Callable[[Call], Issue | Comment | ReviewComment]


def the_review_comment(call: Call) -> ReviewComment:
    return call.repo.review_comments.get(call.number("comment_id")) or not_found()


def _the_issue(call: Call) -> Issue:
    return call.issue()


def _reaction_routes(template: str, target: Target, what: str) -> tuple[Route, ...]:
    """List, create (200 when it was there already) and delete."""

    def list_(call: Call) -> Answer:
        wanted = call.query.get("content")
        given = [r for r in target(call).reactions if wanted in (None, r.content)]
        return call.page([shapes.reaction(call.world, r) for r in given])

    def create(call: Call) -> Answer:
        content = call.text("content", required=True, resource="Reaction") or ""
        if content not in REACTIONS:
            invalid("Reaction", "content")
        made, new = changes.react(call.hooks, call.repo, target(call), call.actor, content)
        return Answer(status=201 if new else 200, body=shapes.reaction(call.world, made))

    def delete(call: Call) -> Answer:
        number = call.number("reaction_id")
        if not changes.unreact(call.hooks, call.repo, target(call), call.actor, number):
            not_found()
        return Answer(status=204)

    read, write = (ISSUES_READ, ISSUES_WRITE)
    if what == "pull_requests":
        read, write = (("pull_requests", "read"),), (("pull_requests", "write"),)
    return (
        route("GET", template, list_, *read),
        route("POST", template, create, *write),
        route("DELETE", template + "/{reaction_id}", delete, *write),
    )


REPO = "/repos/{owner}/{repo}"
ROUTES = (
    route("GET", REPO + "/issues", list_issues, *ISSUES_READ),
    route("POST", REPO + "/issues", create_issue, ("issues", "write")),
    route("GET", REPO + "/issues/comments", list_all_comments, *ISSUES_READ),
    route("GET", REPO + "/issues/comments/{comment_id}", get_comment, *ISSUES_READ),
    route("PATCH", REPO + "/issues/comments/{comment_id}", update_comment, *ISSUES_WRITE),
    route("DELETE", REPO + "/issues/comments/{comment_id}", delete_comment, *ISSUES_WRITE),
    *_reaction_routes(REPO + "/issues/comments/{comment_id}/reactions", the_comment, "issues"),
    *_reaction_routes(
        REPO + "/pulls/comments/{comment_id}/reactions", the_review_comment, "pull_requests"
    ),
    *_reaction_routes(REPO + "/issues/{issue_number}/reactions", _the_issue, "issues"),
    route("GET", REPO + "/issues/{issue_number}", get_issue, *ISSUES_READ),
    route("PATCH", REPO + "/issues/{issue_number}", update_issue, *ISSUES_WRITE),
    route("GET", REPO + "/issues/{issue_number}/comments", list_comments, *ISSUES_READ),
    route("POST", REPO + "/issues/{issue_number}/comments", create_comment, *ISSUES_WRITE),
    route("GET", REPO + "/issues/{issue_number}/labels", issue_labels, *ISSUES_READ),
    route("POST", REPO + "/issues/{issue_number}/labels", add_labels, *ISSUES_WRITE),
    route("PUT", REPO + "/issues/{issue_number}/labels", set_labels, *ISSUES_WRITE),
    route("DELETE", REPO + "/issues/{issue_number}/labels/{name}", remove_label, *ISSUES_WRITE),
    route("GET", REPO + "/labels", repo_labels, *ISSUES_READ),
    route("POST", REPO + "/labels", create_label, *ISSUES_WRITE),
    route("GET", REPO + "/labels/{name}", repo_label, *ISSUES_READ),
)
