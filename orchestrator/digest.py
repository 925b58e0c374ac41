"""What a run of reports means for a session. Pure; every field of a report is hostile text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.session.commands import Finished, NoteReady, Receive
from orchestrator.session.values import Step, StepKind, StepStatus
from sandbox.reports import (
    AgentReady,
    AgentSaid,
    Booted,
    BootFailed,
    Numbered,
    PlanChanged,
    ScriptFinished,
    StillWorking,
    ToolCalled,
    ToolKind,
    ToolStatus,
    TurnFinished,
    Warned,
)

MAX_TITLE = 300
MAX_TAIL = 2_000
MAX_SAID = 20_000
MAX_PATHS = 20

_KINDS: dict[ToolKind, StepKind] = {
    "read": StepKind.READ,
    "edit": StepKind.EDIT,
    "delete": StepKind.EDIT,
    "move": StepKind.EDIT,
    "search": StepKind.SEARCH,
    "execute": StepKind.RUN,
    "think": StepKind.OTHER,
    "fetch": StepKind.OTHER,
    "other": StepKind.OTHER,
}
_STATUSES: dict[ToolStatus, StepStatus] = {
    "pending": StepStatus.RUNNING,
    "in_progress": StepStatus.RUNNING,
    "completed": StepStatus.DONE,
    "failed": StepStatus.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was heard of the running turn before this run of reports."""

    turn: int | None
    message: int = 0
    said: str = ""


def digest(
    launch: int,
    reports: Sequence[Numbered],
    heard: Heard,
    at: datetime,
    clean: Callable[[str], str],
) -> Receive:
    """`reports` is not empty and in order. `clean` takes secrets out of every text."""
    steps: dict[str, Step] = {}
    turn, message, said = heard.turn, heard.message, heard.said
    ready: NoteReady | None = None
    failed: str | None = None
    finished: Finished | None = None
    spoke = False
    for numbered in reports:
        report = numbered.report
        match report:
            case ToolCalled():
                turn = report.turn
                step = _tool_step(report, at, clean)
                steps[step.id] = step
            case AgentSaid():
                if report.turn != turn or report.message != message:
                    turn, message, said = report.turn, report.message, ""
                said = (said + report.text)[:MAX_SAID]
                spoke = True
            case TurnFinished():
                turn = report.turn
                finished = Finished(
                    turn=report.turn,
                    reason=report.reason,
                    error=clean(report.error)[:MAX_TAIL],
                    produced=report.produced,
                )
            case AgentReady():
                ready = NoteReady(
                    at=at,
                    launch=launch,
                    agent=clean(f"{report.name} {report.version}".strip())[:100],
                    agent_session=clean(report.session)[:200],
                    resumed=report.resumed,
                    seconds=report.seconds,
                )
            case BootFailed():
                # A script's message begins with its path.
                where = "" if report.step in ("setup", "start") else f"{report.step}: "
                failed = clean(f"{where}{report.message}")[:MAX_TAIL]
            case ScriptFinished():
                step = _script_step(report, launch, at, clean)
                steps[step.id] = step
            case Warned():
                step = _warning_step(report, launch, numbered.seq, at, clean)
                steps[step.id] = step
            case StillWorking() | PlanChanged():
                turn = report.turn
            case Booted():
                pass
    return Receive(
        at=at,
        launch=launch,
        upto=reports[-1].seq,
        turn=turn,
        steps=tuple(steps.values()),
        said=clean(said) if spoke else None,
        said_message=message,
        ready=ready,
        failed=failed,
        finished=finished,
    )


def _tool_step(report: ToolCalled, at: datetime, clean: Callable[[str], str]) -> Step:
    status = _STATUSES[report.status]
    if status is StepStatus.DONE and report.exit_code:
        status = StepStatus.FAILED
    return Step(
        id=clean(f"{report.turn}/{report.call}")[:200],
        kind=_KINDS[report.kind],
        status=status,
        title=clean(report.title)[:MAX_TITLE],
        at=at,
        paths=tuple(clean(path)[:MAX_TITLE] for path in report.paths[:MAX_PATHS]),
        exit_code=report.exit_code,
        added=report.added,
        removed=report.removed,
        seconds=report.seconds,
        tail=clean(report.output_tail)[-MAX_TAIL:],
    )


def _script_step(
    report: ScriptFinished, launch: int, at: datetime, clean: Callable[[str], str]
) -> Step:
    good = report.exit_code == 0
    return Step(
        id=clean(f"launch-{launch}/{report.name}")[:200],
        kind=StepKind.SCRIPT,
        status=StepStatus.DONE if good else StepStatus.FAILED,
        title=clean(report.name)[:MAX_TITLE],
        at=at,
        exit_code=report.exit_code,
        seconds=report.seconds,
        tail="" if good else clean(report.tail)[-MAX_TAIL:],
    )


def _warning_step(
    report: Warned, launch: int, seq: int, at: datetime, clean: Callable[[str], str]
) -> Step:
    return Step(
        id=f"launch-{launch}/warning-{seq}",
        kind=StepKind.OTHER,
        status=StepStatus.DONE,
        title=clean(f"Warning ({report.scope}): {report.message}")[:MAX_TITLE],
        at=at,
    )
