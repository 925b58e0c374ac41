"""Commands and reports as JSON, checked field by field. Standard library only.

The host treats the supervisor as hostile, for it shares a sandbox with the agent: a report is
refused whole where a name is unknown, a field missing, unknown, of the wrong type, not among the
choices, or too large. What is refused raises `CodecError`, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .checks import (
    Check,
    CodecError,
    count,
    flag,
    mapping,
    one_of,
    optional,
    record,
    seconds,
    several,
    text,
    whole,
)
from .commands import (
    AgentProgram,
    Boot,
    BootMode,
    Command,
    GitIdentity,
    Prompt,
    Script,
    Shutdown,
    StopTurn,
    ToolOffer,
)
from .reports import (
    AgentReady,
    AgentSaid,
    Booted,
    BootFailed,
    Numbered,
    PlanChanged,
    Report,
    ScriptFinished,
    StillWorking,
    StopReason,
    ToolCalled,
    ToolKind,
    ToolStatus,
    TurnFinished,
    Warned,
)

MAX_TEXT = 64 << 10
"""Bytes of UTF-8 in any text of a report."""
MAX_TAIL = 8 << 10
MAX_NAME = 1 << 10
MAX_PATHS = 64
MAX_PLAN = 256
MAX_TOOLS = 32
MAX_COMMAND_TEXT = 900 << 10
"""A prompt or a value of the environment; with its message it fits one control message."""


def _pair(value: object) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise CodecError("not a pair")
    return text(MAX_TAIL)(value[0]), _one_of_plan(value[1])


def _one_of_plan(value: object) -> str:
    if value not in ("pending", "in_progress", "completed"):
        raise CodecError("not among the choices")
    return str(value)


_TURN = count
_NAME = text(MAX_NAME)
_BODY = text(MAX_TEXT)
_TAIL = text(MAX_TAIL)
_LONG = text(MAX_COMMAND_TEXT)
_ENV = mapping(_LONG, 1024)
_SCRIPT = record(Script, {"path": _NAME, "timeout_seconds": seconds})
_IDENTITY = record(GitIdentity, {"name": _NAME, "email": _NAME})
_AGENT = record(
    AgentProgram,
    {
        "command": several(_BODY, 256),
        "env": _ENV,
        "model": optional(_NAME),
        "effort": optional(_NAME),
        "session": optional(_NAME),
    },
)
_TOOL = record(ToolOffer, {"name": _NAME, "description": _BODY, "schema": _BODY})

_COMMANDS: dict[str, tuple[type[Any], Check]] = {
    "boot": (
        Boot,
        record(
            Boot,
            {
                "mode": one_of(BootMode),
                "branch": _NAME,
                "commit": _NAME,
                "pack_follows": flag,
                "setup": optional(_SCRIPT),
                "start": optional(_SCRIPT),
                "env": _ENV,
                "agent": _AGENT,
                "tools": several(_TOOL, MAX_TOOLS),
            },
        ),
    ),
    "prompt": (
        Prompt,
        record(
            Prompt,
            {
                "turn": _TURN,
                "text": _LONG,
                "author": _IDENTITY,
                "model": optional(_NAME),
                "effort": optional(_NAME),
            },
        ),
    ),
    "stop_turn": (StopTurn, record(StopTurn, {"turn": _TURN, "grace_seconds": seconds})),
    "shutdown": (Shutdown, record(Shutdown, {})),
}

_REPORTS: dict[str, tuple[type[Any], Check]] = {
    "booted": (
        Booted,
        record(Booted, {"mode": _NAME, "head": _NAME, "seconds": mapping(seconds, 16)}),
    ),
    "boot_failed": (BootFailed, record(BootFailed, {"step": _NAME, "message": _BODY})),
    "script_finished": (
        ScriptFinished,
        record(
            ScriptFinished,
            {"name": _NAME, "exit_code": optional(whole), "seconds": seconds, "tail": _TAIL},
        ),
    ),
    "agent_ready": (
        AgentReady,
        record(
            AgentReady,
            {
                "name": _NAME,
                "version": _NAME,
                "session": _NAME,
                "resumed": flag,
                "seconds": seconds,
            },
        ),
    ),
    "tool_called": (
        ToolCalled,
        record(
            ToolCalled,
            {
                "turn": _TURN,
                "call": _NAME,
                "kind": one_of(ToolKind),
                "title": _BODY,
                "status": one_of(ToolStatus),
                "paths": several(_TAIL, MAX_PATHS),
                "exit_code": optional(whole),
                "added": optional(count),
                "removed": optional(count),
                "seconds": optional(seconds),
                "output_tail": _TAIL,
            },
        ),
    ),
    "agent_said": (
        AgentSaid,
        record(AgentSaid, {"turn": _TURN, "message": count, "text": _BODY}),
    ),
    "plan_changed": (
        PlanChanged,
        record(PlanChanged, {"turn": _TURN, "entries": several(_pair, MAX_PLAN)}),
    ),
    "still_working": (
        StillWorking,
        record(StillWorking, {"turn": _TURN, "what": _BODY, "seconds": seconds}),
    ),
    "turn_finished": (
        TurnFinished,
        record(
            TurnFinished,
            {"turn": _TURN, "reason": one_of(StopReason), "error": _BODY, "produced": flag},
        ),
    ),
    "warned": (Warned, record(Warned, {"scope": _NAME, "message": _BODY})),
}
_COMMAND_NAMES = {shape: name for name, (shape, _) in _COMMANDS.items()}
_REPORT_NAMES = {shape: name for name, (shape, _) in _REPORTS.items()}


def _plain(value: object) -> object:
    """A dataclass of ours as JSON values; defaults are written out too."""
    match value:
        case tuple():
            return [_plain(item) for item in value]
        case dict():
            return dict(value)
        case AgentProgram() | GitIdentity() | Script() | ToolOffer():
            return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


def _named(word: str, name: str, value: Command | Report) -> dict[str, object]:
    return {word: name} | {
        field.name: _plain(getattr(value, field.name)) for field in fields(value)
    }


def _read(
    word: str, table: Mapping[str, tuple[type[Any], Check]], message: Mapping[str, object]
) -> Any:
    name = message.get(word)
    if not isinstance(name, str) or name not in table:
        raise CodecError(f"no {word} that is known")
    return table[name][1]({key: value for key, value in message.items() if key != word})


def command_to_json(command: Command) -> dict[str, object]:
    return _named("command", _COMMAND_NAMES[type(command)], command)


def command_from_json(message: Mapping[str, object]) -> Command:
    """Raises `CodecError`."""
    command: Command = _read("command", _COMMANDS, message)
    return command


def report_to_json(numbered: Numbered) -> dict[str, object]:
    return {"seq": numbered.seq, "at": numbered.at} | _named(
        "report", _REPORT_NAMES[type(numbered.report)], numbered.report
    )


def report_from_json(message: Mapping[str, object]) -> Numbered:
    """Raises `CodecError`."""
    rest = dict(message)
    try:
        seq, at = count(rest.pop("seq", None)), seconds(rest.pop("at", None))
    except CodecError as error:
        raise CodecError(f"seq or at: {error}") from None
    report: Report = _read("report", _REPORTS, rest)
    return Numbered(seq=seq, at=at, report=report)
