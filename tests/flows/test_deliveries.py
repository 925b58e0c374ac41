"""Deliveries that come twice, late, in the wrong order, or are no deliveries at all."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import random
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from bot.demo.github import Fault

from .conftest import SECRET, World, make_world


async def texts(world: World, number: int) -> list[str]:
    return [turn.prompt.text for turn in (await world.at_rest(number)).turns]


@pytest.mark.parametrize("kind", ["doubled", "doubled_new_guid"])
async def test_a_delivery_that_comes_twice_is_one_prompt(world: World, kind: Any) -> None:
    number = await world.issue()
    fault = world.github.fail(Fault(kind=kind, event="issue_comment", action="created"))
    await world.say("@openinspect say: Once.", on=number)
    await world.until(lambda: len(world.ours(number)) == 2)
    await world.quiet()
    assert fault.hits == 1
    assert await texts(world, number) == ["say: Once."]
    assert len(world.ours(number)) == 2


async def test_a_redelivery_days_later_changes_nothing(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect say: Once.", on=number)
    await world.until(lambda: len(world.ours(number)) == 2)
    asked = next(d for d in world.github.deliveries if b"say: Once." in d.payload)
    assert asked.event == "issue_comment"
    await world.say("@openinspect cancel", on=number)
    await world.until_status(number, "Cancelled")
    again = await world.github.redeliver(asked.guid)
    assert again.ok
    await world.quiet()
    assert len(world.ours(number)) == 2
    assert (await world.state(number, generation=2)).opened is None


async def test_prompts_run_in_the_order_in_which_they_arrive(world: World) -> None:
    number = await world.issue()
    await world.quiet()
    world.github.fail(Fault(kind="reordered", event="issue_comment", action="created"))
    await world.say("@openinspect say: first written", on=number)
    await world.say("@openinspect say: first to arrive", on=number)
    await world.until(lambda: len(world.ours(number)) == 3)
    assert await texts(world, number) == ["say: first to arrive", "say: first written"]


async def test_an_edit_that_arrives_before_the_comment_itself(world: World) -> None:
    number = await world.issue()
    await world.quiet()
    world.github.fail(Fault(kind="reordered", event="issue_comment", action="created"))
    comment = await world.say("Never mind.", on=number)
    text = "@openinspect say: Mind."
    await world.github.edit_comment(world.repo, comment, by=world.alice, body=text)
    await world.until(lambda: len(world.ours(number)) == 2)
    await world.quiet()
    assert await texts(world, number) == ["say: Mind."]


async def test_a_late_delivery_is_decided_when_it_comes(world: World) -> None:
    number = await world.issue()
    world.github.fail(Fault(kind="delayed", event="issue_comment", delay=1.0))
    await world.say("@openinspect say: late", on=number)
    await world.say("@openinspect say: in time", on=number, by=world.bob)
    await world.until(lambda: len(world.ours(number)) == 3)
    assert await texts(world, number) == ["say: in time", "say: late"]


async def test_two_edits_in_one_second_are_two_edits(world: World) -> None:
    number = await world.issue()
    comment = await world.say("Never mind.", on=number)
    for text in ("Never mind me.", "@openinspect say: Mind."):
        await world.github.edit_comment(world.repo, comment, by=world.alice, body=text)
    await world.until(lambda: len(world.ours(number)) == 2)
    assert await texts(world, number) == ["say: Mind."]


async def test_a_storm_with_every_delivery_doubled(tmp_path: Path) -> None:
    """200 deliveries at 32 connections, half of them repeats, under the same id or another.

    The clock is hurried because GitHub takes only so many edits in a minute.
    """
    async with make_world(tmp_path, rate=20) as world:
        await world.start()
        await storm_on(world)


async def storm_on(world: World) -> None:
    issues = [await world.issue(f"Storm {n}") for n in range(4)]
    await world.quiet()
    world.github.drop_deliveries(True)
    wanted: dict[int, set[str]] = {}
    for number in issues:
        for n in range(25):
            asks = n < 9
            text = f"@openinspect say: {number}/{n}" if asks else f"Nothing to do, {n}."
            await world.say(text, on=number)
            if asks:
                wanted.setdefault(number, set()).add(f"say: {number}/{n}")
    await world.github.deliver_pending()
    missed = [d for d in world.github.deliveries if d.event == "issue_comment"]
    assert len(missed) == 100
    world.github.drop_deliveries(False)

    storm = []
    for n, delivery in enumerate(missed):
        again = dict(delivery.headers)
        if n % 2:
            again["X-GitHub-Delivery"] = f"another-id-{n}"
        storm += [(delivery.headers, delivery.payload), (again, delivery.payload)]
    random.Random(20).shuffle(storm)
    assert await posted(world, storm) == {202}
    await world.quiet()
    for number in issues:
        assert set(await texts(world, number)) == wanted[number]
        assert len((await world.state(number)).turns) == 9
        assert len(world.ours(number)) == 10, "one status comment, and a reply for each turn"


async def posted(world: World, deliveries: list[tuple[dict[str, str], bytes]]) -> set[int]:
    """The statuses that our door answered."""
    assert world.server is not None
    url = f"http://127.0.0.1:{world.server.port}/webhooks/github"
    waiting, answered = list(deliveries), set()

    async def connection(session: aiohttp.ClientSession) -> None:
        while waiting:
            headers, body = waiting.pop()
            async with session.post(url, data=body, headers=headers) as answer:
                answered.add(answer.status)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(connection(session) for _ in range(32)))
    return answered


def signed(event: str, guid: str, document: object) -> tuple[dict[str, str], bytes]:
    body = json.dumps(document).encode()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": guid,
        "X-Hub-Signature-256": f"sha256={digest}",
    }
    return headers, body


def examples() -> list[tuple[str, dict[str, Any]]]:
    """Every payload that GitHub's own examples show."""
    root = Path(os.environ.get("OPENINSPECT_TOOLS") or Path(__file__).parents[2] / ".tools")
    folder = root / "node_modules" / "@octokit" / "webhooks-examples" / "api.github.com"
    listed = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return [(event["name"], example) for event in listed for example in event["examples"]]


