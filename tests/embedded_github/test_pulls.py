"""Pull requests, reviews, review threads and checks."""

import json
from typing import Any

import pytest

NEW = (
    "".join(f"line {n}\n" for n in range(1, 10))
    + "changed\n"
    + "".join(f"line {n}\n" for n in range(11, 21))
)


@pytest.fixture
async def pull(stage: Any) -> Any:
    """#1, changing line 10 of src/retry.py."""
    gh = stage.gh
    await gh.push_commit(
        stage.repo, "fix", files={"src/retry.py": NEW}, message="Fix", by=stage.alice
    )
    found = await gh.open_pull_request(
        stage.repo, by=stage.alice, head="fix", title="Fix", body="b"
    )
    await gh.deliver_pending()
    stage.inbox.got.clear()
    return found


PATH = "/repos/acme/app/pulls/1"


async def test_files_commits_and_state(stage: Any, pull: Any) -> None:
    call = stage.client
    files = await call("GET", f"{PATH}/files")
    assert [(f["filename"], f["additions"]) for f in files.body] == [("src/retry.py", 1)]
    commits = await call("GET", f"{PATH}/commits")
    assert [c["author"]["login"] for c in commits.body] == ["octocat"]
    edited = await call("PATCH", PATH, {"title": "Better", "body": "why"})
    assert edited.body["title"] == "Better"
    assert (await call("GET", f"{PATH}/requested_reviewers")).body == {"users": [], "teams": []}
    as_issue = await call("GET", "/repos/acme/app/issues/1")
    assert as_issue.body["pull_request"]["url"].endswith("/pulls/1")
    closed = await call("PATCH", PATH, {"state": "closed"})
    assert closed.body["state"] == "closed"
    await stage.gh.deliver_pending()
    actions = [json.loads(b)["action"] for _, b in stage.inbox.got]
    assert actions == ["edited", "closed"]


async def test_a_branch_without_commits_makes_no_pull_request(stage: Any) -> None:
    main = stage.gh.branches(stage.repo)["main"]
    stage.repo.git.set_ref("refs/heads/same", main)
    asked = {"title": "x", "head": "same", "base": "main"}
    refused = await stage.client("POST", "/repos/acme/app/pulls", asked)
    assert refused.status == 422
    assert refused.body["errors"][0]["message"] == "No commits between main and same"
    asked["head"] = "missing"
    refused = await stage.client("POST", "/repos/acme/app/pulls", asked)
    assert refused.body["errors"][0]["field"] == "head"


async def test_a_merge_closes_it_and_a_merged_one_does_not_reopen(stage: Any, pull: Any) -> None:
    stale = await stage.client("PUT", f"{PATH}/merge", {"sha": "0" * 40})
    assert stale.status == 409
    merged = await stage.client("PUT", f"{PATH}/merge", {"sha": pull.head_sha})
    assert merged.body["merged"] is True
    assert stage.gh.file(stage.repo, "main", "src/retry.py") == NEW
    assert (await stage.client("PATCH", PATH, {"state": "open"})).status == 422


async def test_pushing_the_commits_to_the_base_merges_it(stage: Any, pull: Any) -> None:
    body = {"sha": pull.head_sha}
    await stage.client("PATCH", "/repos/acme/app/git/refs/heads/main", body)
    assert (await stage.client("GET", PATH)).body["merged"] is True


