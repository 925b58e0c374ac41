"""The JSON of commits and changed files, read from git."""

import hashlib

from .accounts import Person
from .gitstore import Commit, FileChange, Signature
from .model import Json, Repo
from .shapes import node_id, repo_api, user, web
from .world import World, stamp


def object_node(prefix: str, sha: str) -> str:
    return node_id(prefix, int(hashlib.sha256(sha.encode()).hexdigest()[:11], 16))


def git_commit(world: World, repo: Repo, commit: Commit) -> Json:
    """The part that git knows."""

    def who(one: Signature) -> Json:
        return {"name": one.name, "email": one.email, "date": stamp(one.when)}

    return {
        "author": who(commit.author),
        "committer": who(commit.committer),
        "message": commit.message.rstrip("\n"),
        "tree": {
            "sha": commit.tree,
            "url": repo_api(world, repo, f"/git/trees/{commit.tree}"),
        },
        "url": repo_api(world, repo, f"/git/commits/{commit.sha}"),
        "comment_count": 0,
        "verification": {
            "verified": False,
            "reason": "unsigned",
            "signature": None,
            "payload": None,
            "verified_at": None,
        },
    }


def commit_shape(world: World, repo: Repo, commit: Commit) -> Json:
    def account(person: Person | None) -> Json | None:
        return None if person is None else user(world, person)

    url = repo_api(world, repo, f"/commits/{commit.sha}")
    return {
        "sha": commit.sha,
        "node_id": object_node("C", commit.sha),
        "commit": git_commit(world, repo, commit),
        "url": url,
        "html_url": web(world, repo, f"/commit/{commit.sha}"),
        "comments_url": f"{url}/comments",
        "author": account(world.person_by_email(commit.author.email)),
        "committer": account(world.person_by_email(commit.committer.email)),
        "parents": [parent(world, repo, p) for p in commit.parents],
    }


def parent(world: World, repo: Repo, sha: str) -> Json:
    return {
        "sha": sha,
        "url": repo_api(world, repo, f"/commits/{sha}"),
        "html_url": web(world, repo, f"/commit/{sha}"),
    }


def file_shape(world: World, repo: Repo, sha: str, change: FileChange) -> Json:
    path = change.filename
    body: Json = {
        "sha": change.blob,
        "filename": path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": web(world, repo, f"/blob/{sha}/{path}"),
        "raw_url": web(world, repo, f"/raw/{sha}/{path}"),
        "contents_url": repo_api(world, repo, f"/contents/{path}?ref={sha}"),
    }
    if change.patch:
        body["patch"] = change.patch
    if change.previous is not None:
        body["previous_filename"] = change.previous
    return body


def git_commit_object(world: World, repo: Repo, commit: Commit) -> Json:
    """A commit as the git database API gives it, without what GitHub knows besides."""
    body = git_commit(world, repo, commit)
    body.pop("comment_count")
    return body | {
        "sha": commit.sha,
        "node_id": object_node("C", commit.sha),
        "html_url": web(world, repo, f"/commit/{commit.sha}"),
        "parents": [parent(world, repo, p) for p in commit.parents],
    }
