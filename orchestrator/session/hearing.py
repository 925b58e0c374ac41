"""What the sandbox tells a session: launched, ready, lost, and what its reports mean. Pure."""

from __future__ import annotations

from datetime import datetime

from .commands import (
    Finished,
    NoteHanded,
    NoteLaunched,
    NoteReady,
    NoteReleased,
    Receive,
)
from .events import (
    AgentFinished,
    Event,
    PromptHanded,
    ReportsReceived,
    SandboxLaunched,
    SandboxLost,
    SandboxReady,
    SandboxReleased,
    WorkRefused,
)
from .state import Session, Turn
from .values import Phase


def launched(s: Session, c: NoteLaunched) -> list[Event]:
    if c.launch <= s.launches:
        return []
    return [
        SandboxLaunched(
            at=c.at,
            launch=c.launch,
            sandbox=c.sandbox,
            workspace_present=c.workspace_present,
            restored=c.restored,
            base=c.base,
            note=c.note,
            seconds=c.seconds,
        )
    ]


def ready(s: Session, c: NoteReady) -> list[Event]:
    if s.sandbox is None or s.sandbox.launch != c.launch or s.sandbox.ready_at is not None:
        return []
    return [
        SandboxReady(
            at=c.at,
            launch=c.launch,
            agent=c.agent,
            agent_session=c.agent_session,
            resumed=c.resumed,
            seconds=c.seconds,
        )
    ]


def handed(s: Session, c: NoteHanded) -> list[Event]:
    t = s.turn
    if t is None or t.number != c.turn or t.handed_at is not None:
        return []
    if s.sandbox is None or s.sandbox.launch != c.launch:
        return []
    return [PromptHanded(at=c.at, turn=c.turn, launch=c.launch)]


def lost(s: Session, at: datetime, launch: int, reason: str) -> list[Event]:
    if s.sandbox is None or s.sandbox.launch != launch:
        return []
    return [SandboxLost(at=at, launch=launch, reason=reason), *bereft(s, at, reason)]


def released(s: Session, c: NoteReleased) -> list[Event]:
    released = SandboxReleased(at=c.at, launch=c.launch, snapshot=c.snapshot)
    if s.sandbox is not None and s.sandbox.launch == c.launch:
        return [released, *bereft(s, c.at, "it was let go")]
    return [released] if any(launch == c.launch for launch, _ in s.unreleased) else []


def bereft(s: Session, at: datetime, reason: str) -> list[Event]:
    """What the end of its sandbox means for a turn that still needs it."""
    t = s.turn
    if t is not None and t.phase in (Phase.RUNNING, Phase.STOPPING):
        return [
            AgentFinished(
                at=at, turn=t.number, reason="error", error=reason, produced=True, summary=t.said
            )
        ]
    if t is not None and t.phase is Phase.FINISHING and not t.work_settled:
        gone = f"The sandbox was lost before the work could be taken out of it: {reason}"
        return [WorkRefused(at=at, turn=t.number, reason=gone)]
    return []


def receive(s: Session, c: Receive) -> list[Event]:
    sandbox = s.sandbox
    if sandbox is None or sandbox.launch != c.launch or c.upto <= sandbox.upto:
        return []
    t = s.turn
    mine = t is not None and c.turn == t.number
    events: list[Event] = [
        ReportsReceived(
            at=c.at,
            launch=c.launch,
            upto=c.upto,
            turn=c.turn,
            steps=c.steps,
            said=c.said if mine else None,
            said_message=c.said_message,
        )
    ]
    if c.ready is not None:
        events.extend(ready(s, c.ready))
    if c.failed is not None:
        events.extend(lost(s, c.at, c.launch, c.failed))
    elif c.finished is not None and t is not None and c.finished.turn == t.number:
        said = t.said if c.said is None else c.said
        events.extend(_finished(t, c.at, c.finished, said))
    return events


def _finished(t: Turn, at: datetime, end: Finished, said: str) -> list[Event]:
    if t.phase is Phase.FINISHING:
        return []
    return [
        AgentFinished(
            at=at,
            turn=t.number,
            reason=end.reason,
            error=end.error,
            produced=end.produced,
            summary=said,
        )
    ]
