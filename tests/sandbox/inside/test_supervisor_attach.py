"""Attaching: epochs, what is sent again, and how a supervisor ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from sandbox.commands import Prompt, Shutdown
from sandbox.frames import Frame, FrameType, encode, fragments
from sandbox.link import connect
from sandbox.provider import SandboxError, SandboxGone
from sandbox.reports import AgentReady, AgentSaid, Booted, BootFailed, ToolCalled, TurnFinished

INTRUDER = """
import asyncio
from pathlib import Path
from sandbox.link import connect
try:
    asyncio.run(connect(Path("{socket}"), epoch=99, after=0, handlers={{}}))
    print("in")
except Exception as error:
    print(type(error).__name__)
"""


async def booted(bench, *options, **more):
    commit = bench.make_repository()
    await bench.start(*options)
    link = await bench.attach()
    await link.send(bench.boot(commit, **more))
    await bench.until_kind(link, AgentReady)
    return link


async def test_a_higher_epoch_evicts_and_a_lower_one_is_refused(bench):
    await bench.start()
    first = await bench.attach(epoch=3)
    second = await bench.attach(epoch=5)
    with pytest.raises(SandboxGone, match="evicted"):
        await anext(aiter(first.reports()))
    with pytest.raises(SandboxError, match="refused: epoch"):
        await bench.attach(epoch=4)
    await second.ping()


async def test_the_epoch_outlives_the_supervisor(bench):
    await bench.start()
    await bench.attach(epoch=9)
    await bench.kill()
    await bench.start()
    with pytest.raises(SandboxError, match="refused: epoch"):
        await bench.attach(epoch=8)
    await bench.attach(epoch=9)


async def test_a_turn_goes_on_while_nobody_is_attached_and_nothing_is_missed(bench):
    link = await booted(bench)
    await link.send(Prompt(turn=1, text="say a\nrun sleep 0.3\nsay b", author=bench.alice))
    await bench.until_kind(link, AgentSaid)
    await link.close()
    link = await bench.attach()
    await bench.until_kind(link, TurnFinished)
    assert [n.seq for n in bench.seen] == list(range(1, len(bench.seen) + 1))
    assert [said.text for said in bench.reports(AgentSaid)] == ["a", "b"]


async def test_ten_thousand_reports_are_sent_again_without_a_gap(bench):
    link = await booted(bench)
    await bench.turn(link, 1, "tools 5000", patience=60)
    calls = len(bench.reports(ToolCalled))
    last = len(bench.seen)
    assert calls >= 10_000
    await link.acknowledge(last)
    await link.close()
    bench.seen.clear()
    link = await bench.attach()
    await bench.until_kind(link, TurnFinished)
    assert [n.seq for n in bench.seen] == list(range(1, last + 1))
    assert len(bench.reports(ToolCalled)) == calls
    assert sum(f.stat().st_size for f in (bench.run_dir / "reports").iterdir()) < 17 << 20


async def test_a_wire_cut_in_a_frame_harms_nobody_else(bench):
    link = await booted(bench)
    await link.close()
    cut = socket.socket(socket.AF_UNIX)
    cut.connect(str(bench.socket))
    hello = fragments(FrameType.HELLO, b'{"v":1,"epoch":50,"after":0}')[0]
    cut.sendall(hello + encode(Frame(FrameType.CONTROL, 0, b'{"command"'))[:-3])
    cut.close()
    link = await bench.attach(epoch=51)
    assert (await bench.turn(link, 1, "say fine")).reason == "end_turn"


async def test_nonsense_at_the_door_harms_nobody(bench):
    link = await booted(bench)
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 1000, b""):
        visitor = socket.socket(socket.AF_UNIX)
        visitor.connect(str(bench.socket))
        visitor.sendall(said)
        visitor.close()
    assert (await bench.turn(link, 1, "say fine")).reason == "end_turn"


async def test_a_command_that_makes_no_sense_ends_that_wire_only(bench):
    link = await booted(bench)
    await link._wire.send_control({"command": "boot", "mode": "fast"})
    with pytest.raises(SandboxGone, match="protocol error"):
        await anext(aiter(link.reports()))
    link = await bench.attach()
    assert (await bench.turn(link, 1, "say fine")).reason == "end_turn"


async def test_a_process_of_the_sandbox_is_not_let_in(bench):
    """The agent's own try to take the wire over is turned away at the door."""
    link = await booted(bench)
    (bench.workspace / "intruder.py").write_text(INTRUDER.format(socket=bench.socket))
    command = f"{sys.executable} intruder.py"
    later = f"setsid -f {command} > log; while [ ! -s log ]; do sleep 0.05; done; cat log"
    await bench.turn(link, 1, f"run {command}\nrun {later}")
    tails = [c.output_tail for c in bench.reports(ToolCalled) if c.status == "completed"]
    assert tails == ["SandboxGone", "SandboxGone"]
    await link.ping()


