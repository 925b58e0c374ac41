"""Which headers pass, in either direction. Everything that is not named here stays behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .errors import Dialect, Refused
from .upstream import Upstream

MAX_HEADERS = 100
_VALUE = re.compile(r"[\x20-\x7e]{0,2000}")
_PASSED_IN = ("accept", "user-agent", "anthropic-version")
_PASSED_BACK = (
    "content-type",
    "retry-after",
    "retry-after-ms",
    "request-id",
    "x-request-id",
    "x-should-retry",
)
"""Not: cookies, the organisation, its limits, what the provider's proxies add."""
_BETA = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_BETA_EXITS = re.compile(
    "mcp|files-api|code-execution|web-|computer-use|skills|fast-mode|batches|advisor|fallback"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the supervisor says that the agent asked for. Every text is hostile."""

    method: str
    path: str
    headers: Mapping[str, str]


def asked_from(meta: Mapping[str, object]) -> Asked:
    """The opening of an `http` stream. Raises `Refused`."""
    method, path, pairs = meta.get("method"), meta.get("path"), meta.get("headers")
    if not isinstance(method, str) or not isinstance(path, str) or not isinstance(pairs, list):
        raise Refused(400, "the request is not one")
    if len(pairs) > MAX_HEADERS:
        raise Refused(400, "the request has too many headers")
    headers: dict[str, str] = {}
    for pair in pairs:
        match pair:
            case [str(name), str(value)]:
                headers[name.lower()] = value
            case _:
                raise Refused(400, "the request has a header that is not one")
    if "upgrade" in headers:
        raise Refused(403, "the gateway does not change protocols")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "the gateway takes bodies that are not compressed")
    return Asked(method=method, path=path, headers=headers)


def outgoing_headers(asked: Asked, upstream: Upstream, dialect: Dialect) -> dict[str, str]:
    """A few of the agent's, and our key. The sandbox's own credentials never pass."""
    headers = {
        name: asked.headers[name]
        for name in _PASSED_IN
        if name in asked.headers and _VALUE.fullmatch(asked.headers[name])
    }
    headers["accept-encoding"] = "identity"
    if asked.method == "POST":
        headers["content-type"] = "application/json"
    if dialect is Dialect.MESSAGES:
        headers.setdefault("anthropic-version", "2023-06-01")
        if betas := _betas(asked.headers.get("anthropic-beta", "")):
            headers["anthropic-beta"] = betas
    if upstream.key:
        key = upstream.key.reveal()
        if dialect is Dialect.MESSAGES:
            headers["x-api-key"] = key
        else:
            headers["authorization"] = f"Bearer {key}"
    return headers


def _betas(text: str) -> str:
    names = [name.strip() for name in text.split(",")][:50]
    return ",".join(n for n in names if _BETA.fullmatch(n) and not _BETA_EXITS.search(n))


def returned_headers(received: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (name, received[name])
        for name in _PASSED_BACK
        if name in received and _VALUE.fullmatch(received[name])
    ]


def retry_after(received: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, from `retry-after-ms` or either form of `Retry-After`."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = received.get(name)
        if text is not None and re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text.strip()):
            return float(text) * scale
    try:
        at = parsedate_to_datetime(received.get("retry-after", ""))
    except ValueError:
        return None
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def without(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret, whole or cut at either end, taken out."""
    for secret in secrets:
        for size in (len(secret), 12):
            if size <= len(secret):
                for start in range(len(secret) - size + 1):
                    text = text.replace(secret[start : start + size], "***")
    return text
