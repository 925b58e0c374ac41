"""Updates become reports: joined, slowed down, held to a budget. No process, no clock."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.codec import report_from_json, report_to_json
from sandbox.reports import AgentSaid, Numbered, PlanChanged, StillWorking, ToolCalled, Warned
from sandbox.supervisor.clipping import clipped, last_lines, pieces
from sandbox.supervisor.lines import LineCutter, TooLong
from sandbox.supervisor.recorder import CALL_BUDGET, RUNNING_BUDGET, TEXT_BUDGET, Recorder
from sandbox.supervisor.toolcall import line_changes


class Turn:
    """A recorder whose clock the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.reports: list[Any] = []
        self.recorder = Recorder(7, self._emit, workspace="/workspace", now=self.now)

    def _emit(self, report: Any) -> None:
        # Whatever is reported has to pass the host's checks.
        assert report_from_json(report_to_json(Numbered(seq=1, at=1.0, report=report)))
        self.reports.append(report)

    def take(self, what: str, /, **fields: Any) -> None:
        self.recorder.take({"sessionUpdate": what, **fields}, self.now)

    def say(self, text: str, **fields: Any) -> None:
        self.take("agent_message_chunk", content={"type": "text", "text": text}, **fields)

    def call(self, name: str, /, **fields: Any) -> None:
        self.take("tool_call", toolCallId=name, **fields)

    def update(self, name: str, /, **fields: Any) -> None:
        self.take("tool_call_update", toolCallId=name, **fields)

    def after(self, seconds: float) -> list[Any]:
        """What is reported by a tick so much later."""
        self.now += seconds
        before = len(self.reports)
        self.recorder.tick(self.now)
        return self.reports[before:]

    def last(self) -> Any:
        self.recorder.finish(self.now)
        return self.reports[-1]


@pytest.fixture
def turn() -> Turn:
    return Turn()


def test_chunks_are_joined_for_a_quarter_of_a_second(turn):
    turn.say("a ")
    turn.now += 0.1
    turn.say("b ")
    assert turn.after(0.1) == []
    assert turn.after(0.1) == [AgentSaid(turn=7, message=0, text="a b ")]
    assert turn.after(1) == []


def test_four_kilobytes_are_said_at_once(turn):
    turn.say("x" * 4095)
    assert turn.reports == []
    turn.say("xx")
    assert len(turn.reports[0].text) == 4097


def test_a_message_ends_at_a_tool_call_or_a_new_id(turn):
    turn.say("one", messageId="a")
    turn.call("t", title="x", kind="read")
    turn.say("two", messageId="a")
    turn.say("three", messageId="b")
    turn.recorder.finish(turn.now)
    said = [(r.message, r.text) for r in turn.reports if isinstance(r, AgentSaid)]
    assert said == [(0, "one"), (1, "two"), (2, "three")]


def test_text_beyond_the_budget_is_left_out_and_that_is_said(turn):
    for _ in range(5):
        turn.say("é" * (1 << 20))
    turn.recorder.finish(turn.now)
    said = sum(len(r.text) for r in turn.reports if isinstance(r, AgentSaid))
    assert said == TEXT_BUDGET
    assert len([r for r in turn.reports if isinstance(r, Warned)]) == 1


def test_updates_of_a_call_are_told_ten_times_a_second_and_the_last_one_always(turn):
    turn.call("t", title="go", kind="execute", status="in_progress")
    for number in range(1000):
        turn.now += 0.001
        turn.update("t", title=f"go {number}")
        turn.recorder.tick(turn.now)
    turn.update("t", status="completed")
    told = [r for r in turn.reports if isinstance(r, ToolCalled)]
    assert 8 <= len(told) <= 13
    assert (told[-1].status, told[-1].title) == ("completed", "go 999")


def test_a_late_update_is_told_by_the_tick(turn):
    turn.call("t", title="a")
    turn.update("t", title="b")
    assert [r.title for r in turn.after(0.11)] == ["b"]
    turn.update("t", title="b")
    assert turn.after(1) == []  # nothing has changed


