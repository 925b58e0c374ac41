"""Other ways to ask, what else can be said, and who is not served: as people meet it."""

from __future__ import annotations

import json

from orchestrator.session.values import Outcome, Status
from orchestrator.session.view import status_of

from .conftest import CONFIG, World

WORK = "sh: echo fixed > fix.txt && git add -A && git commit -qm 'Fix it'\nsay: Fixed it."


async def configured(world: World, more: str) -> None:
    await world.github.push_commit(
        world.repo,
        "main",
        files={".openinspect/config.yml": CONFIG + more},
        message="Configure",
        by=world.alice,
    )
    world.clock.leap(31)


def replies(world: World, number: int) -> list[str]:
    return [c.body for c in world.ours(number) if "effect=status" not in c.body]


async def told(world: World, number: int, count: int = 1) -> str:
    await world.until(lambda: len(replies(world, number)) >= count)
    return replies(world, number)[count - 1]


async def records(world: World) -> list[dict[str, object]]:
    """Of every delivery so far, which each have one."""
    assert world.server is not None
    await world.quiet()
    found = []
    for delivery in world.github.deliveries:
        decision = await world.server.journal.decision(delivery.guid)
        assert decision is not None, delivery.event
        found.append(json.loads(decision.record))
    return found


async def test_a_label_and_an_alias_ask_for_what_the_issue_says(world: World) -> None:
    alias = world.github.create_person("openinspect-alias")
    world.github.grant(world.repo, alias, "read")
    await configured(
        world, "triggers:\n  label:\n    name: Agent\n  assign:\n    user: openinspect-alias\n"
    )
    theirs = await world.github.open_issue(
        world.repo, by=world.stranger, title="Broken", body="say: From the label."
    )
    await world.github.add_label(world.repo, theirs.number, by=world.alice, name="bug")
    await world.github.add_label(world.repo, theirs.number, by=world.alice, name="agent")
    result = await told(world, theirs.number)
    assert "From the label." in result and "@alice" in result
    [turn] = (await world.state(theirs.number)).turns
    assert turn.prompt.text.startswith("Do what this issue, written by @drive-by, asks for:")

    assigned = await world.issue(body="say: From the assignment.")
    await world.github.assign(world.repo, assigned, by=world.bob, to=[world.alice, alias])
    assert "From the assignment." in await told(world, assigned)
    [turn] = (await world.state(assigned)).turns
    assert turn.prompt.author.login == "bob"

    # Whoever may not ask may not label either: GitHub lets people with triage do it.
    helper = world.github.create_person("helper")
    world.github.grant(world.repo, helper, "triage")
    other = await world.issue(body="say: Never.")
    await world.github.add_label(world.repo, other, by=helper, name="agent")
    assert "has triage access" in await told(world, other)


async def test_no_label_means_anything_until_it_is_configured(world: World) -> None:
    number = await world.issue(body="say: Never.")
    await world.github.add_label(world.repo, number, by=world.alice, name="agent")
    await world.github.assign(world.repo, number, by=world.alice, to=[world.bob])
    kept = await records(world)
    assert [r["rule"] for r in kept if r["action"] in ("labeled", "assigned")] == [
        "label",
        "assignee",
    ]
    assert world.ours(number) == []


async def test_only_the_people_and_teams_that_are_listed(world: World) -> None:
    mallory = world.github.create_person("mallory")
    world.github.grant(world.repo, mallory, "write")
    world.app.permissions["members"] = "read"
    world.github.install(world.app, [world.repo]).permissions["members"] = "read"
    await configured(world, "triggers:\n  mention:\n    users: [Alice]\n    teams: [core]\n")
    world.github.join("acme", "core", world.bob)
    world.github.join("acme", "core", mallory, "pending")
    number = await world.issue()
    await world.say("@openinspect help", on=number, by=mallory)
    assert "only certain people" in await told(world, number)
    assert "line 5" in await told(world, number), "and where it is written"
    await world.say("@openinspect help", on=number, by=world.bob)
    assert "What can be said here" in await told(world, number, 2)
    await world.say("@openinspect help", on=number, by=world.alice)
    assert "What can be said here" in await told(world, number, 3)


async def test_teams_need_a_permission_and_its_lack_is_said(world: World) -> None:
    await configured(world, "triggers:\n  mention:\n    teams: [core]\n")
    number = await world.issue()
    await world.say("@openinspect help", on=number)
    assert "`members: read`" in await told(world, number)


