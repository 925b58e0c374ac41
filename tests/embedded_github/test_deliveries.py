"""Webhooks: signed, in order, recorded, redelivered, and made to go wrong."""

import hashlib
import hmac
import json
from typing import Any

from bot.demo.github import Fault


async def test_deliveries_are_signed_over_the_raw_body(stage: Any) -> None:
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    await stage.gh.deliver_pending()
    headers, body = stage.inbox.got[0]
    wanted = hmac.new(b"not-a-real-secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={wanted}"
    assert headers["X-GitHub-Event"] == "issues"
    assert headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert headers["X-GitHub-Delivery"] == stage.gh.deliveries[-1].guid
    assert headers["X-GitHub-Hook-Installation-Target-ID"] == str(stage.app.id)


async def test_a_failed_delivery_is_listed_and_sent_again_with_its_guid(stage: Any) -> None:
    gh, call = stage.gh, stage.client
    gh.drop_deliveries(True)
    await gh.open_issue(stage.repo, by=stage.alice, title="x")
    await gh.comment(stage.repo, 1, by=stage.alice, body="hello")
    await gh.deliver_pending()
    assert stage.inbox.got == []
    gh.drop_deliveries(False)
    token = stage.app_jwt()
    failed = await call("GET", "/app/hook/deliveries?status=failure&per_page=1", token=token)
    assert [d["event"] for d in failed.body] == ["issue_comment"]
    older = failed.headers["Link"].split(">")[0].removeprefix("<")
    rest = await call("GET", older, token=token)
    assert [d["event"] for d in rest.body] == ["issues"] and "Link" not in rest.headers
    one = await call("GET", f"/app/hook/deliveries/{failed.body[0]['id']}", token=token)
    assert one.body["request"]["payload"]["comment"]["body"] == "hello"
    path = f"/app/hook/deliveries/{failed.body[0]['id']}/attempts"
    assert (await call("POST", path, token=token)).status == 202
    await gh.deliver_pending()
    assert stage.inbox.events == ["issue_comment"]
    assert stage.inbox.got[0][0]["X-GitHub-Delivery"] == failed.body[0]["guid"]
    latest = (await call("GET", "/app/hook/deliveries", token=token)).body[0]
    assert latest["redelivery"] is True and latest["guid"] == failed.body[0]["guid"]
    assert latest["id"] != failed.body[0]["id"] and latest["status"] == "OK"
    again = await gh.redeliver(latest["guid"])
    assert again.ok and len(stage.inbox.got) == 2
    stage.clock.advance(days=3, seconds=1)
    assert (await call("GET", "/app/hook/deliveries", token=stage.app_jwt())).body == []


async def test_a_refusing_receiver_is_not_asked_twice(stage: Any) -> None:
    stage.inbox.status = 500
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    await stage.gh.deliver_pending()
    assert len(stage.inbox.got) == 1
    assert stage.gh.deliveries[-1].status_code == 500 and not stage.gh.deliveries[-1].ok


async def _three(stage: Any, fault: Fault) -> list[str]:
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    await stage.gh.deliver_pending()
    stage.gh.fail(fault)
    for body in ("one", "two", "three"):
        await stage.gh.comment(stage.repo, 1, by=stage.alice, body=body)
    await stage.gh.deliver_pending()
    return [json.loads(b)["comment"]["body"] for _, b in stage.inbox.got[1:]]


def _guids(stage: Any) -> list[str]:
    return [h["X-GitHub-Delivery"] for h, _ in stage.inbox.got[1:]]


async def test_lost(stage: Any) -> None:
    assert await _three(stage, Fault(kind="lost", after=1)) == ["one", "three"]
    assert [d.ok for d in stage.gh.deliveries[-3:]] == [True, False, True]


async def test_vanished(stage: Any) -> None:
    fault = stage.gh.fail(Fault(kind="vanished", event="issue_comment", action="created"))
    assert await _three(stage, Fault(kind="delayed", times=0)) == ["two", "three"]
    assert all(d.ok for d in stage.gh.deliveries) and fault.hits == 1


async def test_doubled(stage: Any) -> None:
    assert await _three(stage, Fault(kind="doubled")) == ["one", "one", "two", "three"]
    guids = _guids(stage)
    assert guids[0] == guids[1]


async def test_doubled_under_a_new_guid(stage: Any) -> None:
    assert sorted(await _three(stage, Fault(kind="doubled_new_guid"))) == [
        "one",
        "one",
        "three",
        "two",
    ]
    assert len(set(_guids(stage))) == 4


async def test_reordered(stage: Any) -> None:
    assert await _three(stage, Fault(kind="reordered")) == ["two", "one", "three"]


async def test_the_last_one_held_back_arrives_all_the_same(stage: Any) -> None:
    assert await _three(stage, Fault(kind="reordered", after=2)) == ["one", "two", "three"]


async def test_delayed(stage: Any) -> None:
    assert await _three(stage, Fault(kind="delayed", delay=0.05)) == ["two", "three", "one"]


async def test_an_app_hears_only_what_its_permissions_show(stage: Any) -> None:
    other = stage.gh.create_app(
        "checks-only", webhook_url=stage.inbox.url, permissions={"checks": "read"}
    )
    stage.gh.install(other, [stage.repo])
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    await stage.gh.deliver_pending()
    assert [d.app.slug for d in stage.gh.deliveries if d.event == "issues"] == ["openinspect"]


async def test_every_label_and_assignment_is_told(stage: Any) -> None:
    gh = stage.gh
    await gh.open_issue(stage.repo, by=stage.alice, title="x", labels=["bug"])
    await gh.assign(stage.repo, 1, by=stage.alice, to=[stage.alice])
    await gh.assign(stage.repo, 1, by=stage.alice, to=[])
    await gh.edit_issue(stage.repo, 1, by=stage.alice, title="y", body="z")
    await gh.edit_issue(stage.repo, 1, by=stage.alice, state="closed")
    await gh.edit_issue(stage.repo, 1, by=stage.alice, state="open")
    said = await gh.comment(stage.repo, 1, by=stage.alice, body="x")
    await gh.edit_comment(stage.repo, said, by=stage.alice, body="y")
    await gh.delete_comment(stage.repo, said, by=stage.alice)
    await gh.deliver_pending()
    assert [(d.event, d.action) for d in gh.deliveries if d.event != "installation"] == [
        ("issues", "opened"),
        ("issues", "labeled"),
        ("issues", "assigned"),
        ("issues", "unassigned"),
        ("issues", "edited"),
        ("issues", "closed"),
        ("issues", "reopened"),
        ("issue_comment", "created"),
        ("issue_comment", "edited"),
        ("issue_comment", "deleted"),
    ]
