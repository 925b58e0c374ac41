"""REST: repositories, files, people and their permission, and what is about the service."""

import base64

import pygit2

from . import shapes
from .accounts import Person
from .changes_git import RefUpdate, after_push
from .gitstore import ZERO, Signature
from .model import Json, Repo
from .rest import Answer, ApiError, Call, check_repository, not_found, route
from .rest_git import READ, WRITE
from .shapes_git import git_commit_object
from .world import stamp

# The contents API carries files up to 1 MB inline, raw ones up to 100 MB.
INLINE = 1_000_000


def repository_shape(call: Call, repo: Repo) -> Json:
    body = {
        **shapes.repository(call.world, repo),
        "network_count": 0,
        "subscribers_count": 0,
        "allow_squash_merge": True,
        "allow_merge_commit": True,
        "allow_rebase_merge": True,
        "allow_auto_merge": False,
        "delete_branch_on_merge": False,
    }
    if call.token is not None and call.token.installation is None:
        body["permissions"] = repo.grant_of(call.token.user).capabilities
    return body


def get_repository(call: Call) -> Answer:
    return Answer(body=repository_shape(call, call.repo))


def repository_by_id(call: Call) -> Answer:
    found = call.world.repository_by_id(call.number("repository_id"))
    repo = check_repository(call.token, found, (("metadata", "read"),))
    return Answer(body=repository_shape(call, repo))


def permission(call: Call) -> Answer:
    """`permission` folds roles; `role_name` is the true one; `user` carries the numeric id.

    https://docs.github.com/rest/collaborators/collaborators#get-repository-permissions-for-a-user
    """
    person = call.world.person(call.params["username"])
    if person is None:
        raise ApiError(404, f"{call.params['username']} is not a user")
    grant = call.repo.grant_of(person)
    account = {
        **shapes.user(call.world, person),
        "permissions": grant.capabilities,
        "role_name": grant.role_name,
    }
    body = {"permission": grant.permission, "role_name": grant.role_name, "user": account}
    return Answer(body=body)


def collaborators(call: Call) -> Answer:
    found = [call.world.person_by_id(i) for i in call.repo.grants]
    people = [call.repo.owner, *[p for p in found if p is not None]]
    return call.page([_collaborator(call, p) for p in people])


def _collaborator(call: Call, person: Person) -> Json:
    grant = call.repo.grant_of(person)
    return {
        **shapes.user(call.world, person),
        "permissions": grant.capabilities,
        "role_name": grant.role_name,
    }


def is_collaborator(call: Call) -> Answer:
    person = call.world.person(call.params["username"])
    known = person is call.repo.owner or (person is not None and person.id in call.repo.grants)
    return Answer(status=204) if known else not_found()


def branch_rules(call: Call) -> Answer:
    """No rulesets here; the branch need not exist."""
    return Answer(body=[])


def languages(call: Call) -> Answer:
    return Answer(body={})


# -- files


def _at(call: Call) -> str:
    name = call.query.get("ref") or call.repo.default_branch
    sha = call.repo.git.resolve(name)
    if sha is None:
        raise ApiError(404, f"No commit found for the ref {name}")
    return sha


def contents(call: Call) -> Answer:
    path = call.params.get("path", "").strip("/")
    found = call.repo.git.entry(_at(call), path)
    if found is None:
        not_found()
    if isinstance(found, pygit2.Tree):
        prefix = f"{path}/" if path else ""
        return Answer(body=[_entry(call, prefix + str(i.name), i) for i in found])
    raw = bytes(found.data)
    if call.wants("raw"):
        return Answer(raw=raw, content_type="application/vnd.github.raw; charset=utf-8")
    inline = len(raw) <= INLINE
    body = _entry(call, path, found) | {
        "encoding": "base64" if inline else "none",
        "content": base64.encodebytes(raw).decode() if inline else "",
    }
    return Answer(body=body)


def _entry(call: Call, path: str, found: pygit2.Object) -> Json:
    ref = call.query.get("ref") or call.repo.default_branch
    tree = isinstance(found, pygit2.Tree)
    url = shapes.repo_api(call.world, call.repo, f"/contents/{path}?ref={ref}")
    git_url = f"/git/{'trees' if tree else 'blobs'}/{found.id}"
    page = shapes.web(call.world, call.repo, f"/{'tree' if tree else 'blob'}/{ref}/{path}")
    links = {
        "self": url,
        "git": shapes.repo_api(call.world, call.repo, git_url),
        "html": page,
    }
    return {
        "type": "dir" if tree else "file",
        "size": 0 if tree else len(bytes(found.data)) if isinstance(found, pygit2.Blob) else 0,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": str(found.id),
        "url": url,
        "git_url": links["git"],
        "html_url": page,
        "download_url": None if tree else shapes.web(call.world, call.repo, f"/raw/{ref}/{path}"),
        "_links": links,
    }


