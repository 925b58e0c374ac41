"""An agent may do anything; the turn ends in words, and the supervisor lives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.reports import AgentReady, AgentSaid, BootFailed, ToolCalled, TurnFinished, Warned


async def booted(bench, way, **more):
    commit = bench.make_repository()
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit, agent="rude.py", arguments=(way,), **more))
    await bench.until_kind(link, AgentReady)
    return link


def said(bench) -> str:
    return "".join(report.text for report in bench.reports(AgentSaid))


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("exits", "ended with exit code 7; its last words:\nno licence found"),
        ("version", "does not speak version 1 of ACP"),
        ("no-session", "authentication required"),
        ("closes", "the agent"),
    ],
)
async def test_an_agent_that_cannot_start_fails_the_boot(bench, way, words):
    commit = bench.make_repository()
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit, agent="rude.py", arguments=(way,)))
    failed = await bench.until_kind(link, BootFailed)
    assert failed.step == "agent"
    assert words in failed.message
    finished = await bench.turn(link, 1, "hello?")
    assert (finished.reason, finished.produced) == ("error", False)
    assert "did not boot" in finished.error
    await link.close()
    assert (await bench.attach()).hello.phase == "failed"


async def test_a_command_that_does_not_exist_fails_the_boot(bench):
    commit = bench.make_repository()
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit, program={"command": ("/nowhere/agent", "acp")}))
    failed = await bench.until_kind(link, BootFailed)
    assert "does not start" in failed.message


async def test_garbage_between_messages_is_skipped_and_told_once(bench):
    link = await booted(bench, "garbage")
    assert (await bench.turn(link, 1, "go")).reason == "end_turn"
    (warned,) = bench.reports(Warned)
    assert "not a message" in warned.message


async def test_answers_that_were_not_asked_for_do_no_harm(bench):
    link = await booted(bench, "unasked")
    assert (await bench.turn(link, 1, "go")).reason == "end_turn"
    assert {warned.scope for warned in bench.reports(Warned)} == {"agent"}


async def test_unknown_and_malformed_updates_do_no_harm(bench):
    link = await booted(bench, "unknown")
    finished = await bench.turn(link, 1, "go")
    assert finished.reason == "end_turn"
    calls = bench.reports(ToolCalled)
    assert {(call.call, call.kind, call.status) for call in calls} == {("t", "other", "pending")}
    assert said(bench) == ""


async def test_requests_that_we_do_not_offer_get_a_proper_error(bench):
    link = await booted(bench, "requests")
    await bench.turn(link, 1, "go")
    assert said(bench).split() == ["-32601", "-32601", "-32601", "-32602"]


async def test_a_line_of_100_megabytes_is_dropped_in_bounded_memory(bench):
    link = await booted(bench, "huge")
    before = resident(bench)
    assert (await bench.turn(link, 1, "go")).reason == "end_turn"
    assert said(bench) == "after the flood"
    assert any("more than 8 MiB" in warned.message for warned in bench.reports(Warned))
    assert peak(bench) - before < 60 << 20


async def test_an_answer_that_is_too_long_ends_the_turn(bench):
    link = await booted(bench, "huge-answer")
    finished = await bench.turn(link, 1, "go")
    assert (finished.reason, finished.error) == ("error", "the answer was too long")


async def test_the_last_message_needs_no_newline(bench):
    link = await booted(bench, "no-newline")
    finished = await bench.turn(link, 1, "go")
    assert finished.reason == "end_turn"
    assert said(bench) == "said"


async def test_lone_surrogates_become_question_marks(bench):
    link = await booted(bench, "surrogates")
    assert (await bench.turn(link, 1, "go")).reason == "end_turn"
    assert said(bench) == "a?b"


async def test_updates_just_after_the_answer_belong_to_the_turn(bench):
    link = await booted(bench, "late")
    await bench.turn(link, 1, "go")
    assert said(bench) == "before and after"


async def test_a_stop_reason_that_acp_does_not_know_is_an_error(bench):
    link = await booted(bench, "reason")
    finished = await bench.turn(link, 1, "go")
    assert finished.reason == "error"
    assert "tired" in finished.error


async def test_an_agent_that_dies_in_a_turn_is_told_and_started_again(bench):
    link = await booted(bench, "killed")
    finished = await bench.turn(link, 1, "go")
    assert finished.reason == "error"
    assert "was killed (SIGKILL); its last words:\nKilled by the test" in finished.error
    finished = await bench.turn(link, 2, "go on")
    assert "SIGKILL" in finished.error
    assert len(bench.reports(AgentReady)) == 2


async def test_what_a_dead_agent_left_running_is_killed(bench):
    link = await booted(bench, "leaves")
    finished = await bench.turn(link, 1, "go")
    assert "exit code 3" in finished.error
    child = int((bench.workspace / "child.pid").read_text())
    assert not alive(child)


@pytest.mark.parametrize("way", ["load-fails", "dies-loading"])
async def test_a_session_that_cannot_be_loaded_begins_anew(bench, way):
    link = await booted(bench, way, program={"session": "from-before"})
    (ready,) = bench.reports(AgentReady)
    assert (ready.session, ready.resumed) == ("rude", False)
    assert (await bench.turn(link, 1, "go")).reason == "end_turn"


async def test_an_agent_that_never_answers_is_stopped(bench):
    from sandbox.commands import Prompt, StopTurn

    link = await booted(bench, "never")
    author = bench.alice
    await link.send(Prompt(turn=1, text="go", author=author))
    await link.send(StopTurn(turn=1, grace_seconds=0.2))
    finished = await bench.until_kind(link, TurnFinished)
    assert (finished.turn, finished.reason, finished.produced) == (1, "cancelled", False)


def status(bench, field: str) -> int:
    lines = Path(f"/proc/{bench.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


def resident(bench) -> int:
    return status(bench, "VmRSS")


def peak(bench) -> int:
    return status(bench, "VmHWM")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
