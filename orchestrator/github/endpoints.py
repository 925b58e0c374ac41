"""Where GitHub is: github.com, or the server a company runs itself."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; raises `ValueError` for what is not an http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http(s) URL")
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The three roots, named as GitHub names them in its own environments.

    github.com has a host for each; GitHub Enterprise Server has one host, with the API under
    `/api/v3` and `/api/graphql`: docs.github.com/en/enterprise-server/rest/using-the-rest-api.
    """

    api_url: str = "https://api.github.com"
    graphql_url: str = "https://api.github.com/graphql"
    server_url: str = "https://github.com"

    def __post_init__(self) -> None:
        for name in ("api_url", "graphql_url", "server_url"):
            url = getattr(self, name).rstrip("/")
            try:
                origin(url)
            except ValueError as problem:
                raise ValueError(f"{name}: {problem}") from None
            object.__setattr__(self, name, url)
