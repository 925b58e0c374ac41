"""From a person's comment to a pull request whose commits are theirs, and on from there."""

from __future__ import annotations

import re

from orchestrator.session.values import Outcome

from .conftest import World

FIX = "sh: echo fixed > fix.txt && git add -A && git commit -qm 'Fix the thing'\nsay: Fixed it."


async def test_a_mention_becomes_a_pull_request_by_the_person_who_asked(world: World) -> None:
    number = await world.issue("The retry test is flaky")
    comment = await world.say(f"@openinspect {FIX}", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    await world.until_status(number, "Done")

    [pull] = world.github.pulls(world.repo)
    assert pull.draft
    assert pull.head == "openinspect/1-the-retry-test-is-flaky"
    assert "Fixes #1" in pull.body
    assert "@alice" in pull.body
    [commit] = [
        c for c in world.github.commits(world.repo, pull.head) if c.title != "Initial commit"
    ]
    assert commit.author.name == "Alice Liddell" or commit.author.name == "alice"
    assert commit.author.email == f"{world.alice.id}+alice@users.noreply.github.com"
    assert world.github.file(world.repo, pull.head, "fix.txt") == "fixed\n"
    assert [r.content for r in world.github.reactions(comment)] == ["eyes"]
    assert "#2" in world.status(number)
    assert "Fixed it." in world.status(number)
    [status] = world.ours(number)  # a turn that opens a pull request needs no reply
    [first, second, *_] = [re.sub(r"[\d.]+ s", "", text) for text in (*status.history, status.body)]
    assert first != second, "the first edit says more than that time has passed"


async def test_a_follow_up_on_the_pull_request_goes_on_in_the_same_session(world: World) -> None:
    number = await world.issue()
    await world.say(f"@openinspect {FIX}", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    [pull] = world.github.pulls(world.repo)
    more = "sh: echo more >> fix.txt && git commit -qam 'Say more'\nsay: Said more."
    await world.say(f"@openinspect {more}", on=pull.number, by=world.bob)
    await world.until(
        lambda: any("Said more." in c.body for c in world.ours(pull.number)), seconds=30
    )

    titles = [c.title for c in world.github.commits(world.repo, pull.head)]
    assert titles[:2] == ["Say more", "Fix the thing"]
    authors = [c.author.email for c in world.github.commits(world.repo, pull.head)][:2]
    assert authors == [
        f"{world.bob.id}+bob@users.noreply.github.com",
        f"{world.alice.id}+alice@users.noreply.github.com",
    ]
    state = await world.state(number)
    assert [t.outcome for t in state.turns] == [Outcome.SUCCEEDED, Outcome.SUCCEEDED]
    assert len(world.github.pulls(world.repo)) == 1


async def test_what_the_agent_left_uncommitted_is_not_lost(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect write it down\nsh: echo kept > kept.txt\nsay: Done.", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    [pull] = world.github.pulls(world.repo)
    assert world.github.file(world.repo, pull.head, "kept.txt") == "kept\n"
    [commit, *_] = world.github.commits(world.repo, pull.head)
    assert commit.title == "write it down"


async def test_a_question_is_answered_without_a_pull_request(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect what is this?\nsay: A test repository.", on=number)
    await world.until(lambda: len(world.ours(number)) == 2)
    assert "A test repository." in world.ours(number)[1].body
    assert "@alice" in world.ours(number)[1].body
    assert world.github.pulls(world.repo) == []


async def test_prompts_of_several_people_run_one_after_another(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect sh: sleep 1\nsay: one", on=number)
    await world.say("@openinspect say: two", on=number, by=world.bob)
    await world.say("@openinspect say: three", on=number)
    await world.until(lambda: len(world.ours(number)) == 4)
    state = await world.state(number)
    assert [t.said for t in state.turns] == ["one", "two", "three"]
    assert [t.prompt.author.login for t in state.turns] == ["alice", "bob", "alice"]
