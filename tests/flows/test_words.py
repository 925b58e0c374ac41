"""Stop, cancel, status, retry, help: what people say to steer a session."""

from __future__ import annotations

from orchestrator.session.values import Outcome, Status
from orchestrator.session.view import status_of

from .conftest import World


async def running(world: World, number: int) -> None:
    """The agent has the prompt and has begun."""
    await world.until(lambda: "- [x] Ran" in world.status(number))


async def test_stop_ends_the_turn_keeps_the_queue_and_says_so(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect sh: true\nwait", on=number)
    await world.say("@openinspect say: the second one", on=number, by=world.bob)
    await running(world, number)
    await world.say("@openinspect stop", on=number, by=world.bob)
    await world.until(lambda: any("the second one" in c.body for c in world.ours(number)[1:]))

    state = await world.state(number)
    assert [t.outcome for t in state.turns] == [Outcome.STOPPED, Outcome.SUCCEEDED]
    assert state.sandbox is not None, "the sandbox serves the next turn"
    assert state.launches == 1
    [stopped, *_] = [c.body for c in world.ours(number)[1:]]
    assert "Stopped" in stopped


async def test_cancel_ends_the_session_and_the_next_mention_starts_another(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect sh: true\nwait", on=number)
    await running(world, number)
    await world.say("/openinspect cancel", on=number)
    await world.until_status(number, "Cancelled")
    await world.until(lambda: world.github.labels(world.repo, number) == [])
    assert world.provider is not None
    state = await world.state(number)
    assert status_of(state) is Status.CANCELLED

    await world.say("@openinspect say: a new beginning", on=number)
    await world.until(lambda: len(world.ours(number)) == 4)
    assert "a new beginning" in world.ours(number)[3].body
    again = await world.state(number, generation=2)
    assert [t.outcome for t in again.turns] == [Outcome.SUCCEEDED]


async def test_status_and_help_answer_in_the_thread(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect sh: true\nwait", on=number)
    await running(world, number)
    await world.say("@openinspect status", on=number, by=world.bob)
    await world.until(lambda: len(world.ours(number)) == 2)
    answer = world.ours(number)[1].body
    assert "@bob" in answer
    assert "Working" in answer
    await world.say("@openinspect help", on=number)
    await world.until(lambda: len(world.ours(number)) == 3)
    assert "/openinspect cancel" in world.ours(number)[2].body


async def test_help_needs_no_session(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect help", on=number)
    await world.until(lambda: len(world.ours(number)) == 1)
    assert "/openinspect stop" in world.ours(number)[0].body


async def test_retry_runs_the_last_prompt_again_for_whoever_asks(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect sh: echo x >> tries.txt\nsay: tried", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    await world.until_status(number, "Done")
    await world.say("@openinspect retry", on=number, by=world.bob)
    await world.until(lambda: len(world.ours(number)) == 2)
    [pull] = world.github.pulls(world.repo)
    assert world.github.file(world.repo, pull.head, "tries.txt") == "x\nx\n"
    [commit, *_] = world.github.commits(world.repo, pull.head)
    assert commit.author.email.startswith(f"{world.bob.id}+")


async def test_stop_without_a_session_says_what_to_do(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect stop", on=number)
    await world.until(lambda: len(world.ours(number)) == 1)
    assert "no session in this thread" in world.ours(number)[0].body
