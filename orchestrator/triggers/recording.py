"""From a decision to its record."""

from __future__ import annotations

from typing import assert_never

from .asked import key_of
from .delivery import Delivered, NotForUs, PullRequestClosed
from .record import DecisionRecord, Outcome
from .ruling import Accepted, Decided, Ignored, Refused


def record(decision: Decided, delivered: Delivered | NotForUs, *, delivery: str) -> DecisionRecord:
    """`delivery` is GitHub's id of the delivery. Only logins, ids and links: no text, no mail."""
    envelope = delivered.envelope
    thread: int | None = None
    source = url = ""
    match delivered:
        case NotForUs():
            event, action = delivered.event, delivered.action
        case PullRequestClosed():
            event, action = delivered.envelope.event, delivered.envelope.action
            thread = delivered.number
        case _:
            event, action = delivered.envelope.event, delivered.envelope.action
            thread = delivered.thread.number
            source, url = key_of(delivered), delivered.written.url
    outcome, rule, reason = _answer(decision)
    sender = envelope.sender.person if envelope else None
    return DecisionRecord(
        delivery=delivery,
        event=event,
        action=action,
        repository=envelope.repository.full_name if envelope else "",
        thread=thread,
        sender=sender.login if sender else "",
        sender_id=sender.id if sender else None,
        source=source,
        url=url,
        outcome=outcome,
        rule=rule,
        reason=reason,
        rules=decision.rules,
    )


def _answer(decision: Decided) -> tuple[Outcome, str, str]:
    match decision:
        case Accepted():
            return "accepted", "", ""
        case Ignored():
            return "ignored", decision.rule, decision.reason
        case Refused():
            return "refused", decision.rule, decision.reason
        case _:
            assert_never(decision)
