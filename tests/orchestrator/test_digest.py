"""What a run of reports means: bounded, cleaned, and the same however the run was cut."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.digest import (
    MAX_PATHS,
    MAX_SAID,
    MAX_TAIL,
    MAX_TITLE,
    Heard,
    digest,
)
from orchestrator.session.commands import Finished, Receive
from orchestrator.session.values import StepKind, StepStatus
from sandbox.reports import (
    AgentReady,
    AgentSaid,
    Booted,
    BootFailed,
    Numbered,
    PlanChanged,
    Report,
    ScriptFinished,
    StillWorking,
    ToolCalled,
    ToolKind,
    ToolStatus,
    TurnFinished,
    Warned,
)

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECRET = "an-obviously-fake-secret"


def clean(text: str) -> str:
    return text.replace(SECRET, "[removed]")


def told(*reports: Report, heard: Heard | None = None, first: int = 1) -> Receive:
    numbered = [Numbered(seq=first + n, at=0.0, report=r) for n, r in enumerate(reports)]
    return digest(3, numbered, heard or Heard(turn=1), AT, clean)


def called(call: str = "a", turn: int = 1, **changes: object) -> ToolCalled:
    fields: dict[str, object] = {
        "turn": turn, "call": call, "kind": "execute", "title": "pytest", "status": "completed",
        **changes,
    }  # fmt: skip
    return ToolCalled(**fields)  # type: ignore[arg-type]


def test_a_run_is_known_by_its_last_report() -> None:
    heard = told(StillWorking(turn=1, what="pytest", seconds=15), Booted(mode="f", head="h",
                 seconds={}), first=41)  # fmt: skip
    assert (heard.launch, heard.upto, heard.turn, heard.at) == (3, 42, 1, AT)
    assert heard.steps == ()
    assert heard.said is None
    assert heard.ready is None
    assert heard.failed is None
    assert heard.finished is None


def test_a_tool_call_is_one_step_in_its_latest_state() -> None:
    heard = told(
        called(status="in_progress"),
        called("b", kind="edit", title="Edit", paths=("src/a.py",), added=3, removed=1),
        called(status="completed", exit_code=0, seconds=1.5, output_tail="2 passed"),
    )
    first, second = heard.steps
    assert (first.id, first.kind, first.status) == ("1/a", StepKind.RUN, StepStatus.DONE)
    assert (first.exit_code, first.seconds, first.tail) == (0, 1.5, "2 passed")
    assert (second.id, second.kind, second.paths) == ("1/b", StepKind.EDIT, ("src/a.py",))
    assert (second.added, second.removed) == (3, 1)


def test_the_same_call_name_in_two_turns_is_two_steps() -> None:
    heard = told(called(turn=1), called(turn=2, title="again"))
    assert [(step.id, step.title) for step in heard.steps] == [("1/a", "pytest"), ("2/a", "again")]
    assert heard.turn == 2


@pytest.mark.parametrize(
    ("status", "exit_code", "shown"),
    [
        ("pending", None, StepStatus.RUNNING),
        ("in_progress", None, StepStatus.RUNNING),
        ("completed", None, StepStatus.DONE),
        ("completed", 0, StepStatus.DONE),
        ("completed", 1, StepStatus.FAILED),
        ("failed", None, StepStatus.FAILED),
        ("failed", 0, StepStatus.FAILED),
    ],
)
def test_a_command_that_failed_did_not_work_whatever_its_tool_says(
    status: ToolStatus, exit_code: int | None, shown: StepStatus
) -> None:
    [step] = told(called(status=status, exit_code=exit_code)).steps
    assert step.status is shown


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("read", StepKind.READ),
        ("edit", StepKind.EDIT),
        ("delete", StepKind.EDIT),
        ("move", StepKind.EDIT),
        ("search", StepKind.SEARCH),
        ("execute", StepKind.RUN),
        ("think", StepKind.OTHER),
        ("fetch", StepKind.OTHER),
        ("other", StepKind.OTHER),
    ],
)
def test_every_kind_of_tool_has_a_kind_of_step(kind: ToolKind, shown: StepKind) -> None:
    [step] = told(called(kind=kind)).steps
    assert step.kind is shown


def test_scripts_and_warnings_are_steps_of_the_launch() -> None:
    heard = told(
        ScriptFinished(name="setup.sh", exit_code=0, seconds=2, tail="noise"),
        ScriptFinished(name="start.sh", exit_code=None, seconds=120, tail="stuck"),
        Warned(scope="git", message="no tags"),
    )
    setup, start, warned = heard.steps
    assert (setup.id, setup.status, setup.tail) == ("launch-3/setup.sh", StepStatus.DONE, "")
    assert (start.status, start.exit_code, start.tail) == (StepStatus.FAILED, None, "stuck")
    assert (warned.id, warned.title) == ("launch-3/warning-3", "Warning (git): no tags")


def test_readiness_failure_and_the_end_are_heard() -> None:
    ready = AgentReady(name="opencode", version="1.18", session="s1", resumed=True, seconds=3)
    heard = told(ready).ready
    assert heard is not None
    assert (heard.launch, heard.agent, heard.agent_session) == (3, "opencode 1.18", "s1")
    assert (heard.resumed, heard.seconds) == (True, 3)
    assert told(BootFailed(step="agent", message="exit 1")).failed == "agent: exit 1"
    assert told(BootFailed(step="setup", message="a.sh: exit 1")).failed == "a.sh: exit 1"
    end = told(TurnFinished(turn=1, reason="error", error=f"died of {SECRET}", produced=False))
    assert end.finished == Finished(
        turn=1, reason="error", error="died of [removed]", produced=False
    )


def test_an_agent_without_a_version_is_named_alone() -> None:
    ready = told(AgentReady(name="x", version="", session="", resumed=False, seconds=0)).ready
    assert ready is not None
    assert ready.agent == "x"


def test_pieces_of_a_message_are_one_message_and_a_new_one_replaces_it() -> None:
    before = Heard(turn=1, message=2, said="I will ")
    heard = told(AgentSaid(turn=1, message=2, text="look."), heard=before)
    assert (heard.said, heard.said_message) == ("I will look.", 2)
    heard = told(AgentSaid(turn=1, message=3, text="Done."), heard=before)
    assert (heard.said, heard.said_message) == ("Done.", 3)
    heard = told(AgentSaid(turn=2, message=2, text="Next."), heard=before)
    assert (heard.said, heard.turn) == ("Next.", 2)
    assert told(PlanChanged(turn=1, entries=()), heard=before).said is None


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.text(alphabet="ab", max_size=3)), min_size=1, max_size=12
    ),
    st.integers(0, 12),
)
def test_where_a_run_was_cut_does_not_show(pieces: list[tuple[int, str]], cut: int) -> None:
    """Reports may be written down one by one or all at once."""
    reports = [AgentSaid(turn=1, message=m, text=t) for m, t in sorted(pieces, key=lambda p: p[0])]
    whole = told(*reports)
    head, tail = reports[:cut], reports[cut:]
    heard = Heard(turn=1)
    said, message = None, 0
    for part in (head, tail):
        if part:
            one = told(*part, heard=heard)
            said, message = one.said, one.said_message
            heard = Heard(turn=1, message=message, said=said or "")
    assert (said, message) == (whole.said, whole.said_message)


def test_no_text_is_longer_than_its_limit_and_secrets_are_out_of_all() -> None:
    long = SECRET + "x" * 100_000
    heard = told(
        called(title=long, paths=(long,) * 50, output_tail="x" * 100_000 + SECRET),
        ScriptFinished(name=long, exit_code=1, seconds=1, tail=long),
        Warned(scope=SECRET, message=long),
        AgentSaid(turn=1, message=1, text=long),
        AgentReady(name=long, version="1", session=long, resumed=False, seconds=1),
        BootFailed(step=SECRET, message=long),
        TurnFinished(turn=1, reason="error", error=long),
    )
    assert SECRET not in repr(heard)
    tool, script, warned = heard.steps
    assert len(tool.title) == len(script.title) == len(warned.title) == MAX_TITLE
    assert len(tool.paths) == MAX_PATHS
    assert all(len(path) == MAX_TITLE for path in tool.paths)
    assert len(tool.tail) == len(script.tail) == MAX_TAIL
    assert tool.tail.endswith("[removed]")
    assert heard.said is not None
    assert len(heard.said) <= MAX_SAID + len("[removed]")
    assert heard.ready is not None
    assert len(heard.ready.agent) == 100
    assert len(heard.ready.agent_session) <= 200
    assert heard.failed is not None
    assert len(heard.failed) == MAX_TAIL
    assert heard.finished is not None
    assert len(heard.finished.error) == MAX_TAIL