def spoiled(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The same with one part of it gone, or of another kind."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    place: Any = copy
    while True:
        key = chance.choice(sorted(place))
        inner = place[key]
        if isinstance(inner, dict) and inner and chance.random() < 0.7:
            place = inner
            continue
        if chance.random() < 0.5:
            del place[key]
        else:
            place[key] = chance.choice([None, 0, -1, 2**70, "", "x" * 5000, [], {}, True, [[]]])
        return copy


async def test_payloads_of_other_places_and_broken_ones_start_nothing(world: World) -> None:
    chance = random.Random(2)
    storm = []
    for n, (event, example) in enumerate(examples()):
        asking = json.loads(json.dumps(example))
        for part in ("comment", "issue", "pull_request", "review"):
            if isinstance(asking.get(part), dict):
                asking[part]["body"] = "@openinspect do it"
        documents = [example, asking, *(spoiled(asking, chance) for _ in range(3))]
        storm += [signed(event, f"example-{n}-{m}", d) for m, d in enumerate(documents)]
    for n, body in enumerate((b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000)):
        headers, _ = signed("issues", f"garbage-{n}", None)
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        storm.append((headers | {"X-Hub-Signature-256": f"sha256={digest}"}, body))
    assert len(storm) > 1500

    with structlog.testing.capture_logs() as logged:
        assert await posted(world, storm) <= {202, 400, 413, 415, 422}
        await world.quiet()
    assert world.server is not None
    assert world.server.settler.kept() == ()
    assert [e for e in world.github.ledger if e.app is not None] == []
    broke = [line for line in logged if "exc_info" in line or line["log_level"] == "error"]
    assert broke == []
    decided = [line for line in logged if line["event"] == "decided"]
    assert len(decided) > 1300
    assert all(line["reason"] for line in decided)
