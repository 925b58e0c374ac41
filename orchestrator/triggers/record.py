"""What was decided about a delivery and why: every rule in order, the first failing one last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .payload import Payload

Outcome = Literal["accepted", "ignored", "refused"]
_OUTCOMES: dict[str, Outcome] = {
    "accepted": "accepted",
    "ignored": "ignored",
    "refused": "refused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One question asked of a delivery. `detail` is what was found, in words."""

    name: str
    passed: bool
    detail: str
    config_key: str = ""
    config_line: int | None = None
    """None where the default decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """Kept for every delivery; `why` and `explain` print it."""

    delivery: str
    event: str
    action: str
    repository: str
    thread: int | None
    sender: str
    sender_id: int | None
    source: str
    """The prompt's key, or empty where nothing was written."""
    url: str
    outcome: Outcome
    rule: str
    """The rule that decided; empty where all passed."""
    reason: str
    rules: tuple[Rule, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "v": 1,
            "delivery": self.delivery,
            "event": self.event,
            "action": self.action,
            "repository": self.repository,
            "thread": self.thread,
            "sender": {"login": self.sender, "id": self.sender_id},
            "source": self.source,
            "url": self.url,
            "outcome": self.outcome,
            "rule": self.rule,
            "reason": self.reason,
            "rules": [_rule_to_json(rule) for rule in self.rules],
        }


def _rule_to_json(rule: Rule) -> dict[str, object]:
    plain: dict[str, object] = {"name": rule.name, "passed": rule.passed, "detail": rule.detail}
    if rule.config_key:
        plain |= {"config_key": rule.config_key, "config_line": rule.config_line}
    return plain


def record_from_json(document: object) -> DecisionRecord:
    """Raises `BadPayload` where the document is no decision record."""
    payload = Payload.of(document)
    sender = payload.object("sender")
    outcome = payload.text("outcome")
    if outcome not in _OUTCOMES:
        raise payload.bad("outcome", "is not an outcome")
    return DecisionRecord(
        delivery=payload.text("delivery"),
        event=payload.text("event"),
        action=payload.text("action"),
        repository=payload.text("repository"),
        thread=payload.optional_id("thread"),
        sender=sender.text("login"),
        sender_id=sender.optional_id("id"),
        source=payload.text("source"),
        url=payload.text("url"),
        outcome=_OUTCOMES[outcome],
        rule=payload.text("rule"),
        reason=payload.text("reason"),
        rules=tuple(
            Rule(
                name=rule.text("name"),
                passed=rule.flag("passed"),
                detail=rule.text("detail"),
                config_key=rule.text_or_empty("config_key"),
                config_line=rule.optional_id("config_line"),
            )
            for rule in payload.objects("rules")
        ),
    )
