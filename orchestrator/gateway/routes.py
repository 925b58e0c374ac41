"""Which requests may leave: five exact paths per upstream. Nothing is normalised or decoded.

A path that is not literally on the list is refused, so `..`, `%2e`, `//`, `\\`, absolute URLs
and CONNECT have nothing to work with. The URL that is called is built from constants.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .errors import Dialect, Refused
from .upstream import Upstream


class Route(StrEnum):
    MESSAGES = "/messages"
    COUNT_TOKENS = "/messages/count_tokens"
    CHAT = "/chat/completions"
    RESPONSES = "/responses"
    MODELS = "/models"


_DIALECTS = {
    Route.MESSAGES: Dialect.MESSAGES,
    Route.COUNT_TOKENS: Dialect.MESSAGES,
    Route.CHAT: Dialect.CHAT,
    Route.RESPONSES: Dialect.RESPONSES,
}
_PATH = re.compile(r"/([a-z][a-z0-9-]{0,31})/v1(/[a-z_/]{1,32})(?:\?([A-Za-z0-9=&._-]{0,200}))?")
_QUERY = {"beta": re.compile("true"), "limit": re.compile(r"\d{1,4}")}
_CURSOR = re.compile(r"[A-Za-z0-9._-]{1,100}")
_CURSORS = ("after_id", "before_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An allowed request: its URL is `upstream.root + route + query`."""

    upstream: Upstream
    route: Route
    dialect: Dialect
    query: str = ""

    @property
    def url(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.upstream.root}{self.route.value}{query}"

    @property
    def metered(self) -> bool:
        """Counting tokens and listing models cost nothing."""
        return self.route in (Route.MESSAGES, Route.CHAT, Route.RESPONSES)


def target(method: str, path: str, upstreams: Mapping[str, Upstream]) -> Target:
    """The request if it is on the list. Raises `Refused` in words for all others."""
    match_ = _PATH.fullmatch(path)
    if match_ is None:
        raise Refused(403, "this path is not one that the gateway passes on")
    name, rest, query = match_.groups()
    upstream = upstreams.get(name)
    if upstream is None:
        known = ", ".join(sorted(upstreams)) or "none"
        raise Refused(403, f"no model provider called {name} is configured; there is: {known}")
    try:
        route = Route(rest)
    except ValueError:
        raise Refused(
            403, f"{name}: the gateway passes on model calls only, not files, batches and the like"
        ) from None
    if method != ("GET" if route is Route.MODELS else "POST"):
        raise Refused(403, f"{name}: this path does not take that method")
    dialect = _DIALECTS.get(route, upstream.default_dialect)
    if dialect not in upstream.dialects:
        raise Refused(403, f"{name} does not speak the {dialect.value} API")
    return Target(upstream=upstream, route=route, dialect=dialect, query=_query(query or ""))


def _query(text: str) -> str:
    for part in text.split("&") if text else ():
        key, _, value = part.partition("=")
        pattern = _CURSOR if key in _CURSORS else _QUERY.get(key)
        if pattern is None or not pattern.fullmatch(value):
            raise Refused(403, "a query parameter is not one that the gateway passes on")
    return text
