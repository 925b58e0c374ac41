"""Real git against the embedded GitHub: clone, push, refusals, and what a push causes."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

ENV = {
    "PATH": "/usr/bin:/bin:/usr/local/bin",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Mona Lisa",
    "GIT_AUTHOR_EMAIL": "1005+octocat@users.noreply.github.com",
    "GIT_COMMITTER_NAME": "openinspect[bot]",
    "GIT_COMMITTER_EMAIL": "bot@example.invalid",
}


class Git:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __call__(self, *args: str, ok: bool = True) -> str:
        process = await asyncio.create_subprocess_exec(
            "git",
            *args,
            cwd=self.folder,
            env=ENV,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        text = out.decode()
        assert (process.returncode == 0) is ok, text
        return text


@pytest.fixture
async def git(stage: Any, tmp_path: Path) -> Git:
    """A clone with write access."""
    await Git(tmp_path)("clone", "-q", _url(stage, stage.client.token), "work")
    return Git(tmp_path / "work")


def _url(stage: Any, token: str) -> str:
    return str(stage.gh.url.replace("//", f"//x-access-token:{token}@") + "/acme/app.git")


async def _commit(git: Git, path: str, text: str, message: str) -> None:
    target = git.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    await git("add", path)
    await git("commit", "-q", "-m", message)


async def test_a_push_moves_the_branch_and_tells_the_app(stage: Any, git: Git) -> None:
    await git("checkout", "-q", "-b", "fix/retry")
    await _commit(git, "src/retry.py", "fixed\n", "Fix the retry")
    await git("push", "-q", "origin", "fix/retry")
    head = stage.gh.commits(stage.repo, "fix/retry")[0]
    assert head.title == "Fix the retry"
    assert head.author.email == "1005+octocat@users.noreply.github.com"
    await stage.gh.deliver_pending()
    assert stage.inbox.events == ["push"]
    payload = json.loads(stage.inbox.got[0][1])
    assert payload["ref"] == "refs/heads/fix/retry" and payload["created"] is True
    assert payload["after"] == head.sha and payload["sender"]["login"] == "openinspect[bot]"
    assert [c["modified"] for c in payload["commits"]] == [["src/retry.py"]]
    assert [(e.action, e.kind, e.app) for e in stage.gh.ledger] == [
        ("push", "refs/heads/fix/retry", "openinspect")
    ]


async def test_a_pull_request_follows_its_branch(stage: Any, git: Git) -> None:
    await git("checkout", "-q", "-b", "fix")
    await _commit(git, "a.txt", "1\n", "One")
    await git("push", "-q", "origin", "fix")
    asked = {"title": "Fix", "head": "fix", "base": "main", "body": "why", "draft": True}
    made = await stage.client("POST", "/repos/acme/app/pulls", asked)
    assert made.status == 201 and made.body["commits"] == 1 and made.body["additions"] == 1
    twice = await stage.client("POST", "/repos/acme/app/pulls", asked)
    assert twice.status == 422
    assert twice.body["errors"][0]["message"] == "A pull request already exists for acme:fix."
    await _commit(git, "a.txt", "2\n", "Two")
    await git("push", "-q", "origin", "fix")
    now = await stage.client("GET", "/repos/acme/app/pulls/1")
    assert now.body["commits"] == 2 and now.body["head"]["sha"] != made.body["head"]["sha"]
    await stage.gh.deliver_pending()
    seen = [json.loads(body) for _, body in stage.inbox.got]
    assert [p.get("action", "push") for p in seen] == ["push", "opened", "push", "synchronize"]
    assert seen[3]["before"] == made.body["head"]["sha"]
    shown = await git("ls-remote", "origin", "refs/pull/1/head")
    assert shown.startswith(now.body["head"]["sha"])
    listed = await stage.client("GET", "/repos/acme/app/pulls?head=acme:fix&state=all")
    assert [p["number"] for p in listed.body] == [1]
    diff = await stage.client(
        "GET", "/repos/acme/app/pulls/1", Accept="application/vnd.github.diff"
    )
    assert b"+++ b/a.txt" in diff.body


async def test_a_stale_push_loses_the_race(stage: Any, git: Git) -> None:
    await stage.gh.push_commit(
        stage.repo, "main", files={"other.txt": "x"}, message="Meanwhile", by=stage.alice
    )
    await _commit(git, "a.txt", "1\n", "Mine")
    assert "rejected" in await git("push", "-q", "origin", "HEAD:main", ok=False)
    old = (await git("rev-parse", "HEAD~1")).strip()
    lease = f"--force-with-lease=refs/heads/main:{old}"
    assert "stale info" in await git("push", "-q", lease, "origin", "HEAD:main", ok=False)
    assert [c.title for c in stage.gh.commits(stage.repo, "main")] == [
        "Meanwhile",
        "Initial commit",
    ]


async def test_two_refs_move_together_or_not_at_all(stage: Any, git: Git) -> None:
    await _commit(git, "a.txt", "1\n", "One")
    stage.gh.protect(stage.repo, "main")
    await git("commit", "-q", "--amend", "-m", "Rewritten")
    await git("reset", "-q", "--hard", "HEAD~1")
    await git("commit", "-q", "--amend", "-m", "Another root")
    refused = await git(
        "push", "-q", "--atomic", "-f", "origin", "HEAD:main", "HEAD:refs/heads/lease", ok=False
    )
    assert "GH006" in refused
    assert set(stage.gh.branches(stage.repo)) == {"main"}
    await git("push", "-q", "--atomic", "origin", "HEAD:refs/heads/a", "HEAD:refs/lease/b")
    assert stage.repo.git.ref("refs/lease/b") == stage.gh.branches(stage.repo)["a"]


async def test_workflow_files_need_their_own_permission(stage: Any, git: Git) -> None:
    await _commit(git, ".github/workflows/ci.yml", "on: push\n", "Add a workflow")
    refused = await git("push", "-q", "origin", "HEAD:refs/heads/ci", ok=False)
    assert "without `workflows` permission" in refused
    assert "ci" not in stage.gh.branches(stage.repo)
    app = stage.gh.create_app("second", permissions={"contents": "write", "workflows": "write"})
    token = stage.gh.token_for(stage.gh.install(app, [stage.repo]))
    await git("push", "-q", _url(stage, token), "HEAD:refs/heads/ci")
    assert "ci" in stage.gh.branches(stage.repo)


async def test_who_may_read_and_write(stage: Any, git: Git, tmp_path: Path) -> None:
    gh, plain = stage.gh, Git(tmp_path)
    reading = gh.token_for(stage.installation, permissions={"contents": "read"})
    await plain("ls-remote", _url(stage, reading))
    await _commit(git, "a.txt", "1\n", "One")
    refused = await git("push", "-q", _url(stage, reading), "HEAD:refs/heads/x", ok=False)
    assert "403" in refused
    secret = await gh.create_repository("acme/secret", files={"a": "b"}, private=True)
    other = f"{gh.url}/acme/secret.git"
    assert "could not read Username" in await plain("ls-remote", other, ok=False)
    with_token = other.replace("//", f"//x-access-token:{stage.client.token}@")
    assert "not found" in await plain("ls-remote", with_token, ok=False)
    gh.install(stage.app, [secret])
    await plain(
        "ls-remote", other.replace("//", f"//x-access-token:{gh.token_for(stage.installation)}@")
    )
    header = f"http.extraHeader=Authorization: bearer {gh.token_for(stage.installation)}"
    await plain("-c", header, "ls-remote", other)
    stage.clock.advance(hours=1, seconds=1)
    assert "Authentication failed" in await plain("ls-remote", with_token, ok=False)


async def test_pull_request_refs_are_read_only(stage: Any, git: Git) -> None:
    await _commit(git, "a.txt", "1\n", "One")
    refused = await git("push", "-q", "origin", "HEAD:refs/pull/9/head", ok=False)
    assert "hidden ref" in refused


async def test_partial_and_shallow_clones(stage: Any, tmp_path: Path) -> None:
    url, plain = _url(stage, stage.client.token), Git(tmp_path)
    await plain("clone", "-q", "--depth=1", "--filter=blob:none", "--no-checkout", url, "thin")
    sha = stage.gh.commits(stage.repo, "main")[0].sha
    await Git(tmp_path / "thin")("fetch", "-q", "--depth=1", "origin", sha)


async def test_refs_over_rest(stage: Any) -> None:
    gh, call = stage.gh, stage.client
    first = gh.commits(stage.repo, "main")[0].sha
    made = await call("POST", "/repos/acme/app/git/refs", {"ref": "refs/heads/x/y", "sha": first})
    assert made.status == 201
    again = await call("POST", "/repos/acme/app/git/refs", {"ref": "refs/heads/x/y", "sha": first})
    assert again.status == 422
    second = await gh.push_commit(stage.repo, "z", files={"a": "b"}, message="Next", by=stage.alice)
    moved = await call("PATCH", "/repos/acme/app/git/refs/heads/x/y", {"sha": second})
    assert moved.body["object"]["sha"] == second
    back = await call("PATCH", "/repos/acme/app/git/refs/heads/x/y", {"sha": first})
    assert back.status == 422 and "fast forward" in back.body["message"]
    found = await call("GET", "/repos/acme/app/git/matching-refs/heads/x")
    assert [r["ref"] for r in found.body] == ["refs/heads/x/y"]
    assert (await call("GET", "/repos/acme/app/git/ref/heads/x/y")).body["object"]["sha"] == second
    assert (await call("DELETE", "/repos/acme/app/git/refs/heads/x/y")).status == 204
    assert (await call("GET", "/repos/acme/app/git/ref/heads/x/y")).status == 404


async def test_files_commits_and_comparisons(stage: Any) -> None:
    gh, call = stage.gh, stage.client
    await gh.push_commit(stage.repo, "b", files={"n.txt": "1\n"}, message="N", by=stage.alice)
    raw = await call(
        "GET", "/repos/acme/app/contents/README.md", Accept="application/vnd.github.raw"
    )
    assert raw.body == b"# app\n"
    listed = await call("GET", "/repos/acme/app/contents/src")
    assert [f["path"] for f in listed.body] == ["src/retry.py"]
    assert (await call("GET", "/repos/acme/app/contents/none")).status == 404
    commit = await call("GET", "/repos/acme/app/commits/b")
    assert commit.body["author"]["login"] == "octocat"
    assert commit.body["files"][0]["filename"] == "n.txt"
    compared = await call("GET", "/repos/acme/app/compare/main...b")
    assert compared.body["status"] == "ahead" and compared.body["ahead_by"] == 1
    branch = await call("GET", "/repos/acme/app/branches/b")
    assert branch.body["commit"]["sha"] == commit.body["sha"]
    tree = await call("GET", "/repos/acme/app/git/trees/b?recursive=1")
    assert [e["path"] for e in tree.body["tree"]] == ["README.md", "n.txt", "src", "src/retry.py"]
    assert (await call("GET", "/repos/acme/app/commits")).body[0]["sha"]
    assert (await call("GET", "/repos/acme/app/branches")).body[0]["name"] == "b"
    git_commit = await call("GET", f"/repos/acme/app/git/commits/{commit.body['sha']}")
    assert git_commit.body["message"] == "N"
    blob = await call("GET", f"/repos/acme/app/git/blobs/{tree.body['tree'][1]['sha']}")
    assert blob.body["size"] == 2