async def test_asking_for_reports_that_do_not_exist_is_an_error(bench):
    await booted(bench)
    with pytest.raises(SandboxError, match="reports after 1000"):
        await bench.attach(after=1000)


async def test_shutdown_ends_everything_it_started(bench):
    script = "setsid sleep 1001 & (setsid sleep 1002 &) ; sleep 1003 & echo $! > x"
    commit = bench.make_repository({".openinspect/start.sh": script})
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit))
    await bench.until_kind(link, AgentReady)
    await link.send(Prompt(turn=1, text="say hm\nrun setsid sleep 1004", author=bench.alice))
    await bench.until_kind(link, AgentSaid)
    family = below(bench.process.pid)
    assert len(family) >= 4
    await link.send(Shutdown())
    assert await bench.ended() == 0
    assert not bench.socket.exists()
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
    with pytest.raises(SandboxGone, match="the supervisor ends"):
        async for numbered in link.reports():
            bench.seen.append(numbered)


async def test_sigterm_ends_it_too(bench):
    await booted(bench)
    family = below(bench.process.pid)
    assert family
    bench.process.send_signal(signal.SIGTERM)
    assert await bench.ended() == 0
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []


async def test_a_supervisor_nobody_comes_back_to_ends_itself(bench):
    link = await booted(bench, "--orphan-seconds", "0.5")
    await asyncio.sleep(0.8)  # attached: it stays, and there is no event for that
    await link.ping()
    await link.close()
    assert await bench.ended() == 0


async def test_a_supervisor_nobody_ever_comes_to_ends_itself(bench):
    await bench.start("--orphan-seconds", "0.3")
    assert await bench.ended() == 0


async def test_a_new_supervisor_goes_on_where_the_old_one_was(bench):
    link = await booted(bench)
    await bench.turn(link, 1, "say one")
    await link.send(Prompt(turn=2, text="say two\nwait", author=bench.alice))
    await bench.until_report(link, lambda r: isinstance(r, AgentSaid) and r.turn == 2)
    family = below(bench.process.pid)
    bench.process.kill()
    await bench.ended()
    for pid in family:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
    await bench.start()
    link = await bench.attach()
    assert (link.hello.phase, link.hello.finished_turn) == ("ready", 2)
    finished = await bench.until_kind(link, TurnFinished)
    assert (finished.turn, finished.reason) == (2, "error")
    await link.send(Prompt(turn=2, text="say again", author=bench.alice))
    await bench.turn(link, 3, "say three")
    assert [said.text for said in bench.reports(AgentSaid)] == ["one", "two", "three"]
    assert bench.reports(AgentReady)[-1].resumed is True
    assert len(bench.reports(Booted)) == 1


async def test_a_supervisor_that_was_cut_off_while_booting_says_so(bench):
    commit = bench.make_repository({".openinspect/setup.sh": "echo $$ > pid; sleep 1000"})
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit))
    while not (bench.workspace / "pid").exists():
        await asyncio.sleep(0.01)
    family = below(bench.process.pid)
    bench.process.kill()
    await bench.ended()
    for pid in family:
        os.kill(pid, signal.SIGKILL)
    await bench.start()
    link = await bench.attach()
    assert link.hello.phase == "failed"
    failed = await bench.until_kind(link, BootFailed)
    assert "started again" in failed.message


async def test_reports_survive_half_a_line_at_the_end(bench):
    link = await booted(bench)
    await bench.turn(link, 1, "say one")
    bench.process.kill()
    await bench.ended()
    (segment,) = (bench.run_dir / "reports").iterdir()
    segment.write_bytes(segment.read_bytes() + b'{"seq":999,"at"')
    last = len(bench.seen)
    await bench.start()
    link = await bench.attach()
    assert link.hello.last_seq == last
    await bench.turn(link, 2, "say two")
    assert [n.seq for n in bench.seen] == list(range(1, len(bench.seen) + 1))


async def test_no_socket_no_sandbox(bench):
    with pytest.raises(SandboxGone):
        await connect(bench.socket, epoch=1, after=0, handlers={})


def below(pid: int) -> list[int]:
    """All processes below `pid`, as ps sees them."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            child, rest = stat.read_text().split(" ", 1)
        except OSError:
            continue
        parent = int(rest.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(child))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found