async def test_a_review_is_all_or_nothing(stage: Any, pull: Any) -> None:
    good = {"path": "src/retry.py", "line": 10, "body": "why?"}
    bad = {"path": "src/retry.py", "line": 20, "body": "too far"}
    asked = {
        "commit_id": pull.head_sha,
        "event": "COMMENT",
        "body": "review",
        "comments": [good, bad],
    }
    refused = await stage.client("POST", f"{PATH}/reviews", asked)
    assert refused.status == 422 and stage.gh.reviews(stage.repo, 1) == []
    made = await stage.client("POST", f"{PATH}/reviews", asked | {"comments": [good]})
    assert made.status == 200 and made.body["state"] == "COMMENTED"
    comments = await stage.client("GET", f"{PATH}/comments")
    assert [(c["line"], c["side"], c["position"]) for c in comments.body] == [(10, "RIGHT", 5)]
    assert comments.body[0]["diff_hunk"].endswith("+changed")
    listed = await stage.client("GET", f"{PATH}/reviews")
    assert [r["id"] for r in listed.body] == [made.body["id"]]
    in_it = await stage.client("GET", f"{PATH}/reviews/{made.body['id']}/comments")
    assert len(in_it.body) == 1
    without = {k: v for k, v in asked.items() if k != "body"} | {"comments": []}
    assert (await stage.client("POST", f"{PATH}/reviews", without)).status == 422
    await stage.gh.deliver_pending()
    assert stage.inbox.events == ["pull_request_review", "pull_request_review_comment"]


async def test_a_pending_review_is_shown_when_submitted(stage: Any, pull: Any) -> None:
    good = {"path": "src/retry.py", "line": 10, "body": "why?"}
    made = await stage.client("POST", f"{PATH}/reviews", {"comments": [good]})
    assert made.body["state"] == "PENDING"
    assert (await stage.client("GET", f"{PATH}/comments")).body == []
    await stage.gh.deliver_pending()
    assert stage.inbox.events == []
    path = f"{PATH}/reviews/{made.body['id']}"
    done = await stage.client("POST", f"{path}/events", {"event": "COMMENT", "body": "now"})
    assert done.body["state"] == "COMMENTED"
    assert len((await stage.client("GET", f"{PATH}/comments")).body) == 1
    changed = await stage.client("PUT", path, {"body": "better"})
    assert changed.body["body"] == "better"


async def test_ranges_stay_in_one_hunk(stage: Any, pull: Any) -> None:
    one = {"path": "src/retry.py", "body": "x", "commit_id": pull.head_sha}
    path = f"{PATH}/comments"
    good = await stage.client("POST", path, one | {"start_line": 8, "line": 10, "side": "RIGHT"})
    assert (good.status, good.body["start_line"]) == (201, 8)
    assert (await stage.client("POST", path, one | {"start_line": 1, "line": 10})).status == 422
    assert (await stage.client("POST", path, one | {"start_line": 10, "line": 10})).status == 422
    assert (await stage.client("POST", path, one | {"line": 10, "side": "UP"})).status == 422
    left = await stage.client("POST", path, one | {"line": 10, "side": "LEFT"})
    assert left.body["diff_hunk"].endswith("-line 10")
    other = {"path": "nope.py", "body": "x", "commit_id": pull.head_sha, "line": 1}
    assert (await stage.client("POST", path, other)).status == 422
    whole = await stage.client("POST", path, one | {"subject_type": "file"})
    assert whole.body["subject_type"] == "file" and whole.body["line"] is None


async def test_replies_stay_in_their_thread(stage: Any, pull: Any) -> None:
    first = await stage.gh.review_comment(
        stage.repo, 1, by=stage.alice, body="@openinspect rename this", path="src/retry.py", line=10
    )
    answer = await stage.client("POST", f"{PATH}/comments/{first.id}/replies", {"body": "Renamed."})
    assert answer.status == 201 and answer.body["in_reply_to_id"] == first.id
    deep = await stage.client(
        "POST", f"{PATH}/comments/{answer.body['id']}/replies", {"body": "no"}
    )
    assert deep.status == 422
    more = await stage.gh.review_comment(
        stage.repo, 1, by=stage.alice, body="thanks", in_reply_to=answer.body["id"]
    )
    assert more.in_reply_to == first.id
    comment = f"/repos/acme/app/pulls/comments/{answer.body['id']}"
    assert (await stage.client("PATCH", comment, {"body": "Done."})).body["body"] == "Done."
    assert (await stage.client("GET", comment)).body["body"] == "Done."
    eyes = await stage.client(
        "POST", f"/repos/acme/app/pulls/comments/{first.id}/reactions", {"content": "eyes"}
    )
    assert eyes.status == 201
    assert (await stage.client("DELETE", comment)).status == 204
    assert len((await stage.client("GET", "/repos/acme/app/pulls/comments")).body) == 2


