"""A request from outside GitHub, for the same rules that hold for what is said on GitHub.

What a request must pass before those, its token and repository, are rules in front of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.session.values import Person, SourceKind

from .delivery import Actor, Envelope, Repository, Requested, Thread, Written
from .record import DecisionRecord, Rule
from .ruling import Accepted, Decided

EVENT = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """What a tool asks for. Neither `issue` nor `pull_request` means a new issue, of `title`."""

    repository: str
    issue: int | None
    pull_request: int | None
    title: str
    prompt: str
    model: str | None
    effort: str | None

    @property
    def thread(self) -> int | None:
        return self.issue if self.issue is not None else self.pull_request


def requested(
    request: SessionRequest,
    *,
    number: int,
    token: str,
    person: Person,
    repository: Repository,
    installation: int,
    thread: Thread,
    url: str,
    at: datetime,
) -> Requested:
    """`number` is the request's own, so that asking twice is one prompt; `url` the thread's."""
    actor = Actor(person=person, type="User")
    return Requested(
        envelope=Envelope(
            event=EVENT,
            action="created",
            repository=repository,
            installation=installation,
            sender=actor,
        ),
        thread=thread,
        written=Written(
            kind=SourceKind.API,
            id=number,
            body=request.prompt,
            author=actor,
            app=None,
            created_at=at,
            updated_at=at,
            url=url,
        ),
        token=token,
        model=request.model,
        effort=request.effort,
    )


def after_door(decision: Decided, passed: tuple[Rule, ...]) -> Decided:
    """The decision with what the request had passed before."""
    return replace(decision, rules=(*passed, *decision.rules))


def moved_to(decision: Accepted, thread: Thread, url: str) -> Accepted:
    """The same, in the thread that was opened for it."""
    source = replace(decision.asked.source, thread=thread.number, url=url)
    return replace(decision, asked=replace(decision.asked, thread=thread, source=source))


def door_record(
    request: SessionRequest,
    *,
    delivery: str,
    person: Person,
    passed: tuple[Rule, ...],
    rule: str,
    reason: str,
) -> DecisionRecord:
    """Of a request that came no further than the door."""
    return DecisionRecord(
        delivery=delivery,
        event=EVENT,
        action="created",
        repository=request.repository,
        thread=request.thread,
        sender=person.login,
        sender_id=person.id,
        source="",
        url="",
        outcome="refused",
        rule=rule,
        reason=reason,
        rules=(*passed, Rule(name=rule, passed=False, detail=reason)),
    )
