"""A session as JSON: what its status comment shows, for programs."""

from __future__ import annotations

from datetime import UTC, datetime

from orchestrator.session import Session, view
from orchestrator.session.effects import STATUS_KEY
from orchestrator.session.state import Turn
from orchestrator.session.values import Home, PullRequest
from orchestrator.session.view import SessionView

TURNS_SHOWN = 20
_LONGEST_SAID = 20_000


def session_json(session: Session, *, web: str) -> dict[str, object]:
    """`web` is the repository's address for people. No prompt texts: those are in the thread."""
    v = view(session)
    on_pull = v.home is Home.PULL_REQUEST
    thread = f"{web}/{'pull' if on_pull else 'issues'}/{v.home_number}"
    status = session.ref(STATUS_KEY)
    return {
        "id": v.id,
        "repository": v.repository,
        "issue": None if on_pull else v.home_number,
        "pull_request": v.home_number if on_pull else _number(v.pull_request),
        "title": v.title,
        "status": v.status,
        "branch": v.branch,
        "model": v.model or None,
        "cost": {
            "microdollars": v.usage.microdollars,
            "limit_microdollars": v.session_microdollars,
        },
        "turns": [_turn(turn) for turn in session.turns[-TURNS_SHOWN:]],
        "waiting": [
            {"prompt": prompt.key, "author": prompt.author.login} for prompt in session.waiting
        ],
        "links": {
            "self": f"/api/sessions/{v.id}",
            "thread": thread,
            "status": f"{thread}#issuecomment-{status}" if status else None,
            "pull_request": _link(v, thread if on_pull else None),
        },
    }


def _number(pull: PullRequest | None) -> int | None:
    return pull.number if pull is not None else None


def _link(v: SessionView, own: str | None) -> str | None:
    return v.pull_request.url if v.pull_request is not None else own


def _turn(t: Turn) -> dict[str, object]:
    """`phase` while it runs, `outcome` once it has ended."""
    ended = t.outcome is not None
    step = t.steps[-1].title if t.steps and not ended else None
    said = t.finished.summary if t.finished is not None else t.said
    return {
        "number": t.number,
        "prompt": t.prompt.key,
        "author": {"login": t.prompt.author.login, "id": t.prompt.author.id},
        "phase": None if ended else t.phase,
        "outcome": t.outcome,
        "reason": t.reason or None,
        "started_at": _time(t.started_at),
        "ended_at": _time(t.ended_at),
        "steps": t.steps_total,
        "step": step,
        "said": said[:_LONGEST_SAID],
        "cost": {"microdollars": t.usage.microdollars},
        "pull_request": _number(t.pull_request),
        "branch": t.work.branch if t.work is not None else None,
        "head": t.work.head if t.work is not None else None,
    }


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else None
