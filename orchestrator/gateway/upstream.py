"""Where model calls go: base URL, key, and which of the three APIs are spoken there."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from yarl import URL

from orchestrator.secret import Secret

from .errors import Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """`name` is the first part of the path the agent uses; `root` ends before `/messages` etc.

    `unknown_is_free` prices models that are not in the table at zero: right for a local model,
    wrong for anything that sends a bill. `usage_in_stream` asks chat completions for their usage;
    off only for servers that refuse `stream_options`.
    """

    name: str
    root: str
    dialects: frozenset[Dialect]
    key: Secret | None
    key_variable: str
    needs_key: bool = True
    unknown_is_free: bool = False
    usage_in_stream: bool = True

    def __post_init__(self) -> None:
        url = URL(self.root)
        if url.user or url.password:
            raise ValueError(f"{self.name}: the base URL must not contain a credential")
        if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
            raise ValueError(f"{self.name}: the base URL must be http(s) and have no query")

    @property
    def default_dialect(self) -> Dialect:
        """For what is not a call (the list of models): whose header and errors to use."""
        return Dialect.MESSAGES if self.dialects == {Dialect.MESSAGES} else Dialect.CHAT


def anthropic(key: Secret | None, base_url: str | None = None) -> Upstream:
    """`base_url` as in `ANTHROPIC_BASE_URL`: without `/v1`, though with it works as well.

    Here and below: with a base URL of its own a deployment may do without a key, and models that
    the price table does not know are free where that URL is on this machine.
    """
    root = (base_url or "https://api.anthropic.com").rstrip("/")
    return Upstream(
        name="anthropic",
        root=root if root.endswith("/v1") else f"{root}/v1",
        dialects=frozenset({Dialect.MESSAGES}),
        key=key,
        key_variable="ANTHROPIC_API_KEY",
        needs_key=not base_url,
        unknown_is_free=_on_this_machine(root),
    )


def openai(
    key: Secret | None, base_url: str | None = None, *, usage_in_stream: bool = True
) -> Upstream:
    """`base_url` as in `OPENAI_BASE_URL`: with its version; a bare host gets `/v1`."""
    root = (base_url or "https://api.openai.com/v1").rstrip("/")
    if URL(root).path in ("", "/"):
        root = f"{root}/v1"
    return Upstream(
        name="openai",
        root=root,
        dialects=frozenset({Dialect.CHAT, Dialect.RESPONSES}),
        key=key,
        key_variable="OPENAI_API_KEY",
        needs_key=not base_url,
        unknown_is_free=_on_this_machine(root),
        usage_in_stream=usage_in_stream,
    )


def opencode(key: Secret | None, base_url: str | None = None) -> Upstream:
    """OpenCode Zen: Claude models over messages, GPT over responses, the rest over chat.

    https://opencode.ai/docs/zen
    """
    root = (base_url or "https://opencode.ai/zen/v1").rstrip("/")
    return Upstream(
        name="opencode",
        root=root,
        dialects=frozenset(Dialect),
        key=key,
        key_variable="OPENCODE_API_KEY",
        needs_key=not base_url,
        unknown_is_free=_on_this_machine(root),
    )


def _on_this_machine(root: str) -> bool:
    host = URL(root).host or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
