"""Event to one JSON line and back: `{"v":1,"e":"prompt_queued",...}`. Strict in both directions.

Stored lines are for ever. Names of events stand in one table, written by hand, so that a class
may be renamed; names of fields are those of the classes, which are added to and never renamed.
A field that older lines lack needs a default; any other change of shape is a new version with
an entry in `UPCASTERS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, cast

from orchestrator.session import events as e
from orchestrator.session.events import Event

from .shapes import Record, Wrong, shape_of

STORED: Final[Mapping[str, tuple[int, type[Any]]]] = {
    "session_opened": (1, e.SessionOpened),
    "prompt_queued": (1, e.PromptQueued),
    "prompt_refused": (1, e.PromptRefused),
    "word_answered": (1, e.WordAnswered),
    "turn_started": (1, e.TurnStarted),
    "sandbox_launched": (1, e.SandboxLaunched),
    "sandbox_ready": (1, e.SandboxReady),
    "sandbox_lost": (1, e.SandboxLost),
    "sandbox_released": (1, e.SandboxReleased),
    "prompt_handed": (1, e.PromptHanded),
    "pull_request_proposed": (1, e.PullRequestProposed),
    "session_archived": (1, e.SessionArchived),
    "budget_raised": (1, e.BudgetRaised),
    "reports_received": (1, e.ReportsReceived),
    "model_call_reserved": (1, e.ModelCallReserved),
    "model_call_settled": (1, e.ModelCallSettled),
    "turn_stop_requested": (1, e.TurnStopRequested),
    "agent_finished": (1, e.AgentFinished),
    "work_taken": (1, e.WorkTaken),
    "work_refused": (1, e.WorkRefused),
    "pull_request_opened": (1, e.PullRequestOpened),
    "pull_request_closed": (1, e.PullRequestClosed),
    "turn_ended": (1, e.TurnEnded),
    "session_cancelled": (1, e.SessionCancelled),
    "effect_intended": (1, e.EffectIntended),
    "effect_done": (1, e.EffectDone),
    "effect_failed": (1, e.EffectFailed),
}
"""Stored name, version that is written today, class. Never rename a key, never use one again."""

UPCASTERS: Final[Mapping[tuple[str, int], Callable[[Record], Record]]] = {}
"""(stored name, version v) to a function that makes the record of version v + 1 of it."""

_NAMES: Final = {cls: (name, version) for name, (version, cls) in STORED.items()}


class BadRecord(Exception):
    """A stored line that is not what this program writes: `what` is wrong, and `where`."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what = what
        self.where = where


class UnknownEvent(BadRecord):
    """A stored event whose name or version this program does not know: a newer one wrote it."""


def encode(event: Event) -> str:
    """One line without its end. Raises `BadRecord` where a value is not of its declared type."""
    try:
        name, version = _NAMES[type(event)]
    except KeyError:
        raise BadRecord(f"{type(event).__name__} has no stored name") from None
    record: Record = {"v": version, "e": name}
    try:
        shape_of(type(event)).write(event, record)
        line = _JSON.encode(record)
    except Wrong as wrong:
        raise BadRecord(wrong.what, f"{name}{wrong.path}") from None
    except ValueError as error:  # NaN and infinity
        raise BadRecord(str(error), name) from None
    try:
        line.encode()
    except UnicodeEncodeError:  # half a surrogate pair: rare, and must not be lost
        return _ASCII.encode(record)
    return line


def decode(line: str | bytes, where: str = "") -> Event:
    """The event of one line. `where` (file and line) only goes into the refusal."""
    try:
        record = _DECODER.decode(line if isinstance(line, str) else line.decode())
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"not JSON: {type(error).__name__}", where) from None
    if type(record) is not dict:
        raise BadRecord("not a JSON object", where)
    name, version = record.pop("e", None), record.pop("v", None)
    if type(name) is not str or type(version) is not int:
        raise BadRecord("neither event name nor version", where)
    known = STORED.get(name)
    if known is None:
        raise UnknownEvent(f"unknown event {name[:80]!r}", where)
    if not 1 <= version <= known[0]:
        raise UnknownEvent(f"version {version} of {name!r} is not known (newest {known[0]})", where)
    try:
        for old in range(version, known[0]):
            record = UPCASTERS[name, old](record)
        return cast(Event, shape_of(known[1]).read(record))
    except Wrong as wrong:
        raise BadRecord(wrong.what, f"{where}: {name}{wrong.path}".lstrip(": ")) from None


def with_text(event: Event, clean: Callable[[str], str]) -> Event:
    """The same event with every free text put through `clean`; ids and words are left alone."""
    return cast(Event, shape_of(type(event)).rewrite(event, clean))


def _bad_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=_bad_constant)
