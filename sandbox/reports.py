"""The words a sandbox says. Standard library only: the supervisor carries this file.

A report has a sequence number, is kept on disk inside the sandbox until the host acknowledges
it, and is sent again after every attach. The host treats every field as hostile text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ToolKind = Literal["read", "edit", "delete", "move", "search", "execute", "think", "fetch", "other"]
ToolStatus = Literal["pending", "in_progress", "completed", "failed"]
StopReason = Literal["end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """The workspace is ready and the scripts have run; the agent may still be starting."""

    mode: str
    head: str
    seconds: dict[str, float]
    """Wall time by phase: `workspace`, `setup`, `start`, `total`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFailed:
    """The sandbox cannot work: which step, and the last lines it printed."""

    step: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFinished:
    """`exit_code` is None where the script was killed at its timeout."""

    name: str
    exit_code: int | None
    seconds: float
    tail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReady:
    """The ACP handshake is done and a session is open."""

    name: str
    version: str
    session: str
    resumed: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled:
    """The latest known state of one tool call; a later report of the same `call` replaces it."""

    turn: int
    call: str
    kind: ToolKind
    title: str
    status: ToolStatus
    paths: tuple[str, ...] = ()
    exit_code: int | None = None
    added: int | None = None
    removed: int | None = None
    seconds: float | None = None
    output_tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSaid:
    """A piece of what the agent says. The last `message` of a turn is its summary.

    Pieces of one message share `message` and are appended in order.
    """

    turn: int
    message: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged:
    """The agent's own plan, whole: (text, `pending` | `in_progress` | `completed`)."""

    turn: int
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StillWorking:
    """Sent every 15 s while a tool call runs or a model answer streams, so silence is silence."""

    turn: int
    what: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished:
    """The agent has answered `session/prompt`, or never will.

    `produced` is False where neither text nor a tool call came: the turn is then a failure.
    """

    turn: int
    reason: StopReason
    error: str = ""
    produced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something went wrong that the work survived: scope is `setup`, `git`, `agent`, `wire`, ..."""

    scope: str
    message: str


Report = (
    Booted
    | BootFailed
    | ScriptFinished
    | AgentReady
    | ToolCalled
    | AgentSaid
    | PlanChanged
    | StillWorking
    | TurnFinished
    | Warned
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A report with its sequence number (from 1, no gaps) and the sandbox's own clock."""

    seq: int
    at: float
    report: Report