def test_output_alone_is_told_once_a_second_within_a_budget(turn):
    turn.call("t", kind="execute", status="in_progress")
    for number in range(100):
        turn.now += 0.1
        turn.update("t", rawOutput={"output": f"{number} " + "x" * 8000})
        turn.recorder.tick(turn.now)
    running = [r for r in turn.reports if isinstance(r, ToolCalled)]
    assert 8 <= len(running) <= 12
    for number in range(3000):
        turn.now += 1.01
        turn.update("t", rawOutput={"output": f"{number} " + "x" * 8000})
    turn.update("t", status="completed", rawOutput={"output": "done"})
    told = [r for r in turn.reports if isinstance(r, ToolCalled)]
    assert sum(len(r.output_tail) for r in told) <= RUNNING_BUDGET + 10_000
    assert told[-1].output_tail == "done"


def test_an_id_that_begins_again_is_another_call(turn):
    for title in ("first", "second", "third"):
        turn.call("0", title=title)
        turn.update("0", status="completed")
        turn.update("0", status="failed")  # after its end: ignored
    told = {r.call: r for r in turn.reports}
    assert [(r.title, r.status) for r in told.values()] == [
        ("first", "completed"),
        ("second", "completed"),
        ("third", "completed"),
    ]


def test_calls_beyond_the_budget_are_left_out_and_that_is_said(turn):
    for number in range(CALL_BUDGET + 10):
        turn.call(str(number), title="x", status="completed")
    assert len([r for r in turn.reports if isinstance(r, ToolCalled)]) == CALL_BUDGET
    assert len([r for r in turn.reports if isinstance(r, Warned)]) == 1


def test_paths_are_relative_to_the_workspace_each_once(turn):
    paths = ["/workspace/a/b.py", "/workspace/./a/b.py", "/workspace", "/etc/passwd", 7, ""]
    turn.call("t", locations=[{"path": path} for path in paths] + [None])
    turn.update("t", content=[{"type": "diff", "path": "/workspace/c", "newText": "x"}])
    assert turn.last().paths == ("a/b.py", "/etc/passwd", "c")


def test_no_more_than_64_paths(turn):
    turn.call("t", locations=[{"path": f"/workspace/{n}"} for n in range(200)])
    assert len(turn.last().paths) == 64


@pytest.mark.parametrize(
    ("raw_output", "code"),
    [
        ({"exit_code": 3}, 3),
        ({"exitCode": 0}, 0),
        ({"output": "x", "metadata": {"exit": 127}}, 127),
        ({"metadata": {"exit": None}}, None),
        ({"exit": True}, None),
        ({"exit": 2**40}, None),
        ("text", None),
        (None, None),
    ],
)
def test_exit_codes_of_several_dialects(turn, raw_output, code):
    turn.call("t", kind="execute", rawInput={"command": ["ls", "-l"]})
    turn.update("t", status="completed", rawOutput=raw_output)
    assert (turn.last().exit_code, turn.last().title) == (code, "ls -l")


def test_output_is_kept_of_commands_and_failures_only(turn):
    turn.call("read", kind="read")
    turn.update("read", status="completed", rawOutput={"output": "the whole file"})
    turn.call("bad", kind="read")
    turn.update("bad", status="failed", rawOutput={"error": "File not found"})
    turn.call("run", kind="execute")
    turn.update("run", status="completed", rawOutput={"output": "x" * 100_000 + "\nend"})
    read, bad, run = [r for r in turn.reports if r.status in ("completed", "failed")]
    assert (read.output_tail, bad.output_tail) == ("", "File not found")
    assert run.output_tail.endswith("\nend")
    assert len(run.output_tail.encode()) <= 8192


