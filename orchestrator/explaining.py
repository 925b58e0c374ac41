"""Why a delivery started work, or did not: a decision record in words, for terminal and thread."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.config import CONFIG_PATH
from orchestrator.messages import inert
from orchestrator.messages.markdown import sentence
from orchestrator.triggers import BadPayload, DecisionRecord, Rule, record_from_json

SHOWN = 3
"""Deliveries that one answer in a thread explains."""
_LONGEST = 600

_QUESTIONS = {
    "event": "an event that can ask for something",
    "own": "not written by this App",
    "sender": "sent by a person, or by an App that may ask",
    "mention": "asked plainly, outside code and quotes",
    "request": "asked through the API",
    "label": "the label that asks",
    "assignee": "assigned to the account that stands for this App",
    "edit": "the edit asks something new",
    "scope": "the token may start work",
    "repository": "a repository that the token may use",
    "thread": "an issue or pull request that is there",
    "person": "the token's account is there",
    "key": "a key for this request alone",
    "installation": "the App is installed there",
    "configuration": "allowed by the repository's configuration",
    "text": "something that can be worked on",
    "permission": "the person may start work there",
    "people": "among the people and teams that may ask",
    "often": "not too much in this thread within an hour",
    "head": "commits of this repository, or of a fork and named",
    "session": "the session takes it",
}
"""What each rule asks. A rule that is not here is shown by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One delivery and its decision. `record` is None where deciding failed: `reason` says how."""

    delivery: str
    decided_at: datetime
    event: str
    outcome: str
    reason: str
    url: str
    record: DecisionRecord | None


def explained(delivery: str, decided_at: datetime, record: str) -> Explained:
    """From what the journal keeps. Never fails: what cannot be read is explained as that."""
    try:
        document = json.loads(record)
        read = record_from_json(document)
    except (ValueError, RecursionError):
        return _without_record(delivery, decided_at, {})
    except BadPayload:
        return _without_record(delivery, decided_at, document)
    return Explained(
        delivery=delivery,
        decided_at=decided_at,
        event=f"{read.event}.{read.action}" if read.action else read.event,
        outcome=read.outcome,
        reason=read.reason,
        url=read.url,
        record=read,
    )


def _without_record(delivery: str, decided_at: datetime, document: object) -> Explained:
    said = document if isinstance(document, dict) else {}
    failed = said.get("outcome") == "failed"
    return Explained(
        delivery=delivery,
        decided_at=decided_at,
        event=str(said.get("event", "")),
        outcome="failed" if failed else "unreadable",
        reason=str(said.get("reason", ""))
        if failed
        else "this record was written by another version of the program",
        url=str(said.get("url", "")),
        record=None,
    )


def explain_lines(explained: Explained) -> list[str]:
    """For the terminal, which belongs to whoever runs the server: all that is kept."""
    moment = explained.decided_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    event = explained.event or "an unknown event"
    lines = [f"Delivery {explained.delivery} ({event}, {moment}) → {explained.outcome}"]
    record = explained.record
    if record is None:
        if explained.url:
            lines.append(f"  on {explained.url}")
        lines.append(f"  {explained.reason}")
        return [inert.without_controls(line) for line in lines]
    thread = f"#{record.thread}" if record.thread is not None else ""
    where = f"{record.repository}{thread}" or "no repository"
    by = record.sender or "nobody named"
    lines.append(f"  by {by} on {where}{f', {record.url}' if record.url else ''}")
    lines.append(f"  1. {_door(record)}: ok")
    for number, rule in enumerate(record.rules, 2):
        answer = "ok" if rule.passed else "NO"
        detail = f" ({rule.detail})" if rule.detail else ""
        lines.append(f"  {number}. {_question(rule)}: {answer}{detail}{_by_config(rule, '')}")
    return [inert.without_controls(line) for line in lines]


def why_reply(explained: Sequence[Explained], *, asker: int | None = None) -> str:
    """For a thread, newest first; what this App itself wrote there is left out.

    `asker` is the numeric id of whoever asks: a role is told to the person whose role it is, and
    to nobody else, since GitHub does not show it to everyone either.
    """
    of_others = [e for e in explained if e.record is None or e.record.rule != "own"]
    if not of_others:
        return (
            "Nothing that was written here is on record. Decisions are kept for 30 days; what "
            "never arrived is in the App's settings under *Advanced*, *Recent deliveries*."
        )
    parts = [_block(e, asker) for e in of_others[:SHOWN]]
    more = len(of_others) - len(parts)
    if more:
        parts.append(f"{more} earlier: `openinspect explain` on the server shows all of them.")
    return "\n\n".join(parts)


def _block(explained: Explained, asker: int | None) -> str:
    event = inert.code(explained.event or "unknown")
    moment = explained.decided_at.strftime("%-d %b %H:%M:%S UTC")
    short = inert.code(_shortened(explained.delivery))
    lines = [f"Delivery {short} ({event}, {moment}) → **{explained.outcome}**"]
    if _plain_url(explained.url):
        lines[0] += f", [the text]({explained.url})"
    record = explained.record
    if record is None:
        lines.append(f"1. {_detail(explained.reason)}")
        return "\n".join(lines)
    lines.append(f"1. {_door(record)}: ok")
    for number, rule in enumerate(record.rules, 2):
        answer = "ok" if rule.passed else "**no**"
        mine = asker is not None and record.sender_id == asker
        detail = "" if rule.name == "permission" and not mine else _detail(rule.detail)
        shown = f" ({detail})" if detail else ""
        lines.append(f"{number}. {_question(rule)}: {answer}{shown}{_by_config(rule, '`')}")
    return "\n".join(lines)


def _door(record: DecisionRecord) -> str:
    """What had to be right before there was anything to decide."""
    return "token" if record.event == "api" else "signature"


def _question(rule: Rule) -> str:
    return _QUESTIONS.get(rule.name, rule.name)


def _by_config(rule: Rule, mark: str) -> str:
    if not rule.config_key:
        return ""
    key = f"{mark}{rule.config_key}{mark}"
    if rule.config_line is None:
        return f"; {key} by default"
    return f"; {key}, {CONFIG_PATH} line {rule.config_line}"


def _detail(said: str) -> str:
    return sentence(said, _LONGEST)


def _shortened(delivery: str) -> str:
    return delivery if len(delivery) <= 24 else f"{delivery[:8]}…"


_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9._/#?=&-]*")


def _plain_url(url: str) -> bool:
    return _URL.fullmatch(url) is not None


_THREAD = re.compile(
    r"(?:https?://[^/\s]+/)?(?P<repository>[\w.-]+/[\w.-]+)"
    r"(?:#|/(?:issues|pull)/)(?P<number>[1-9]\d{0,9})"
    r"(?:/[\w/-]*)?(?:\?[^#\s]*)?(?:\#(?P<anchor>[\w-]+))?",
    re.ASCII,
)
_ANCHORS = (
    (re.compile(r"issuecomment-(\d+)"), "comment"),
    (re.compile(r"discussion_?r(\d+)"), "review-comment"),
    (re.compile(r"pullrequestreview-(\d+)"), "review"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What an address is about: a thread, and the one text in it, by its key."""

    repository: str
    number: int
    source: str | None


def place_from(address: str) -> Place | None:
    """From the address of an issue, a pull request, a comment or a review, or `owner/name#41`;
    None where it is something else. The host is not looked at: one server, one GitHub."""
    match = _THREAD.fullmatch(address.strip())
    if match is None:
        return None
    source = None
    for pattern, kind in _ANCHORS:
        found = pattern.fullmatch(match["anchor"] or "")
        if found is not None:
            source = f"{kind}-{found[1]}"
    return Place(repository=match["repository"], number=int(match["number"]), source=source)
