"""REST: refs, commits, trees, files, and comparing, read from the bare repository."""

import base64

from . import changes_git as changes
from .gitstore import ZERO, Commit
from .model import Json
from .rest import Answer, ApiError, Call, not_found, route
from .shapes import repo_api, web
from .shapes_git import commit_shape, file_shape, git_commit_object, object_node

READ = ("contents", "read")
WRITE = ("contents", "write")


def _the_commit(call: Call, name: str) -> Commit:
    sha = call.repo.git.resolve(name)
    if sha is None or call.repo.git.kind(sha) != "commit":
        # https://docs.github.com/rest/commits/commits#get-a-commit
        raise ApiError(422, f"No commit found for SHA: {name}")
    return call.repo.git.commit(sha)


def get_commit(call: Call) -> Answer:
    commit, git = _the_commit(call, call.params["ref"]), call.repo.git
    parent = commit.parents[0] if commit.parents else None
    if call.wants("diff") or call.wants("patch"):
        raw = git.diff_text(parent, commit.sha).encode()
        return Answer(raw=raw, content_type="application/vnd.github.diff; charset=utf-8")
    if call.wants("sha"):
        content = "application/vnd.github.sha; charset=utf-8"
        return Answer(raw=commit.sha.encode(), content_type=content)
    changed = git.changes(parent, commit.sha)
    added, gone = sum(c.additions for c in changed), sum(c.deletions for c in changed)
    body = commit_shape(call.world, call.repo, commit) | {
        "stats": {"additions": added, "deletions": gone, "total": added + gone},
        "files": [file_shape(call.world, call.repo, commit.sha, c) for c in changed],
    }
    return Answer(body=body)


def list_commits(call: Call) -> Answer:
    tip = _tip(call, call.query.get("sha", call.repo.default_branch))
    return call.page(
        [commit_shape(call.world, call.repo, c) for c in call.repo.git.log(tip, limit=1_000)]
    )


def _tip(call: Call, name: str) -> str:
    return call.repo.git.resolve(name) or not_found()


def compare(call: Call) -> Answer:
    base_name, dots, head_name = call.params["basehead"].partition("...")
    if not dots:
        not_found()
    git = call.repo.git
    base = _tip(call, base_name.rpartition(":")[2])
    head = _tip(call, head_name.rpartition(":")[2])
    common = git.merge_base(base, head)
    if common is None:
        raise ApiError(404, f"No common ancestor between {base_name} and {head_name}.")
    if call.wants("diff"):
        raw = git.diff_text(common, head).encode()
        return Answer(raw=raw, content_type="application/vnd.github.diff; charset=utf-8")
    ahead, behind = git.ahead_behind(head, base)
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
    commits = git.log(head, without=base)[::-1]
    page = web(call.world, call.repo, f"/compare/{base_name}...{head_name}")
    body = {
        "url": repo_api(call.world, call.repo, f"/compare/{base_name}...{head_name}"),
        "html_url": page,
        "permalink_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": commit_shape(call.world, call.repo, git.commit(base)),
        "merge_base_commit": commit_shape(call.world, call.repo, git.commit(common)),
        "status": status.get((ahead > 0, behind > 0), "diverged"),
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": [commit_shape(call.world, call.repo, c) for c in commits],
        "files": [file_shape(call.world, call.repo, head, c) for c in git.changes(common, head)],
    }
    return Answer(body=body)


# -- branches and refs


def get_branch(call: Call) -> Answer:
    name = call.params["branch"]
    sha = call.repo.git.head(name)
    if sha is None:
        raise ApiError(404, "Branch not found")
    url = repo_api(call.world, call.repo, f"/branches/{name}")
    protected = f"refs/heads/{name}" in call.repo.protected
    body = {
        "name": name,
        "commit": commit_shape(call.world, call.repo, call.repo.git.commit(sha)),
        "_links": {"self": url, "html": web(call.world, call.repo, f"/tree/{name}")},
        "protected": protected,
        "protection": {"enabled": protected},
        "protection_url": f"{url}/protection",
    }
    return Answer(body=body)


def list_branches(call: Call) -> Answer:
    found = call.repo.git.refs("refs/heads/")
    return call.page(
        [
            {
                "name": ref.removeprefix("refs/heads/"),
                "commit": {
                    "sha": sha,
                    "url": repo_api(call.world, call.repo, f"/commits/{sha}"),
                },
                "protected": ref in call.repo.protected,
            }
            for ref, sha in found.items()
        ]
    )


def _ref_shape(call: Call, ref: str, sha: str) -> Json:
    kind = call.repo.git.kind(sha) or "commit"
    return {
        "ref": ref,
        "node_id": object_node("REF", ref),
        "url": repo_api(call.world, call.repo, f"/git/{ref}"),
        "object": {
            "sha": sha,
            "type": kind,
            "url": repo_api(call.world, call.repo, f"/git/{kind}s/{sha}"),
        },
    }


def get_ref(call: Call) -> Answer:
    ref = f"refs/{call.params['ref']}"
    sha = call.repo.git.ref(ref)
    return Answer(body=_ref_shape(call, ref, sha)) if sha else not_found()


