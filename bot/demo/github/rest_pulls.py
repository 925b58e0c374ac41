"""REST: pull requests, their files, commits, and merging."""

from . import changes_pulls as changes
from .changes_issues import edit_thread
from .model import Pull, Repo
from .rest import Answer, ApiError, Call, Need, invalid, route
from .shapes import repo_api, user
from .shapes_git import commit_shape, file_shape
from .shapes_thread import pull as pull_shape
from .shapes_thread import pull_simple

# PR bodies are limited in characters, issue bodies in bytes:
# https://github.com/dead-claudia/github-limits/pull/13
BODY_CHARACTERS = 65_536

READ: Need = (("pull_requests", "read"),)
WRITE: Need = (("pull_requests", "write"),)


def list_pulls(call: Call) -> Answer:
    state, head = call.query.get("state", "open"), call.query.get("head")
    base = call.query.get("base")
    found = [
        p
        for p in call.seen(call.repo.issues.values())
        if isinstance(p, Pull)
        and state in ("all", p.state)
        and base in (None, p.base)
        and (head is None or head.lower() == f"{p.head_repo.owner.login}:{p.head}".lower())
    ]
    by_update = call.query.get("sort") == "updated"
    found.sort(
        key=lambda p: (p.updated_at if by_update else p.created_at, p.number),
        reverse=call.query.get("direction", "asc" if "sort" in call.query else "desc") == "desc",
    )
    return call.page([pull_simple(call.world, call.repo, p) for p in found])


def _body(call: Call) -> str | None:
    body = call.text("body")
    if body is not None and len(body) > BODY_CHARACTERS:
        message = "body is too long (maximum is 65536 characters)"
        invalid("PullRequest", "body", "custom", message)
    return body


def create_pull(call: Call) -> Answer:
    head = call.text("head", required=True, resource="PullRequest") or ""
    base = call.text("base", required=True, resource="PullRequest") or ""
    title = call.text("title", required=True, resource="PullRequest") or ""
    source: Repo | None = call.repo
    owner, colon, branch = head.partition(":")
    if colon:
        name = call.text("head_repo") or call.repo.name
        source = call.world.repository(f"{owner}/{name}")
        head = branch
    if source is None:
        invalid("PullRequest", "head")
    try:
        made = changes.open_pull(
            call.hooks,
            call.repo,
            call.actor,
            title=title,
            body=_body(call),
            head=head,
            base=base.removeprefix("refs/heads/"),
            draft=bool(call.body.get("draft")),
            head_repo=source,
        )
    except changes.Refused as refusal:
        reason = str(refusal)
        if reason.endswith(":invalid"):
            invalid("PullRequest", reason.removesuffix(":invalid"))
        error = {"resource": "PullRequest", "code": "custom", "message": reason}
        raise ApiError(422, "Validation Failed", [error]) from refusal
    url = repo_api(call.world, call.repo, f"/pulls/{made.number}")
    body = pull_shape(call.world, call.repo, made)
    return Answer(status=201, body=body, headers={"Location": url})


def get_pull(call: Call) -> Answer:
    found, git = call.pull(), call.repo.git
    if call.wants("diff") or call.wants("patch"):
        base = git.merge_base(found.base_sha, found.head_sha)
        raw = git.diff_text(base, found.head_sha).encode()
        kind = "diff" if call.wants("diff") else "patch"
        return Answer(raw=raw, content_type=f"application/vnd.github.{kind}; charset=utf-8")
    return Answer(body=pull_shape(call.world, call.repo, found))


def update_pull(call: Call) -> Answer:
    found, state, base = call.pull(), call.text("state"), call.text("base")
    if state not in (None, "open", "closed"):
        invalid("PullRequest", "state")
    if base is not None and base != found.base:
        sha = call.repo.git.head(base)
        if sha is None:
            invalid("PullRequest", "base")
        found.base, found.base_sha = base, sha
    if state == "open" and found.merged_at is not None:
        invalid("PullRequest", "state", "invalid", "state cannot be changed. Already merged.")
    edit_thread(
        call.hooks,
        call.repo,
        found,
        call.actor,
        title=call.text("title"),
        body=_body(call),
        state=state,  # type: ignore[arg-type]
    )
    return Answer(body=pull_shape(call.world, call.repo, found))


def pull_files(call: Call) -> Answer:
    found = call.pull()
    changed = changes.pull_changes(call.repo, found)
    return call.page([file_shape(call.world, call.repo, found.head_sha, c) for c in changed])


def pull_commits(call: Call) -> Answer:
    """Oldest first, at most 250."""
    found = call.pull()
    commits = call.repo.git.log(found.head_sha, without=found.base_sha)[::-1]
    return call.page([commit_shape(call.world, call.repo, c) for c in commits])


def merge(call: Call) -> Answer:
    found, expected = call.pull(), call.text("sha")
    if found.merged_at is not None or found.state == "closed" or found.draft:
        raise ApiError(405, "Pull Request is not mergeable")
    if expected is not None and expected != found.head_sha:
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    try:
        sha = changes.merge(call.hooks, call.repo, found, call.actor)
    except changes.Refused as refusal:
        raise ApiError(405, str(refusal)) from refusal
    return Answer(body={"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def requested_reviewers(call: Call) -> Answer:
    people = [user(call.world, p) for p in call.pull().requested_reviewers]
    return Answer(body={"users": people, "teams": []})


REPO = "/repos/{owner}/{repo}"
ONE = REPO + "/pulls/{pull_number}"
ROUTES = (
    route("GET", REPO + "/pulls", list_pulls, *READ),
    route("POST", REPO + "/pulls", create_pull, *WRITE),
    route("GET", ONE, get_pull, *READ),
    route("PATCH", ONE, update_pull, *WRITE),
    route("GET", ONE + "/files", pull_files, *READ),
    route("GET", ONE + "/commits", pull_commits, *READ),
    route("PUT", ONE + "/merge", merge, ("contents", "write")),
    route("GET", ONE + "/requested_reviewers", requested_reviewers, *READ),
)
