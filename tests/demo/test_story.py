"""The demo's story as it is read in a pipe and on a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from bot.demo.comment_view import headline, live_step, shown
from bot.demo.happenings import (
    Asked,
    CommentEdited,
    CommitPushed,
    Decided,
    DeliverySent,
    DiffShown,
    Happening,
    Opened,
    PullRequestOpened,
    Reacted,
    SandboxReady,
    StepSeen,
    Summary,
    TestsRan,
    TurnEnded,
    WentWrong,
)
from bot.demo.story import Story

WORKING = """\
**Working** · turn 1 · 12 s · $0.02

> fix the failing retry test — @octocat

- [x] Sandbox ready in 0.4 s (at 3f2a91c)
- [ ] Running `python3 -m unittest` (2 s)

<details><summary>Activity, 3 steps</summary>

- [x] secret inner line

</details>

<sub>`/openinspect stop` · `cancel`</sub>
<!-- openinspect:v1 c2lnbmVk -->
"""

DONE = """\
**Done** · turn 1 · 31 s · $0.03 → #2 (draft)

The check moved ahead of the sleep.

| | |
|---|---|
| Changed | `patient/retry.py` +2 −2 |
| Ran | `python3 -m unittest` passed |
"""

PATCH = """\
diff --git a/patient/retry.py b/patient/retry.py
--- a/patient/retry.py
+++ b/patient/retry.py
@@ -41,1 +41,1 @@
-            if limit.passed():
+            if pause >= limit.remaining():
"""

STORY: list[Happening] = [
    Opened(repository="acme/patient", url="http://127.0.0.1:8080/acme/patient/issues/1"),
    Asked(author="octocat", thread="acme/patient#1", text="@openinspect fix the\nretry test"),
    DeliverySent(event="issue_comment.created", status=202, milliseconds=11.6),
    Decided(accepted=True, reason="@octocat has write access"),
    Reacted(content="eyes", milliseconds=84),
    CommentEdited(markdown="**Queued**", created=True),
    SandboxReady(how="cold", commit="3f2a91c0ffee", seconds=0.42),
    CommentEdited(markdown=WORKING),
    StepSeen(text="python3 -m unittest: exit 1", state="failed", seconds=0.5),
    StepSeen(text="Edited patient/retry.py (+2 −2)", state="done"),
    CommitPushed(
        branch="openinspect/1-retry",
        sha="beefbeefbeef",
        subject="Give up earlier",
        author="octocat",
    ),
    PullRequestOpened(number=2, title="Give up earlier", url="http://127.0.0.1/2", draft=True),
    CommentEdited(markdown=DONE),
    TurnEnded(turn=1, state="Done", ok=True, seconds=31, cost_usd=0.031),
    DiffShown(patch=PATCH),
    TestsRan(command="python3 -m unittest", ok=True, seconds=0.61, tail="Ran 20 tests\n\nOK\n"),
    Summary(
        ok=True,
        facts=(("Pull request", "#2, 2 commits"), ("Cost", "$0.03")),
        open=("http://127.0.0.1:8080/acme/patient/pull/2",),
        type=("make demo ARGS=--keep",),
    ),
]


def clock() -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += 0.25


def told(happenings: list[Happening], console: Console, **options: bool) -> str:
    ticks = clock()
    with Story(console, clock=lambda: next(ticks), **options) as story:
        for happening in happenings:
            story.tell(happening)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def pipe() -> Console:
    return Console(file=io.StringIO(), width=60)


def terminal(*, no_color: bool = False, kind: str = "xterm-256color") -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        no_color=no_color,
        width=80,
        height=40,
        _environ={"TERM": kind},
    )


def test_in_a_pipe_every_happening_is_a_whole_line() -> None:
    assert told(STORY, pipe()) == (
        """\
   0.25 s  github        acme/patient is at http://127.0.0.1:8080/acme/patient/issues/1
   0.50 s  comment       @octocat on acme/patient#1: "@openinspect fix the retry test"
   0.75 s  delivery      issue_comment.created → 202 in 12 ms
   1.00 s  decision      accepted: @octocat has write access
   1.25 s  reaction      eyes, 84 ms after the delivery
   1.50 s  created       Queued
   1.75 s  sandbox       ready in 0.4 s (cold, 3f2a91c)
   2.00 s  edited        Working · turn 1 · 12 s · $0.02 · Running python3 -m unittest (2 s)
   2.25 s  step          ✗ python3 -m unittest: exit 1 (0.5 s)
   2.50 s  step          ✓ Edited patient/retry.py (+2 −2)
   2.75 s  commit        beefbee on openinspect/1-retry by octocat: Give up earlier
   3.00 s  pull request  #2 Give up earlier (draft)
   3.25 s                http://127.0.0.1/2
   3.50 s  edited        Done · turn 1 · 31 s · $0.03 → #2 (draft)
   3.75 s  turn          1 done in 31.0 s, $0.0310

    diff --git a/patient/retry.py b/patient/retry.py
    --- a/patient/retry.py
    +++ b/patient/retry.py
    @@ -41,1 +41,1 @@
    -            if limit.passed():
    +            if pause >= limit.remaining():

   4.00 s  tests         pass: `python3 -m unittest` in a fresh clone of the head (0.6 s)

    Ran 20 tests

    OK


