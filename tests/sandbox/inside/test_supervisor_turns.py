"""Turns: taken once, in order, with the right author, stopped when asked."""

from __future__ import annotations

import asyncio
import json

import pytest

from sandbox.commands import GitIdentity, Prompt, StopTurn
from sandbox.reports import (
    AgentReady,
    AgentSaid,
    PlanChanged,
    StillWorking,
    ToolCalled,
    TurnFinished,
    Warned,
)

BOB = GitIdentity(name="Bob", email="2+bob@users.noreply.github.com")
COMMIT = "run git add -A && git commit -qm work --allow-empty && git log -1 --format='%an %ae %cn'"


async def booted(bench, **more):
    commit = bench.make_repository()
    await bench.start(*more.pop("options", ()))
    link = await bench.attach()
    await link.send(bench.boot(commit, **more))
    await bench.until_kind(link, AgentReady)
    return link


def said(bench) -> str:
    return "".join(report.text for report in bench.reports(AgentSaid))


async def test_a_turn_is_taken_once_whatever_is_sent_again(bench):
    link = await booted(bench)
    await bench.turn(link, 1, "say once")
    await link.send(Prompt(turn=1, text="say twice", author=bench.alice))
    await link.close()
    link = await bench.attach()
    assert (link.hello.running_turn, link.hello.finished_turn) == (None, 1)
    await link.send(Prompt(turn=1, text="say thrice", author=bench.alice))
    await bench.turn(link, 2, "say next")
    assert said(bench) == "oncenext"


async def test_prompts_wait_for_boot_and_for_each_other(bench):
    commit = bench.make_repository({".openinspect/setup.sh": "sleep 0.3"})
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit))
    for turn in (1, 2, 3):
        await link.send(Prompt(turn=turn, text=f"say {turn}", author=bench.alice))
    finished = [await bench.until_kind(link, TurnFinished) for _ in range(3)]
    assert [turn.turn for turn in finished] == [1, 2, 3]
    assert [(piece.turn, piece.text) for piece in bench.reports(AgentSaid)] == [
        (1, "1"),
        (2, "2"),
        (3, "3"),
    ]


async def test_commits_of_a_turn_have_that_prompts_author(bench, git):
    link = await booted(bench)
    await bench.turn(link, 1, COMMIT)
    # An agent that writes its own name into the repository does not keep it.
    await bench.turn(link, 2, "run git config user.name Mallory", author=BOB)
    await bench.turn(link, 3, COMMIT, author=BOB)
    log = git(bench.workspace, "log", "--format=%an %ae %cn", "-2").splitlines()
    assert log == [f"Bob {BOB.email} Bob", f"Alice {bench.alice.email} Alice"]


async def test_stop_cancels_politely(bench):
    link = await booted(bench)
    await link.send(Prompt(turn=1, text="say hm\nwait", author=bench.alice))
    await bench.until_kind(link, AgentSaid)
    await link.send(StopTurn(turn=1))
    finished = await bench.until_kind(link, TurnFinished)
    assert (finished.reason, finished.produced) == ("cancelled", True)
    await bench.turn(link, 2, "say still here")
    assert len(bench.reports(AgentReady)) == 1


async def test_stop_kills_after_its_grace_and_the_session_is_taken_up_again(bench):
    link = await booted(bench)
    await link.send(Prompt(turn=1, text="say hm\nstubborn", author=bench.alice))
    await bench.until_kind(link, AgentSaid)
    await link.send(StopTurn(turn=1, grace_seconds=0.2))
    assert (await bench.until_kind(link, TurnFinished)).reason == "cancelled"
    finished = await bench.turn(link, 2, "say back")
    assert finished.reason == "end_turn"
    first, second = bench.reports(AgentReady)
    assert (second.session, second.resumed) == (first.session, True)
    assert said(bench) == "hmback"  # and not what the agent replayed while it loaded


async def test_stop_of_a_turn_that_waits_ends_it_unprompted(bench):
    link = await booted(bench)
    await link.send(Prompt(turn=1, text="wait", author=bench.alice))
    await link.send(Prompt(turn=2, text="say never", author=bench.alice))
    await link.send(StopTurn(turn=2))
    await link.send(StopTurn(turn=7))
    await link.send(StopTurn(turn=1))
    first = await bench.until_kind(link, TurnFinished)
    second = await bench.until_kind(link, TurnFinished)
    assert [(t.turn, t.reason) for t in (first, second)] == [(1, "cancelled"), (2, "cancelled")]
    assert said(bench) == ""


