"""Issues, comments, labels and reactions, as people and Apps use them."""

import json
import time
from typing import Any


async def test_a_comment_by_a_person_reaches_the_app_and_the_answer_stays(stage: Any) -> None:
    gh, repo = stage.gh, stage.repo
    issue = await gh.open_issue(repo, by=stage.alice, title="Flaky", body="It fails.")
    said = await gh.comment(repo, issue.number, by=stage.alice, body="@openinspect fix it")
    await gh.deliver_pending()
    assert stage.inbox.events == ["issues", "issue_comment"]
    payload = json.loads(stage.inbox.got[1][1])
    assert payload["comment"]["id"] == said.id
    assert payload["sender"]["id"] == stage.alice.id
    assert payload["installation"]["id"] == stage.installation.id

    made = await stage.client("POST", "/repos/acme/app/issues/1/comments", {"body": "**Queued**"})
    assert made.status == 201 and made.body["user"]["login"] == "openinspect[bot]"
    assert made.body["performed_via_github_app"]["slug"] == "openinspect"
    path = f"/repos/acme/app/issues/comments/{made.body['id']}"
    stage.clock.advance(seconds=5)
    edited = await stage.client("PATCH", path, {"body": "**Done**"})
    assert edited.body["body"] == "**Done**" and edited.body["updated_at"] > made.body["updated_at"]
    again = await stage.client("PATCH", path, {"body": "**Done**"})
    assert again.status == 200
    assert [(c.author, c.body, c.edits) for c in gh.comments(repo, 1)] == [
        ("octocat", "@openinspect fix it", 0),
        ("openinspect[bot]", "**Done**", 1),
    ]
    mine = [(e.action, e.kind) for e in gh.ledger if e.app == "openinspect"]
    assert mine == [("create", "issue_comment"), ("edit", "issue_comment")]
    assert (await stage.client("DELETE", path)).status == 204
    assert (await stage.client("GET", path)).status == 404


async def test_listing_comments_by_page_and_by_time(stage: Any) -> None:
    gh, repo = stage.gh, stage.repo
    await gh.open_issue(repo, by=stage.alice, title="Many")
    for n in range(5):
        stage.clock.advance(seconds=10)
        await gh.comment(repo, 1, by=stage.alice, body=f"number {n}")
    first = await stage.client("GET", "/repos/acme/app/issues/1/comments?per_page=2")
    assert [c["body"] for c in first.body] == ["number 0", "number 1"]
    assert 'rel="next"' in first.headers["Link"] and "page=3" in first.headers["Link"]
    last = await stage.client("GET", "/repos/acme/app/issues/1/comments?per_page=2&page=3")
    assert [c["body"] for c in last.body] == ["number 4"]
    assert 'rel="next"' not in last.headers["Link"]
    since = first.body[0]["created_at"].replace("00:10", "00:40")
    late = await stage.client("GET", f"/repos/acme/app/issues/1/comments?since={since}")
    assert [c["body"] for c in late.body] == ["number 3", "number 4"]


async def test_reactions_are_given_once(stage: Any) -> None:
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    said = await stage.gh.comment(stage.repo, 1, by=stage.alice, body="hey")
    path = f"/repos/acme/app/issues/comments/{said.id}/reactions"
    first = await stage.client("POST", path, {"content": "eyes"})
    second = await stage.client("POST", path, {"content": "eyes"})
    assert (first.status, second.status) == (201, 200)
    assert first.body["id"] == second.body["id"]
    assert [r.content for r in stage.gh.reactions(said)] == ["eyes"]
    assert (await stage.client("POST", path, {"content": "wow"})).status == 422
    assert (await stage.client("DELETE", f"{path}/{first.body['id']}")).status == 204
    assert stage.gh.reactions(said) == []
    assert (
        await stage.client("POST", "/repos/acme/app/issues/1/reactions", {"content": "rocket"})
    ).status == 201


