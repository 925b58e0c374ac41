"""Commit messages of the state branch: what happened, in words, with trailers to search by.

They hold no free text by people, no `#41` and no `@name`: GitHub would link and notify.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import assert_never

from orchestrator.session import Session
from orchestrator.session.events import (
    AgentFinished,
    BudgetRaised,
    EffectDone,
    EffectFailed,
    EffectIntended,
    Event,
    ModelCallReserved,
    ModelCallSettled,
    PromptHanded,
    PromptQueued,
    PromptRefused,
    PullRequestClosed,
    PullRequestOpened,
    PullRequestProposed,
    ReportsReceived,
    SandboxLaunched,
    SandboxLost,
    SandboxReady,
    SandboxReleased,
    SessionArchived,
    SessionCancelled,
    SessionOpened,
    TurnEnded,
    TurnStarted,
    TurnStopRequested,
    WordAnswered,
    WorkRefused,
    WorkTaken,
)
from orchestrator.session.values import Home, Kind, Person, parse_session_id

from .snapshot import dollars

MAX_SUBJECT = 72
MAX_SESSIONS = 100
"""Told one by one in a message; the trailers name every one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One session in a commit: its new events, and its state after them."""

    state: Session
    events: Sequence[Event]


def message(told: Sequence[Told], *, journal: int, flush: str) -> str:
    """`journal` is the newest journal sequence held, `flush` makes every commit its own."""
    first = f"{_thread(told[0].state)}: {said(_headline(told[0].events))}"
    subject = first if len(told) == 1 else f"{len(told)} sessions; {first}"
    lines = [_cut(subject, MAX_SUBJECT), ""]
    lines += [f"{_thread(o.state)}: {', '.join(_story(o.events))}" for o in told[:MAX_SESSIONS]]
    if len(told) > MAX_SESSIONS:
        lines.append(f"and {len(told) - MAX_SESSIONS} more")
    lines.append("")
    for one in told:
        lines.append(f"Session: {one.state.id}")
        if one.state.turns:
            lines.append(f"Turn: {len(one.state.turns)}")
        actor = _actor(one)
        if actor is not None:
            lines.append(f"Actor: {_name(actor)} ({actor.id})")
        lines.append(f"Cost: {dollars(one.state.usage.microdollars)}")
    lines += [f"Journal: {journal}", f"Flush: {flush}"]
    return "\n".join(lines) + "\n"


def said(event: Event) -> str:
    match event:
        case SessionOpened():
            return "session opened"
        case PromptQueued():
            return f"prompt by {_name(event.prompt.author)} accepted"
        case PromptRefused():
            return f"prompt by {_name(event.by)} refused"
        case WordAnswered():
            return f"{event.word} by {_name(event.by)} answered"
        case TurnStarted():
            return f"turn {event.turn} started"
        case SandboxLaunched():
            return f"sandbox {event.launch} launched"
        case SandboxReady():
            return f"sandbox {event.launch} ready"
        case PromptHanded():
            return f"turn {event.turn} handed to the agent"
        case SandboxLost():
            return f"sandbox {event.launch} lost"
        case SandboxReleased():
            return f"sandbox {event.launch} released"
        case ReportsReceived():
            return "progress"
        case ModelCallReserved() | ModelCallSettled():
            return "model called"
        case TurnStopRequested():
            return f"turn {event.turn} to be stopped ({event.why})"
        case AgentFinished():
            return f"agent finished turn {event.turn}"
        case WorkTaken():
            return "work taken" if event.work is not None else "no work to take"
        case WorkRefused():
            return "work could not be taken"
        case PullRequestProposed():
            return "pull request described by the agent"
        case SessionArchived():
            return f"archived by {_name(event.by)}"
        case BudgetRaised():
            return f"budget raised by {_name(event.by)}"
        case PullRequestOpened():
            return f"pull request {event.pull_request.number} opened"
        case PullRequestClosed():
            return f"pull request {event.number} {'merged' if event.merged else 'closed'}"
        case TurnEnded():
            return f"turn {event.turn} {event.outcome.value.replace('_', ' ')}"
        case SessionCancelled():
            return f"cancelled by {_name(event.by)}"
        case EffectIntended():
            return "something tried"
        case EffectDone():
            return "something done"
        case EffectFailed():
            return "something failed"
        case _:
            assert_never(event)


_DULL = (ReportsReceived, ModelCallReserved, ModelCallSettled, EffectIntended, EffectDone)


def _headline(events: Sequence[Event]) -> Event:
    """The last event that people care for."""
    telling = [event for event in events if not isinstance(event, _DULL)]
    return telling[-1] if telling else events[-1]


def _story(events: Sequence[Event]) -> list[str]:
    """Every event, with runs of the same told once."""
    runs = [(words, len(list(same))) for words, same in groupby(map(said, events))]
    return [words if times == 1 else f"{words} ({times} times)" for words, times in runs]


def _thread(state: Session) -> str:
    _, home, kind, generation = parse_session_id(state.id)
    opened = state.opened
    pull = opened is not None and opened.home is Home.PULL_REQUEST
    words = f"{'pull request' if pull else 'issue'} {home}"
    if kind is not Kind.MAIN:
        words += f", {kind.value}"
    return words if generation == 1 else f"{words}, session {generation}"


def _actor(told: Told) -> Person | None:
    """Whose prompt this is about: of the running or last turn, else of who asked last."""
    if told.state.turns:
        return told.state.turns[-1].prompt.author
    asked = list(told.state.asked.values())
    return asked[-1].by if asked else None


def _name(person: Person) -> str:
    """Logins have only these characters; whatever else comes cannot forge a trailer."""
    return re.sub(r"[^A-Za-z0-9_\[\]-]", "", person.login)[:60] or "somebody"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