@pytest.mark.parametrize(
    ("text", "reason", "error", "produced"),
    [
        ("mute", "end_turn", "", False),
        ("refuse", "refusal", "", False),
        ("say hm\nfail The model is overloaded", "error", "The model is overloaded", True),
        ("stderr out of luck\ndie 5", "error", "exit code 5; its last words:\nout of luck", False),
    ],
)
async def test_how_a_turn_can_end(bench, text, reason, error, produced):
    link = await booted(bench)
    finished = await bench.turn(link, 1, text)
    assert (finished.reason, finished.produced) == (reason, produced)
    assert error in finished.error
    assert (await bench.turn(link, 2, "say well")).reason == "end_turn"


async def test_permission_is_given_and_files_are_not_offered(bench):
    link = await booted(bench)
    await bench.turn(link, 1, "permission\nfs /etc/passwd")
    assert said(bench) == "permission: yesfs: -32601"


async def test_model_and_effort_are_chosen_where_the_agent_offers_them(bench):
    link = await booted(bench, program={"model": "test/large", "effort": "low"})
    await bench.turn(link, 1, "model", model="test/large", effort="low")
    assert said(bench) == "model=test/large effort=low"
    await bench.turn(link, 2, "say ok", effort="high")
    await bench.turn(link, 3, "say ok", model="test/small", effort="extreme")
    (warned,) = bench.reports(Warned)
    assert warned.message == "the agent does not offer the effort extreme; it uses high"


async def test_a_plan_is_told_whole(bench):
    link = await booted(bench)
    await bench.turn(link, 1, "plan look | fix | test")
    (plan,) = bench.reports(PlanChanged)
    assert plan.entries == (("look", "pending"), ("fix", "pending"), ("test", "pending"))


async def test_ten_thousand_updates_become_few_reports_and_lose_nothing(bench):
    link = await booted(bench)
    finished = await bench.turn(link, 1, "many 10000")
    assert finished.reason == "end_turn"
    assert said(bench).split() == [str(n) for n in range(10_000)]
    assert len(bench.reports(AgentSaid)) < 100


async def test_a_long_tool_call_beats_and_silence_does_not(bench):
    link = await booted(bench, options=("--beat-seconds", "0.2"))
    await link.send(Prompt(turn=1, text="run sleep 1000", author=bench.alice))
    beats = [await bench.until_kind(link, StillWorking) for _ in range(3)]
    assert {beat.what for beat in beats} == {"sleep 1000"}
    assert beats[0].seconds < beats[2].seconds
    await link.send(StopTurn(turn=1, grace_seconds=0))
    await bench.until_kind(link, TurnFinished)
    assert bench.reports(ToolCalled)[-1].status == "in_progress"
    beats_before = len(bench.reports(StillWorking))
    await link.send(Prompt(turn=2, text="say hm\nwait", author=bench.alice))
    await bench.until_kind(link, AgentSaid)
    await asyncio.sleep(0.7)  # what must not happen has no event to wait for
    await link.send(StopTurn(turn=2))
    await bench.until_kind(link, TurnFinished)
    assert len(bench.reports(StillWorking)) - beats_before <= 1


async def test_the_agent_sees_only_the_environment_it_was_given(bench):
    link = await booted(
        bench, env={"GRANTED": "yes", "BOTH": "boot"}, program={"env": {"BOTH": "agent"}}
    )
    await bench.turn(link, 1, "env")
    env = json.loads(said(bench))
    assert (env["GRANTED"], env["BOTH"], env["HOME"]) == ("yes", "agent", str(bench.home))
    assert env["OPENINSPECT_GATEWAY"] == f"http://127.0.0.1:{link.gateway_port}"
    assert env["PATH"].startswith(f"{bench.home}/.venv/bin:{bench.home}/.npm-global/bin:")
    ours = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "VIRTUAL_ENV"}
    ours |= {"NPM_CONFIG_PREFIX", "GRANTED", "BOTH", "LC_CTYPE"}
    assert {name for name in env if not name.startswith("OPENINSPECT_")} - ours == set()
