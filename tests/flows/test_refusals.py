"""Who is not served, and how they come to know."""

from __future__ import annotations

import json

from bot.demo.github import EmbeddedGitHub

from .conftest import CONFIG, World


def creations(github: EmbeddedGitHub) -> int:
    return len([entry for entry in github.ledger if entry.app == "openinspect"])


async def test_someone_without_write_access_is_told_once_per_thread(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect do it", on=number, by=world.stranger)
    await world.until(lambda: len(world.ours(number)) == 1)
    assert "write" in world.ours(number)[0].body
    await world.say("@openinspect do it now", on=number, by=world.stranger)
    await world.say("@openinspect say: hello", on=number)
    await world.until(lambda: any("hello" in c.body for c in world.ours(number)))
    told = [c for c in world.ours(number) if "Not started" in c.body]
    assert len(told) == 1


async def test_no_mention_costs_no_call_and_leaves_a_record(world: World) -> None:
    number = await world.issue()
    assert world.server is not None
    await world.github.deliver_pending()
    await world.server.intake.idle()
    before = len(world.github.exchanges)
    for text in (
        "nothing for you",
        "`@openinspect fix it`",
        "> @openinspect fix it",
        "@openinspector",
    ):
        await world.say(text, on=number)
    await world.github.deliver_pending()
    await world.server.intake.idle()
    assert len(world.github.exchanges) == before
    assert creations(world.github) == 0
    for delivery in world.github.deliveries:
        decision = await world.server.journal.decision(delivery.guid)
        assert decision is not None
        record = json.loads(decision.record)
        assert record["outcome"] == "ignored"
        assert record["reason"]


async def test_our_own_words_start_nothing(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect say: ask @openinspect again", on=number)
    await world.until(lambda: len(world.ours(number)) == 2)
    assert world.server is not None
    await world.github.deliver_pending()
    await world.server.intake.idle()
    state = await world.state(number)
    assert len(state.turns) == 1


async def test_a_broken_configuration_is_said_once_and_the_work_goes_on(world: World) -> None:
    broken = CONFIG + "pull_reqest: ready\n"
    await world.github.push_commit(
        world.repo,
        "main",
        files={".openinspect/config.yml": broken},
        message="Break it",
        by=world.alice,
    )
    number = await world.issue()
    await world.say("@openinspect stop", on=number)
    await world.say("@openinspect stop", on=number)
    await world.until(lambda: len(world.ours(number)) == 3)
    told = [c.body for c in world.ours(number) if "Configuration problem" in c.body]
    assert len(told) == 1
    assert "config.yml:3:1" in told[0]
    assert "did you mean `pull_request`?" in told[0]


async def test_the_head_of_a_fork_is_not_run(world: World) -> None:
    fork = await world.github.create_repository("drive-by/app", files={"a.txt": "a"})
    pull = await world.github.open_pull_request(
        world.repo,
        by=world.stranger,
        head="main",
        base="main",
        title="From afar",
        body="",
        head_repo=fork,
    )
    await world.say("@openinspect run the tests", on=pull.number)
    await world.until(lambda: len(world.ours(pull.number)) == 1)
    assert "fork" in world.ours(pull.number)[0].body
    state = await world.state(pull.number)
    assert state.opened is None