async def test_refusals_can_be_silent(world: World) -> None:
    await configured(world, "triggers:\n  refusals: silent\n")
    number = await world.issue()
    await world.say("@openinspect do it", on=number, by=world.stranger)
    kept = await records(world)
    assert (kept[-1]["outcome"], kept[-1]["rule"]) == ("refused", "permission")
    assert world.ours(number) == []


async def test_more_than_write_can_be_asked_for(world: World) -> None:
    await configured(world, "triggers:\n  mention:\n    permission: maintain\n")
    number = await world.issue()
    await world.say("@openinspect help", on=number)
    refused = await told(world, number)
    assert "has write access to acme/app; maintain is needed" in refused
    assert "`triggers.mention.permission`, .openinspect/config.yml line 5" in refused
    await world.say("@openinspect help", on=number, by=world.bob)
    assert "What can be said here" in await told(world, number, 2)


async def test_a_thread_that_asks_too_often_is_stopped_once_and_in_words(world: World) -> None:
    await configured(world, "limits:\n  thread_per_hour: 2\n")
    number = await world.issue()
    for count in (1, 2):
        await world.say("@openinspect help", on=number)
        await told(world, number, count)
    for _ in range(3):
        await world.say("@openinspect help", on=number)
    await world.say("@openinspect stop", on=number)
    await world.quiet()
    assert len(replies(world, number)) == 4, "two answers, one refusal, and stop is always taken"
    assert "2 requests were taken in this thread" in replies(world, number)[2]
    assert "no session in this thread" in replies(world, number)[3]
    elsewhere = await world.issue()
    await world.say("@openinspect help", on=elsewhere)
    assert "What can be said here" in await told(world, elsewhere)
    world.clock.leap(3_600)
    await world.say("@openinspect help", on=number)
    assert "What can be said here" in await told(world, number, 5)


async def test_why_tells_rule_by_rule_and_config_line_by_line(world: World) -> None:
    await configured(world, "agents: 5\n")
    await configured(world, "pull_request: ready\n")
    number = await world.issue()
    quoted = await world.say("> @openinspect fix it", on=number)
    await world.say("@openinspect sttop", on=number)
    assert "Did you mean `stop`?" in await told(world, number)
    await world.say("@openinspect why", on=number, by=world.bob)
    why = await told(world, number, 2)
    assert "→ **refused**" in why and "Did you mean" in why
    await world.say(
        f"@openinspect why {world.github.url}/acme/app/issues/{number}#issuecomment-{quoted.id}",
        on=number,
    )
    why = await told(world, number, 3)
    assert "→ **ignored**" in why and "one inside a quote, line 1" in why
    await world.say("@openinspect config", on=number)
    shown = await told(world, number, 4)
    assert "| `pull_request` | `ready` | line 3 |" in shown
    assert "| `limits.turn_usd` | `5` | default |" in shown
    await configured(world, "pull_reqest: ready\n")
    await world.say("@openinspect config", on=number)
    shown = await told(world, number, 6)
    assert "did you mean `pull_request`?" in shown and "has a problem" in shown
    assert "| `pull_request` | `ready` | line 3 |" in shown, "the last good one holds"


async def test_model_and_effort_are_for_one_turn_and_archive_ends_the_rest(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect modle=a/b say: x", on=number)
    assert "Did you mean `model=`?" in await told(world, number)
    await world.say("@openinspect archive", on=number)
    assert "no session in this thread" in await told(world, number, 2)
    await world.say("@openinspect say: plainly", on=number)
    await told(world, number, 3)
    await world.say("@openinspect budget +2", on=number)
    await world.say("@openinspect archive", on=number, by=world.bob)
    status = await world.until_status(number, "Done")
    await world.until(lambda: "Put away" in world.status(number))
    state = await world.state(number)
    assert status_of(state) is Status.ARCHIVED and "Done" in status
    assert state.raised_microdollars == 2_000_000


async def test_who_lost_write_access_meanwhile_gets_nothing_pushed(world: World) -> None:
    number = await world.issue()
    world.model.gate.clear()
    await world.say(f"@openinspect model: wait\n{WORK}", on=number)
    await world.until(lambda: "- [x] Sandbox ready" in world.status(number))
    world.github.grant(world.repo, world.alice, "read")
    world.model.gate.set()
    result = await told(world, number)
    assert "`alice` has no write access here any more" in result
    assert world.github.pulls(world.repo) == []
    assert set(world.github.branches(world.repo)) <= {"main", "openinspect/state"}
    assert [t.outcome for t in (await world.state(number)).turns] == [Outcome.FAILED]
    # The work is still in the sandbox, and somebody who may can have it.
    await world.say("@openinspect say: Go on.", on=number, by=world.bob)
    await world.until(lambda: world.github.pulls(world.repo))
