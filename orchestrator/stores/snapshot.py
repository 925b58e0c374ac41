"""`session.json`: what people want to see of a session at a glance. The events are the truth."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.session import Session, view
from orchestrator.session.values import Person

from .chain import Head


def snapshot(state: Session, head: Head) -> str:
    """Readable JSON. Its `last` is checked when the session is read: a missing end shows."""
    document: dict[str, Any] = {"session": state.id}
    if state.opened is not None:
        seen = view(state)
        turn = seen.turn
        document |= {
            "title": seen.title,
            "repository": seen.repository,
            "home": f"{seen.home.value.replace('_', ' ')} {seen.home_number}",
            "status": seen.status.value,
            "turn": seen.turns,
            "who": _person(turn.author) if turn is not None else None,
            "outcome": turn.outcome.value if turn is not None and turn.outcome else None,
            "waiting": len(seen.waiting),
            "cost": dollars(seen.usage.microdollars),
            "branch": seen.branch,
            "pull_request": seen.pull_request.number if seen.pull_request is not None else None,
            "opened": state.opened.at.isoformat(timespec="seconds"),
            "last_activity": (state.last_activity or state.opened.at).isoformat(timespec="seconds"),
        }
    document["last"] = {"n": head.n, "h": head.h}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def head_of(text: str) -> Head | None:
    """The head that a snapshot names; None where it is not one of ours."""
    try:
        document = json.loads(text)
        last = document["last"]
        n, h = last["n"], last["h"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Head(n=n, h=h) if type(n) is int and type(h) is str else None


def dollars(microdollars: int) -> str:
    return f"${microdollars / 1_000_000:.2f}"


def _person(person: Person) -> str:
    return f"{person.login} ({person.id})"
