"""The knobs for requests: what happened, and what the caller was told."""

import asyncio
from typing import Any

import aiohttp
import pytest

from bot.demo.github import Fault

COMMENTS = "/repos/acme/app/issues/1/comments"
PATTERN = r"/issues/\d+/comments$"


async def _post(stage: Any) -> Any:
    return await stage.client("POST", COMMENTS, {"body": "x"})


@pytest.fixture(autouse=True)
async def issue(stage: Any) -> None:
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")


def _count(stage: Any) -> int:
    return len(stage.gh.comments(stage.repo, 1))


async def test_an_error_before_and_after_the_effect(stage: Any) -> None:
    stage.gh.fail(Fault(method="POST", path=PATTERN, kind="before_effect_500"))
    assert (await _post(stage)).status == 500 and _count(stage) == 0
    fault = Fault(method="POST", path=PATTERN, kind="after_effect_500", status=502)
    stage.gh.fail(fault)
    assert (await _post(stage)).status == 502 and _count(stage) == 1
    assert (await _post(stage)).status == 201 and fault.hits == 1


async def test_a_connection_that_drops(stage: Any) -> None:
    stage.gh.fail(Fault(method="POST", path=PATTERN, kind="before_effect_drop"))
    with pytest.raises(aiohttp.ClientError):
        await _post(stage)
    assert _count(stage) == 0
    stage.gh.fail(Fault(method="POST", path=PATTERN, kind="after_effect_drop"))
    with pytest.raises(aiohttp.ClientError):
        await _post(stage)
    assert _count(stage) == 1


async def test_rate_limits(stage: Any) -> None:
    stage.gh.fail(Fault(path=PATTERN, kind="primary_limit", retry_after=30))
    first = await _post(stage)
    assert (first.status, first.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert int(first.headers["X-RateLimit-Reset"]) == int(stage.clock.now.timestamp()) + 30
    stage.gh.fail(Fault(path=PATTERN, kind="secondary_limit", retry_after=7, status=429))
    second = await _post(stage)
    assert (second.status, second.headers["Retry-After"]) == (429, "7")
    stage.gh.fail(Fault(path=PATTERN, kind="secondary_limit"))
    third = await _post(stage)
    assert third.status == 403 and "Retry-After" not in third.headers
    assert "secondary rate limit" in third.body["message"] and _count(stage) == 0
    stage.gh.fail(Fault(path="^/graphql$", kind="primary_limit"))
    asked = {"query": "{ viewer { login } }"}
    fourth = await stage.client("POST", stage.gh.graphql_url, asked)
    assert fourth.status == 200 and fourth.body["errors"][0]["type"] == "RATE_LIMITED"


async def test_listings_that_lag(stage: Any) -> None:
    stage.gh.fail(Fault(method="POST", path=PATTERN, kind="hidden_in_listings", delay=10))
    made = await _post(stage)
    await _post(stage)
    listed = await stage.client("GET", COMMENTS)
    assert len(listed.body) == 1 and listed.body[0]["id"] != made.body["id"]
    direct = await stage.client("GET", f"/repos/acme/app/issues/comments/{made.body['id']}")
    assert direct.status == 200
    stage.clock.advance(seconds=10)
    assert len((await stage.client("GET", COMMENTS)).body) == 2


async def test_broken_answers(stage: Any) -> None:
    stage.gh.fail(Fault(path=PATTERN, kind="truncated"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await _post(stage)
    assert _count(stage) == 1
    stage.gh.fail(Fault(path=PATTERN, kind="html"))
    page = await _post(stage)
    assert page.status == 200 and page.body.startswith(b"<html>") and _count(stage) == 1


async def test_delay_and_choosing_the_nth(stage: Any) -> None:
    stage.gh.fail(Fault(path=PATTERN, kind="delay", delay=0.05))
    loop = asyncio.get_running_loop()
    start = loop.time()
    await _post(stage)
    assert loop.time() - start >= 0.05
    stage.gh.fail(Fault(path=PATTERN, kind="before_effect_500", after=1, times=2))
    assert [(await _post(stage)).status for _ in range(4)] == [201, 500, 500, 201]
    stage.gh.fail(Fault(path=PATTERN, kind="before_effect_500", times=99))
    stage.gh.heal()
    assert (await _post(stage)).status == 201


async def test_waiting_says_why_it_was_in_vain(stage: Any) -> None:
    await _post(stage)
    with pytest.raises(TimeoutError, match="openinspect\\[bot\\] create issue_comment #1: 'x'"):
        await stage.gh.wait_for(lambda: _count(stage) == 2, timeout=0.05)
    waiting = asyncio.create_task(stage.gh.wait_for(lambda: _count(stage) == 2, timeout=5))
    await _post(stage)
    await waiting
