"""A prompt goes in, the agent works, reports and commits come out."""

from __future__ import annotations

from sandbox.reports import AgentReady, AgentSaid, Booted, ToolCalled


async def test_a_prompt_becomes_reports(bench):
    commit = bench.make_repository()
    await bench.start()
    link = await bench.attach()
    assert link.hello.phase == "waiting"
    await link.send(bench.boot(commit))
    booted = await bench.until_kind(link, Booted)
    assert booted.head == commit
    ready = await bench.until_kind(link, AgentReady)
    assert (ready.name, ready.session, ready.resumed) == ("obliging", "session-1", False)

    finished = await bench.turn(
        link, 1, "say Looking.\nwrite a.txt one\\ntwo\\n\nrun echo out; exit 3\nsay All done."
    )

    assert (finished.reason, finished.error, finished.produced) == ("end_turn", "", True)
    said = bench.reports(AgentSaid)
    assert [(s.message, s.text) for s in said] == [(0, "Looking."), (1, "All done.")]
    calls = {call.call: call for call in bench.reports(ToolCalled)}
    edit, run = calls.values()
    assert (edit.kind, edit.paths, edit.added, edit.removed) == ("edit", ("a.txt",), 2, 0)
    assert edit.status == "completed"
    assert (run.kind, run.title, run.exit_code) == ("execute", "echo out; exit 3", 3)
    assert (run.status, run.output_tail) == ("failed", "out")
    assert [n.seq for n in bench.seen] == list(range(1, len(bench.seen) + 1))