async def test_labels_are_made_added_and_taken_away(stage: Any) -> None:
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    path = "/repos/acme/app/issues/1/labels"
    made = {"name": "openinspect: working", "color": "1d76db", "description": "busy"}
    assert (await stage.client("POST", "/repos/acme/app/labels", made)).status == 201
    assert (await stage.client("POST", "/repos/acme/app/labels", made)).status == 422
    await stage.client("POST", path, {"labels": ["openinspect: working", "bug"]})
    assert stage.gh.labels(stage.repo, 1) == ["openinspect: working", "bug"]
    gone = await stage.client("DELETE", f"{path}/openinspect:%20working")
    assert gone.status == 200 and [x["name"] for x in gone.body] == ["bug"]
    assert (await stage.client("DELETE", f"{path}/openinspect:%20working")).status == 404
    await stage.client("PUT", path, {"labels": ["done"]})
    assert stage.gh.labels(stage.repo, 1) == ["done"]
    await stage.gh.deliver_pending()
    actions = [json.loads(body)["action"] for _, body in stage.inbox.got]
    assert actions == ["opened", "labeled", "labeled", "unlabeled", "unlabeled", "labeled"]


async def test_long_bodies_are_refused(stage: Any) -> None:
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    path = "/repos/acme/app/issues/1/comments"
    assert (await stage.client("POST", path, {"body": "é" * 131_072})).status == 201
    refused = await stage.client("POST", path, {"body": "é" * 131_072 + "x"})
    assert refused.status == 422 and "too long" in refused.body["errors"][0]["message"]
    assert (await stage.client("POST", path, {"body": " "})).status == 422
    assert (await stage.client("POST", path, {})).status == 422


async def test_the_app_opens_and_closes_an_issue(stage: Any) -> None:
    made = await stage.client(
        "POST", "/repos/acme/app/issues", {"title": "From cron", "body": "b", "labels": ["auto"]}
    )
    assert made.status == 201 and made.body["labels"][0]["name"] == "auto"
    closed = await stage.client(
        "PATCH", "/repos/acme/app/issues/1", {"state": "closed", "state_reason": "not_planned"}
    )
    assert closed.body["state"] == "closed" and closed.body["state_reason"] == "not_planned"
    assert (await stage.client("GET", "/repos/acme/app")).body["open_issues_count"] == 0
    assert (await stage.client("GET", "/repos/acme/app/issues")).body == []
    assert len((await stage.client("GET", "/repos/acme/app/issues?state=all")).body) == 1


async def test_unchanged_answers_cost_nothing(stage: Any) -> None:
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    first = await stage.client("GET", "/repos/acme/app/issues/1")
    again = await stage.client(
        "GET", "/repos/acme/app/issues/1", If_None_Match=first.headers["ETag"]
    )
    assert again.status == 304 and again.body == b""
    await stage.gh.comment(stage.repo, 1, by=stage.alice, body="new")
    third = await stage.client(
        "GET", "/repos/acme/app/issues/1", If_None_Match=first.headers["ETag"]
    )
    assert third.status == 200
    assert int(third.headers["X-RateLimit-Used"]) == 3


async def test_an_unknown_route_is_loud(stage: Any) -> None:
    assert stage.gh.unhandled == []
    lost = await stage.client("GET", "/repos/acme/app/milestones")
    assert lost.status == 501 and "/repos/acme/app/milestones" in lost.body["message"]
    assert stage.gh.unhandled == ["GET /repos/acme/app/milestones"]


async def test_a_comment_takes_a_few_milliseconds(stage: Any) -> None:
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    took = []
    for n in range(60):
        start = time.perf_counter()
        await stage.client("POST", "/repos/acme/app/issues/1/comments", {"body": f"{n}"})
        took.append(time.perf_counter() - start)
    median = sorted(took)[30]
    print(f"comment round trip: median {median * 1000:.1f} ms")
    assert median < 0.05, "an order of magnitude above what is usual"