def put_contents(call: Call) -> Answer:
    """Create or replace one file as one commit on a branch."""
    path, git = call.params["path"], call.repo.git
    message = call.text("message", required=True, resource="Commit") or ""
    try:
        raw = base64.b64decode(call.text("content", required=True) or "", validate=True)
    except ValueError:
        raise ApiError(422, "content is not valid Base64") from None
    branch = call.text("branch") or call.repo.default_branch
    before = git.head(branch)
    if before is None:
        raise ApiError(404, f"Branch {branch} not found")
    old = git.entry(before, path)
    if old is not None and str(old.id) != call.text("sha"):
        raise ApiError(409, f"{path} does not match {call.text('sha')}")
    if path.startswith(".github/workflows/") and not _may_change_workflows(call):
        raise ApiError(403, "Resource not accessible by integration")
    user = call.actor.user
    author = Signature(name=user.name, email=user.email, when=call.world.now())
    made = git.commit_files(branch, {path: raw}, message, author, before)
    update = RefUpdate(ref=f"refs/heads/{branch}", before=before or ZERO, after=made)
    after_push(call.hooks, call.repo, call.actor, [update])
    found = git.entry(made, path)
    assert found is not None
    commit = git_commit_object(call.world, call.repo, git.commit(made))
    body = {"content": _entry(call, path, found), "commit": commit}
    return Answer(status=201 if old is None else 200, body=body)


def _may_change_workflows(call: Call) -> bool:
    token = call.token
    if token is None or token.installation is None:
        return True
    return token.permissions.get("workflows") == "write"


# -- people and the service


def get_user(call: Call) -> Answer:
    person = call.world.person(call.params["username"])
    return Answer(body=_public(call, person or not_found()))


def user_by_id(call: Call) -> Answer:
    person = call.world.person_by_id(call.number("account_id"))
    return Answer(body=_public(call, person or not_found()))


def me(call: Call) -> Answer:
    if call.token is None:
        raise ApiError(401, "Requires authentication")
    if call.token.installation is not None:
        raise ApiError(403, "Resource not accessible by integration")
    return Answer(body=_public(call, call.token.user))


def _public(call: Call, person: Person) -> Json:
    return {
        **shapes.user(call.world, person),
        "name": person.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "public_repos": sum(1 for r in call.world.repositories.values() if r.owner is person),
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": stamp(person.created_at),
        "updated_at": stamp(person.created_at),
    }


def rate_limit(call: Call) -> Answer:
    one = rate(call)
    graphql = {**one, "limit": 5_000}
    resources = {"core": one, "graphql": graphql, "search": {**one, "limit": 30, "remaining": 30}}
    return Answer(body={"resources": resources, "rate": one})


def rate(call: Call) -> Json:
    """Nobody runs out here unless a fault says so; see `faults.py`."""
    reset = int(call.world.now().timestamp()) + 3_600
    return {"limit": 5_000, "remaining": 4_999, "reset": reset, "used": 1}


def meta(call: Call) -> Answer:
    # GitHub Enterprise Server adds its version here:
    # https://docs.github.com/enterprise-server/rest/meta/meta
    body = {"verifiable_password_authentication": False, "hooks": ["127.0.0.0/8"]}
    return Answer(body={**body, "installed_version": "3.20.0"})


METADATA = ("metadata", "read")
REPO = "/repos/{owner}/{repo}"
ROUTES = (
    route("GET", REPO, get_repository, METADATA),
    route("GET", "/repositories/{repository_id}", repository_by_id, door="anyone"),
    route("GET", REPO + "/collaborators", collaborators, METADATA),
    route("GET", REPO + "/collaborators/{username}", is_collaborator, METADATA),
    route("GET", REPO + "/collaborators/{username}/permission", permission, METADATA),
    route("GET", REPO + "/rules/branches/{branch}", branch_rules, METADATA),
    route("GET", REPO + "/languages", languages, METADATA),
    route("GET", REPO + "/contents", contents, READ),
    route("GET", REPO + "/contents/{path}", contents, READ),
    route("PUT", REPO + "/contents/{path}", put_contents, WRITE),
    route("GET", "/users/{username}", get_user, door="anyone"),
    route("GET", "/user/{account_id}", user_by_id, door="anyone"),
    route("GET", "/user", me, door="token"),
    route("GET", "/rate_limit", rate_limit, door="anyone"),
    route("GET", "/meta", meta, door="anyone"),
)
