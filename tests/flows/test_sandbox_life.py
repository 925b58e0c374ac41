"""What becomes of sandboxes and the agents in them: rest, return, loss, silence, limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.session.values import MAX_PROMPT_CHARACTERS, Outcome
from sandbox.spec import SandboxId

from .conftest import CONFIG, World, make_world
from .model import KEY
from .test_main_road import FIX

IGNORE = {".gitignore": "notes.txt\n"}


async def answered(world: World, number: int, times: int) -> list[str]:
    """The first so many answers beside the status comment."""
    await world.until(lambda: len(world.ours(number)) > times)
    return [c.body for c in world.ours(number)[1:]]


async def released(world: World, number: int) -> None:
    """Ten minutes later."""
    await world.at_rest(number)
    world.clock.leap(10 * 60)
    await world.until_state(number, lambda s: s.sandbox is None and s.snapshot is not None)
    assert world.provider is not None
    assert await world.provider.list({}) == []


@pytest.mark.parametrize("remembers", [True, False])
async def test_an_idle_sandbox_is_put_away_and_comes_back_as_it_was(
    tmp_path: Path, remembers: bool
) -> None:
    async with make_world(tmp_path, IGNORE) as world:
        await world.start()
        number = await world.issue()
        forget = "" if remembers else "\nsh: touch ~/forgetful"
        keep = f"sh: echo here > notes.txt; echo at home > ~/kept.txt{forget}\nsay: Kept it."
        await world.say(f"@openinspect {keep}", on=number)
        await answered(world, number, 1)
        assert "the sandbox is kept for 10 min" in await world.until_status(number, "Done")
        await released(world, number)

        await world.say("@openinspect sh: cat notes.txt ~/kept.txt\nshow-prompt", on=number)
        await answered(world, number, 2)
        state = await world.at_rest(number)
        [before, after] = state.turns
        assert [step.exit_code for step in after.steps if step.exit_code is not None] == [0]
        assert state.launches == 2 and state.sandbox is not None and state.sandbox.restored
        assert state.sandbox.resumed is remembers
        assert ("which you may not remember" in after.said) is not remembers
        assert ("Kept it." in after.said) is not remembers, "else it would be told twice"
        assert ("Rules of this session" in after.said) is not remembers
        assert before.outcome is after.outcome is Outcome.SUCCEEDED


async def test_work_goes_on_after_a_rest_on_the_branch_as_it_is_by_then(world: World) -> None:
    number = await world.issue()
    await world.say(f"@openinspect {FIX}", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    [pull] = world.github.pulls(world.repo)
    await released(world, number)
    await world.github.push_commit(
        world.repo, pull.head, files={"theirs.txt": "mine\n"}, message="By hand", by=world.bob
    )
    more = f"sh: git rebase -q origin/{pull.head} && echo x >> fix.txt && git commit -qam More"
    await world.say(f"@openinspect {more}\nsay: More.", on=pull.number)
    await world.until(lambda: world.ours(pull.number))
    titles = [c.title for c in world.github.commits(world.repo, pull.head)]
    assert titles == ["More", "By hand", "Fix the thing", "Initial commit"]


async def test_a_sandbox_that_dies_in_mid_turn_fails_the_turn_and_no_other(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect sh: true\nwait", on=number)
    await world.until(lambda: "- [x] Ran `true`" in world.status(number))
    box = (await world.state(number)).sandbox
    assert box is not None and world.provider is not None
    await world.provider.terminate(SandboxId(box.id))
    [failed] = await answered(world, number, 1)
    assert "@alice **Failed** · turn 1" in failed
    assert "The sandbox was lost: it is not running any more. What was not pushed" in failed
    assert "retry` runs this prompt again" in failed
    assert "still in the sandbox" not in failed, "it is gone, and what was in it"

    await world.say("@openinspect say: Up again.", on=number)
    [_, second] = await answered(world, number, 2)
    assert "**Done** · turn 2" in second and "Up again." in second
    state = await world.at_rest(number)
    assert [t.outcome for t in state.turns] == [Outcome.FAILED, Outcome.SUCCEEDED]
    assert state.launches == 2 and state.unreleased == ()


async def test_an_agent_that_dies_is_named_and_the_next_one_knows_what_was(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect say: Before.\nsh: touch ~/forgetful\ndie", on=number)
    [failed] = await answered(world, number, 1)
    assert "**Failed**" in failed and "The agent ended with exit code 3." in failed
    await world.say("@openinspect show-prompt", on=number)
    await answered(world, number, 2)
    state = await world.at_rest(number)
    assert state.launches == 1, "the sandbox serves the next agent"
    assert "Earlier in this session, which you may not remember" in state.turns[1].said


async def test_an_agent_that_does_nothing_is_no_success(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect Nothing for you to do.", on=number)
    [failed] = await answered(world, number, 1)
    assert "**Failed**" in failed
    assert "The agent ended its turn without saying or doing anything." in failed


async def test_a_setup_that_fails_is_shown_and_the_work_goes_on(tmp_path: Path) -> None:
    script = "echo preparing\necho no such package >&2\nexit 4\n"
    async with make_world(tmp_path, {".openinspect/setup.sh": script}) as world:
        await world.start()
        number = await world.issue()
        world.model.gate.clear()
        await world.say("@openinspect model: hm\nsay: All the same.", on=number)
        await world.until(lambda: world.model.calls)
        await world.until(lambda: "setup" in world.status(number))
        world.model.gate.set()
        [done] = await answered(world, number, 1)
        assert "**Done**" in done and "All the same." in done
        shown = await world.until_status(number, "Done")
        assert "exit 4" in shown and "no such package" in shown


async def test_a_start_that_fails_fails_the_turn_with_its_last_lines(tmp_path: Path) -> None:
    script = "echo starting the database\necho port 5432 is taken >&2\nexit 1\n"
    async with make_world(tmp_path, {".openinspect/start.sh": script}) as world:
        await world.start()
        number = await world.issue()
        await world.say("@openinspect say: never", on=number)
        [failed] = await answered(world, number, 1)
        assert "**Failed**" in failed and "port 5432 is taken" in failed
        assert ".openinspect/start.sh ended with exit code 1:\n\n```text\nstarting" in failed
        state = await world.at_rest(number)
        assert state.sandbox is None and state.unreleased == ()
        assert world.provider is not None
        assert await world.provider.list({}) == []


async def test_scripts_have_the_time_that_the_configuration_gives_them(tmp_path: Path) -> None:
    config = CONFIG + "start_timeout_seconds: 1\n"
    files = {
        ".openinspect/start.sh": "echo waiting\nsleep 600\n",
        ".openinspect/config.yml": config,
    }
    async with make_world(tmp_path, files) as world:
        await world.start()
        number = await world.issue()
        await world.say("@openinspect say: never", on=number)
        [failed] = await answered(world, number, 1)
        assert "start.sh was stopped after 1 s:\n\n```text\nwaiting\n```" in failed


async def test_silence_ends_a_turn(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect sh: true\nwait", on=number)
    await world.until(lambda: "- [x] Ran `true`" in world.status(number))
    world.clock.leap(2 * 60)
    [ended] = await answered(world, number, 1)
    assert "**Stopped: timed out** · turn 1" in ended
    assert "Nothing was heard from the agent for 120 s." in ended
    state = await world.at_rest(number)
    assert [t.outcome for t in state.turns] == [Outcome.TIMED_OUT]
    assert state.sandbox is not None, "the agent stopped when asked"


async def test_a_turn_has_an_end(tmp_path: Path) -> None:
    config = CONFIG + "limits:\n  turn_minutes: 30\n"
    async with make_world(tmp_path, {".openinspect/config.yml": config}) as world:
        await world.start()
        number = await world.issue()
        await world.say("@openinspect sh: true\nwait", on=number)
        await world.until(lambda: "- [x] Ran `true`" in world.status(number))
        world.clock.leap(30 * 60)
        [ended] = await answered(world, number, 1)
        assert "**Stopped: timed out** · turn 1 · 30 min" in ended
        assert "A turn may take 30 min, and they are over." in ended


async def test_an_agent_that_does_not_stop_is_ended(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect sh: true\ndeaf", on=number)
    await world.until(lambda: "- [x] Ran `true`" in world.status(number))
    await world.say("@openinspect stop", on=number, by=world.bob)
    await world.until(lambda: "**Stopping**" in world.status(number))
    world.clock.leap(15)
    [ended] = await answered(world, number, 1)
    assert "**Stopped** · turn 1" in ended and "Stopped by @bob." in ended
    await world.say("@openinspect say: Up again.", on=number)
    [_, second] = await answered(world, number, 2)
    assert "Up again." in second


async def test_the_eleventh_waiting_prompt_is_refused(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect sh: true\nwait", on=number)
    await world.until(lambda: "- [x] Ran `true`" in world.status(number))
    for n in range(10):
        await world.say(f"@openinspect say: number {n}", on=number)
    await world.say("@openinspect say: one too many", on=number, by=world.bob)
    [refused] = await answered(world, number, 1)
    assert "@bob" in refused and "10 prompts are waiting already" in refused
    await world.until(lambda: "10 prompts waiting" in world.status(number))
    await world.say("@openinspect cancel", on=number)
    await world.until_status(number, "Cancelled")
    assert "10 prompts that waited will not be answered." in world.status(number)
    await world.at_rest(number)


async def test_a_prompt_that_is_too_long_is_refused(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect " + "x" * (MAX_PROMPT_CHARACTERS + 1), on=number)
    await world.until(lambda: len(world.ours(number)) == 1)
    assert "64,001 characters; 64,000 is the most" in world.ours(number)[0].body
    assert (await world.state(number)).opened is None


async def test_a_turn_stops_before_it_costs_more_than_its_budget(tmp_path: Path) -> None:
    config = CONFIG + "limits:\n  turn_usd: 0.03\n"
    async with make_world(tmp_path, {".openinspect/config.yml": config}) as world:
        await world.start()
        number = await world.issue()
        ask = "\n".join(f"model: thought {n}" for n in range(10))
        await world.say(f"@openinspect sh: echo x > x.txt\n{ask}\nsay: never", on=number)
        [ended] = await answered(world, number, 1)
        state = await world.at_rest(number)
        [turn] = state.turns
        assert turn.outcome is Outcome.OUT_OF_BUDGET
        assert "**Stopped: out of budget**" in ended and "of $0.03" in ended
        calls = len(world.model.calls)
        assert 0 < calls < 10
        assert turn.usage.calls == calls, "no call is made that is not accounted for"
        assert 0 < turn.usage.microdollars <= 30_000
        assert turn.reserved_microdollars == 0
        assert set(world.model.keys) == {KEY}, "the key is added outside the sandbox"
        assert world.github.pulls(world.repo) == []
