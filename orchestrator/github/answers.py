"""What an answer of GitHub's means: one table, from status, headers and words to a verdict.

Statuses alone do not tell. 403 is a missing permission, a used up rate or a refusal of abuse, and
GraphQL says all of that with 200. Sources: docs.github.com, "Rate limits for the REST API", "Rate
limits and query limits for the GraphQL API" and "Troubleshooting the REST API".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from .errors import (
    AlreadyExists,
    Forbidden,
    GitHubError,
    Gone,
    Invalid,
    Locked,
    NotFound,
    PermissionMissing,
    ReadOnly,
    StateConflict,
    Suspended,
)
from .fields import Fields, WrongShape

RESET_MARGIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-github-request-id")

    @property
    def date(self) -> datetime | None:
        """GitHub's clock, by which limits and tokens end."""
        try:
            return parsedate_to_datetime(self.headers["date"])
        except (KeyError, ValueError):
            return None

    def number(self, header: str) -> float | None:
        try:
            return float(self.headers[header])
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Fine:
    pass


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The token or JWT is not accepted: a new one may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """Nobody of this installation may send for `seconds`; None where GitHub gave no number."""

    kind: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Broken:
    """GitHub's own trouble. What was asked may have been done all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Not done; to be asked again there."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not done, and asking again will not help."""

    error: GitHubError


Verdict = Fine | Unauthorized | Limited | Broken | Moved | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    message: str
    documentation: str
    problems: tuple[str, ...]
    codes: frozenset[str]


def judge(answer: RawAnswer, *, call: str, now: datetime, graphql: bool = False) -> Verdict:
    """`now` is this machine's time, used only where GitHub sends no `Date`."""
    status = answer.status
    if graphql and status == 200:
        return _graphql_verdict(answer, now)
    if status < 300 or status == 304:
        return Fine()
    words = _words(answer)
    if status in (301, 302, 307, 308):
        return Moved(url=answer.headers.get("location", ""))
    if status == 401:
        return Unauthorized()
    limited = _limit(answer, words, now)
    if limited is not None:
        return limited
    if status >= 500 or status == 408:
        return Broken()
    return Refused(error=_refusal(answer, words, call))


def _limit(answer: RawAnswer, words: _Words, now: datetime) -> Limited | None:
    said = f"{words.message} {' '.join(words.problems)}".lower()
    secondary = (
        "secondary rate limit" in said
        or "abuse" in said
        or "submitted too quickly" in said
        or "rate-limits-for-the-rest-api#about-secondary" in words.documentation
        or "secondary-rate-limits" in words.documentation
        or "abuse-rate-limits" in words.documentation
    )
    primary = answer.headers.get("x-ratelimit-remaining") == "0" or "rate limit exceeded" in said
    after = answer.number("retry-after")
    match answer.status:
        case 429:
            pass
        case 403 if after is not None or primary or secondary:
            pass
        case 422 if "submitted too quickly" in said:
            pass
        case _:
            return None
    return _limited(answer, after=after, primary=primary and not secondary, now=now)


def _limited(answer: RawAnswer, *, after: float | None, primary: bool, now: datetime) -> Limited:
    """`retry-after` first, then the reset where nothing remains, else no number."""
    kind = "primary" if primary else "secondary"
    if after is not None and after >= 0:
        return Limited(kind=kind, seconds=after + RESET_MARGIN_SECONDS)
    reset = answer.number("x-ratelimit-reset")
    if reset is not None and answer.headers.get("x-ratelimit-remaining") == "0":
        return Limited(kind="primary", seconds=seconds_until(answer, reset, now))
    return Limited(kind=kind, seconds=None)


def seconds_until(answer: RawAnswer, epoch: float, now: datetime) -> float:
    """By GitHub's clock, since ours may be off; at least the margin, at most two hours."""
    here = (answer.date or now).timestamp()
    return min(max(epoch - here, 0.0) + RESET_MARGIN_SECONDS, 7_200.0)


def _graphql_verdict(answer: RawAnswer, now: datetime) -> Verdict:
    try:
        errors = Fields(json.loads(answer.body))["errors"]
        items = [] if errors.absent else list(errors)
        kinds = {item["type"].text("") for item in items}
        said = " ".join(item["message"].text("") for item in items).lower()
    except (ValueError, RecursionError, WrongShape):
        return Fine()  # Not our table's business: whoever reads the answer says what is wrong.
    limited = kinds & {"RATE_LIMITED", "RATE_LIMIT"} or "rate limit" in said
    if not limited:
        return Fine()
    after = answer.number("retry-after")
    return _limited(answer, after=after, primary="secondary" not in said, now=now)


def _refusal(answer: RawAnswer, words: _Words, call: str) -> GitHubError:
    status, said, rid = answer.status, words.message, answer.request_id
    low = said.lower()
    match status:
        case 404:
            return NotFound(call=call, status=status, said=said, request_id=rid)
        case 410:
            return Gone(call=call, status=status, said=said, request_id=rid)
        case 403 | 451 if "suspended" in low:
            return Suspended(call=call, status=status, said=said, request_id=rid)
        case 403 if "archived" in low:
            return ReadOnly(call=call, status=status, said=said, request_id=rid)
        case 403 if "is locked" in low:
            return Locked(call=call, status=status, said=said, request_id=rid)
        case 403 if "not accessible by integration" in low:
            accepted = answer.headers.get("x-accepted-github-permissions", "")
            return PermissionMissing(
                call=call,
                status=status,
                said=said,
                request_id=rid,
                permissions=accepted.replace("=", ":") or "not named by GitHub",
            )
        case 409:
            return StateConflict(call=call, status=status, said=said, request_id=rid)
        case 422:
            exists = "already_exists" in words.codes or any(
                "already exists" in problem.lower() for problem in (said, *words.problems)
            )
            kind = AlreadyExists if exists else Invalid
            return kind(
                call=call, status=status, said=said, problems=words.problems, request_id=rid
            )
        case 400:
            return Invalid(
                call=call, status=status, said=said, problems=words.problems, request_id=rid
            )
        case _:
            return Forbidden(call=call, status=status, said=said, request_id=rid)


def _words(answer: RawAnswer) -> _Words:
    """Never fails: an error may come as HTML from something between GitHub and us."""
    try:
        data = json.loads(answer.body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return _Words(message="", documentation="", problems=(), codes=frozenset())
    problems, codes = [], set()
    errors = data.get("errors")
    for error in errors if isinstance(errors, list) else [errors]:
        if isinstance(error, str):
            problems.append(error)
        elif isinstance(error, dict):
            parts = [error.get("resource"), error.get("field"), error.get("code")]
            described = error.get("message") or " ".join(str(part) for part in parts if part)
            problems.append(str(described))
            codes.add(str(error.get("code")))
    return _Words(
        message=str(data.get("message") or ""),
        documentation=str(data.get("documentation_url") or ""),
        problems=tuple(problems),
        codes=frozenset(codes),
    )