def test_lines_of_an_edit_in_opencodes_dialect(turn):
    """Shapes seen from OpenCode 1.18.33."""
    turn.call("e", kind="edit", title="edit", status="pending", rawInput={})
    turn.update(
        "e",
        status="completed",
        title="a.py",
        content=[{"type": "diff", "path": "/workspace/a.py", "oldText": "two", "newText": "2\n2b"}],
        rawOutput={"output": "ok", "metadata": {"filediff": {"additions": 9, "deletions": 1}}},
    )
    turn.call("w", kind="edit", rawInput={"filePath": "/workspace/n", "content": "x\ny\n"})
    turn.update("w", status="completed", rawOutput={"output": "", "metadata": {"exists": False}})
    edit, write = [r for r in turn.reports if r.status == "completed"]
    assert (edit.added, edit.removed) == (9, 1)
    assert (write.added, write.removed) == (2, 0)


def test_a_plan_is_told_at_most_four_times_a_second(turn):
    for number in range(100):
        turn.now += 0.01
        turn.take("plan", entries=[{"content": f"step {number}", "status": "pending"}])
    turn.recorder.finish(turn.now)
    plans = [r for r in turn.reports if isinstance(r, PlanChanged)]
    assert len(plans) <= 6
    assert plans[-1].entries == (("step 99", "pending"),)


def test_opencodes_todos_are_a_plan(turn):
    todos = [{"content": "a", "status": "completed"}, {"content": "b", "status": "cancelled"}, 4]
    turn.call("t", kind="other", title="todowrite", rawInput={"todos": todos})
    turn.update("t", status="completed", rawInput={"todos": todos})
    turn.recorder.finish(turn.now)
    assert [r.entries for r in turn.reports if isinstance(r, PlanChanged)] == [
        (("a", "completed"),)
    ]


def test_beats_only_while_something_happens(turn):
    assert turn.after(15) == []
    turn.recorder.streaming()
    assert turn.after(15) == [StillWorking(turn=7, what="model", seconds=30.0)]
    assert turn.after(15) == []
    turn.call("t", title="build", kind="execute", rawInput={"command": "make"})
    assert [r.what for r in turn.after(15)] == ["make"]
    assert [r.what for r in turn.after(15)] == ["make"]
    turn.update("t", status="completed")
    assert len(turn.after(15)) == 1  # an update came since the last beat
    assert turn.after(15) == []


def test_line_changes():
    assert line_changes("", "a\nb\n") == (2, 0)
    assert line_changes("a\nb\nc\n", "a\nx\nc\n") == (1, 1)
    assert line_changes("a\n" * 5, "a\n" * 5) == (0, 0)
    assert line_changes("a\nb\n", "b\na\n") == (1, 1)
    old = "".join(f"{n}\n" for n in range(100_000))
    assert line_changes(old, "new\n" + old[: len(old) // 2] + "end\n")[0] >= 2


def test_clipping_keeps_characters_whole():
    assert clipped("é" * 10, 20) == "é" * 10
    assert clipped("é" * 11, 20) == "é" * 8 + "…"
    assert clipped("a\ud800", 10) == "a?"
    assert "".join(pieces("aé€😀" * 100, 7)) == "aé€😀" * 100
    assert all(len(p.encode()) <= 7 for p in pieces("aé€😀" * 100, 7))
    assert last_lines("\n".join(map(str, range(100)))) == "\n".join(map(str, range(50, 100)))
    assert len(last_lines("€" * 10_000).encode()) <= 8192


def test_lines_of_any_length_in_bounded_memory():
    cutter = LineCutter(limit=10)
    assert cutter.feed(b"ab\ncd") == [b"ab"]
    assert cutter.feed(b"ef\n\n") == [b"cdef", b""]
    assert cutter.feed(b'{"id":') == []
    for _ in range(1000):
        assert cutter.feed(b"x" * 100) == []
    assert sum(map(len, cutter._parts)) == 0
    (long,) = cutter.feed(b"y\n")
    assert isinstance(long, TooLong)
    assert long.head.startswith(b'{"id":xxx')
    assert cutter.feed(b"last") == []
    assert cutter.rest() == [b"last"]