Done in 4.2 s
  Pull request  #2, 2 commits
  Cost          $0.03

Open
  http://127.0.0.1:8080/acme/patient/pull/2

Type next
  make demo ARGS=--keep
"""
    )


@pytest.mark.parametrize(
    ("console", "draws"),
    [(terminal(), True), (terminal(no_color=True), False), (terminal(kind="dumb"), False)],
)
def test_only_a_terminal_with_colour_is_drawn_on(console: Console, draws: bool) -> None:
    assert ("the status comment on GitHub" in told(STORY, console)) is draws


def test_on_a_terminal_the_comment_is_drawn_in_its_place_and_stays_once() -> None:
    out = told(STORY, terminal(), draw=True)
    assert "The check moved ahead of the sleep." in out
    assert "\x1b[1A" in out, "the panel before is taken away again"
    assert "\x1b[?25h" in out, "the cursor is back"
    settled = out[out.rindex("╭─") :]
    assert "Working" not in settled
    assert "+            if pause" in settled, "the diff comes after the comment"


def test_on_a_terminal_a_long_line_is_cut_at_its_width() -> None:
    long = Decided(accepted=False, reason="because " * 30)
    line = told([long], Console(file=io.StringIO(), width=60, color_system=None), draw=True)
    assert len(line.rstrip("\n")) == 60
    assert line.endswith("…\n")
    assert "ignored: because" in line


def test_the_terminal_is_in_order_after_an_interruption() -> None:
    console = terminal()
    with pytest.raises(KeyboardInterrupt), Story(console, draw=True) as story:
        story.tell(CommentEdited(markdown=WORKING))
        raise KeyboardInterrupt
    assert isinstance(console.file, io.StringIO)
    out = console.file.getvalue()
    assert out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l")


def test_what_an_agent_prints_cannot_steer_the_terminal() -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b31mtext"
    happenings: list[Happening] = [
        StepSeen(text=hostile, state="done"),
        CommentEdited(markdown=hostile),
        DiffShown(patch=f"+{hostile}\n"),
        TestsRan(command=hostile, ok=False, seconds=1, tail=hostile),
        WentWrong(what=hostile),
        Summary(ok=False, facts=(("Cost", hostile),), open=(hostile,)),
    ]
    for options in ({"draw": False}, {"draw": True}):
        console = Console(file=io.StringIO(), width=80, color_system=None)
        assert not {"\x1b", "\x07", "\x9b"} & set(told(happenings, console, **options))


def test_a_failure_is_said_last() -> None:
    failed: list[Happening] = [
        TestsRan(command="pytest", ok=False, seconds=1, tail="1 failed"),
        Summary(ok=False, facts=()),
    ]
    out = told(failed, pipe())
    assert "FAIL: `pytest` in a fresh clone" in out
    assert out.splitlines()[-1].startswith("Not done in")


def test_a_comment_as_a_terminal_shows_it() -> None:
    assert (
        shown(WORKING)
        == """\
**Working** · turn 1 · 12 s · $0.02

> fix the failing retry test — @octocat

- ✓ Sandbox ready in 0.4 s (at 3f2a91c)
- … Running `python3 -m unittest` (2 s)

▸ Activity, 3 steps

`/openinspect stop` · `cancel`"""
    )
    assert headline(WORKING) == "Working · turn 1 · 12 s · $0.02"
    assert live_step(WORKING) == "Running python3 -m unittest (2 s)"
    assert "- Changed: `patient/retry.py` +2 −2\n- Ran: `python3" in shown(DONE)
    assert headline("") == live_step("") == ""