async def test_comments_follow_their_line_or_become_outdated(stage: Any, pull: Any) -> None:
    gh, repo = stage.gh, stage.repo
    said = await gh.review_comment(repo, 1, by=stage.alice, body="x", path="src/retry.py", line=10)
    await gh.push_commit(
        repo, "fix", files={"src/retry.py": "top\n" + NEW}, message="Move", by=stage.alice
    )
    assert said.line == 11
    await gh.push_commit(
        repo, "fix", files={"src/retry.py": "top\n"}, message="Drop", by=stage.alice
    )
    shown = await stage.client("GET", f"/repos/acme/app/pulls/comments/{said.id}")
    assert (shown.body["line"], shown.body["original_line"]) == (None, 10)


async def test_checks_appear_on_the_head(stage: Any, pull: Any) -> None:
    call = stage.client
    asked = {"name": "Open-Inspect", "head_sha": pull.head_sha, "status": "in_progress"}
    made = await call("POST", "/repos/acme/app/check-runs", asked | {"external_id": "s/1"})
    assert made.status == 201 and made.body["pull_requests"][0]["number"] == 1
    path = f"/repos/acme/app/check-runs/{made.body['id']}"
    wrong = await call("PATCH", path, {"status": "completed"})
    assert wrong.status == 422
    button = {"label": "Retry", "description": "Run it again", "identifier": "retry"}
    done = await call(
        "PATCH",
        path,
        {
            "conclusion": "success",
            "output": {"title": "Done", "summary": "All good"},
            "actions": [button],
        },
    )
    assert (done.body["status"], done.body["conclusion"]) == ("completed", "success")
    assert (await call("GET", path)).body["output"]["title"] == "Done"
    listed = await call("GET", f"/repos/acme/app/commits/{pull.head_sha}/check-runs")
    assert listed.body["total_count"] == 1
    assert (
        await call("POST", "/repos/acme/app/check-runs", asked | {"head_sha": "0" * 40})
    ).status == 422
    run = stage.gh.check_runs(stage.repo)[0]
    await stage.gh.press(stage.repo, run, by=stage.alice, identifier="retry")
    await stage.gh.deliver_pending()
    actions = [json.loads(b)["action"] for _, b in stage.inbox.got]
    assert actions == ["created", "completed", "requested_action"]
    other = stage.gh.create_app("other")
    token = stage.gh.token_for(stage.gh.install(other, [stage.repo]))
    assert (await call("PATCH", path, {"name": "mine"}, token=token)).status == 403


async def test_draft_ready_and_a_fork(stage: Any) -> None:
    gh = stage.gh
    fork = await gh.fork(stage.repo, stage.alice)
    await gh.push_commit(fork, "patch", files={"n": "1"}, message="N", by=stage.alice)
    await gh.open_pull_request(
        stage.repo, by=stage.alice, head="patch", title="From a fork", draft=True, head_repo=fork
    )
    shown = await stage.client("GET", PATH)
    assert shown.body["head"]["repo"]["fork"] is True
    assert shown.body["head"]["repo"]["id"] != shown.body["base"]["repo"]["id"]
    await gh.push_commit(fork, "patch", files={"n": "2"}, message="M", by=stage.alice)
    assert (await stage.client("GET", PATH)).body["commits"] == 2
    await gh.mark_ready(stage.repo, 1, by=stage.alice)
    assert (await stage.client("GET", PATH)).body["draft"] is False