def matching_refs(call: Call) -> Answer:
    found = call.repo.git.refs(f"refs/{call.params['ref']}")
    return Answer(body=[_ref_shape(call, ref, sha) for ref, sha in found.items()])


def _target(call: Call) -> str:
    sha = call.text("sha", required=True, resource="Reference") or ""
    if call.repo.git.kind(sha) is None:
        raise ApiError(422, "Object does not exist")
    return sha


def create_ref(call: Call) -> Answer:
    ref, sha = call.text("ref", required=True, resource="Reference") or "", _target(call)
    if not ref.startswith("refs/") or ref.count("/") < 2:
        raise ApiError(422, "Reference name must start with 'refs/' and have two slashes.")
    if call.repo.git.ref(ref) is not None:
        raise ApiError(422, "Reference already exists")
    try:
        call.repo.git.set_ref(ref, sha)
    except ValueError:
        raise ApiError(422, "Reference name is not valid") from None
    _moved(call, ref, ZERO, sha)
    return Answer(status=201, body=_ref_shape(call, ref, sha))


def update_ref(call: Call) -> Answer:
    """Without `force` only forward, which is not a comparison with a named old value."""
    ref, sha, git = f"refs/{call.params['ref']}", _target(call), call.repo.git
    before = git.ref(ref)
    if before is None:
        raise ApiError(422, "Reference does not exist")
    forced = bool(call.body.get("force"))
    if not git.is_ancestor(before, sha) and (not forced or ref in call.repo.protected):
        raise ApiError(422, "Update is not a fast forward")
    git.set_ref(ref, sha)
    _moved(call, ref, before, sha)
    return Answer(body=_ref_shape(call, ref, sha))


def delete_ref(call: Call) -> Answer:
    ref = f"refs/{call.params['ref']}"
    before = call.repo.git.ref(ref)
    if before is None:
        raise ApiError(422, "Reference does not exist")
    if ref in call.repo.protected or ref == f"refs/heads/{call.repo.default_branch}":
        raise ApiError(422, "Cannot delete protected branch")
    call.repo.git.delete_ref(ref)
    _moved(call, ref, before, ZERO)
    return Answer(status=204)


def _moved(call: Call, ref: str, before: str, after: str) -> None:
    update = changes.RefUpdate(ref=ref, before=before, after=after)
    changes.after_push(call.hooks, call.repo, call.actor, [update])


# -- the objects themselves


def git_commit(call: Call) -> Answer:
    sha = call.params["commit_sha"]
    if call.repo.git.kind(sha) != "commit":
        not_found()
    commit = call.repo.git.commit(sha)
    return Answer(body=git_commit_object(call.world, call.repo, commit))


def git_blob(call: Call) -> Answer:
    sha = call.params["file_sha"]
    raw = call.repo.git.blob(sha) if call.repo.git.kind(sha) == "blob" else not_found()
    assert raw is not None
    if call.wants("raw"):
        return Answer(raw=raw, content_type="application/vnd.github.raw; charset=utf-8")
    body = {
        "sha": sha,
        "node_id": object_node("B", sha),
        "size": len(raw),
        "url": repo_api(call.world, call.repo, f"/git/blobs/{sha}"),
        "content": base64.encodebytes(raw).decode(),
        "encoding": "base64",
    }
    return Answer(body=body)


def git_tree(call: Call) -> Answer:
    git, name = call.repo.git, call.params["tree_sha"]
    sha = git.resolve(name) or (name if git.kind(name) in ("tree", "commit") else not_found())
    entries = git.walk_tree(sha, recursive=bool(call.query.get("recursive")))
    kinds = {"tree": "trees", "blob": "blobs", "commit": "commits"}
    body = {
        "sha": sha,
        "url": repo_api(call.world, call.repo, f"/git/trees/{sha}"),
        "truncated": False,
        "tree": [
            {
                "path": path,
                "mode": f"{mode:06o}",
                "type": kind,
                "sha": one,
                "url": repo_api(call.world, call.repo, f"/git/{kinds[kind]}/{one}"),
            }
            | ({"size": size} if kind == "blob" else {})
            for path, mode, kind, one, size in entries
        ],
    }
    return Answer(body=body)


REPO = "/repos/{owner}/{repo}"
ROUTES = (
    route("GET", REPO + "/commits", list_commits, READ),
    route("GET", REPO + "/commits/{ref}", get_commit, READ),
    route("GET", REPO + "/compare/{basehead}", compare, READ),
    route("GET", REPO + "/branches", list_branches, READ),
    route("GET", REPO + "/branches/{branch}", get_branch, READ),
    route("GET", REPO + "/git/ref/{ref}", get_ref, READ),
    route("GET", REPO + "/git/matching-refs/{ref}", matching_refs, READ),
    route("POST", REPO + "/git/refs", create_ref, WRITE),
    route("PATCH", REPO + "/git/refs/{ref}", update_ref, WRITE),
    route("DELETE", REPO + "/git/refs/{ref}", delete_ref, WRITE),
    route("GET", REPO + "/git/commits/{commit_sha}", git_commit, READ),
    route("GET", REPO + "/git/blobs/{file_sha}", git_blob, READ),
    route("GET", REPO + "/git/trees/{tree_sha}", git_tree, READ),
)
