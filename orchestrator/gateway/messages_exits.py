"""The Anthropic Messages API: which fields, tools and content blocks stay inside the call.

https://platform.claude.com/docs/en/api/messages lists them.
"""

from __future__ import annotations

import re

from .body import Json
from .errors import Refused
from .exits import (
    Checked,
    Inline,
    client_tools,
    count,
    exit_refused,
    flag,
    kept,
    kind_of,
    model_of,
    objects,
    refuse_kind,
)

_FIELDS = frozenset(
    [
        "model",
        "messages",
        "system",
        "max_tokens",
        "stream",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "output_format",
        "context_management",
        "service_tier",
        "cache_control",
    ]
)
"""`metadata` is left out: it says who uses the agent, which concerns nobody."""
_EXITS = {
    "mcp_servers": "remote MCP",
    "container": "code execution at the provider",
    "fallbacks": "another model than the one that was asked for",
}
_TOOLS = re.compile(r"custom|(?:bash|text_editor|memory)_\d{8}")
"""`bash`, `text_editor` and `memory` are the provider's in name only: the client runs them."""
_TIERS = (None, "auto", "standard_only")
_PLAIN = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "search_result"})


def checked_messages(body: Json) -> Checked:
    """The body as it may be sent. Raises `Refused`."""
    inline = Inline()
    model = model_of(body)
    clean = kept(body, _FIELDS, _EXITS)
    if clean.get("service_tier") not in _TIERS:
        raise Refused(403, "`service_tier` is not one that the gateway passes on")
    client_tools(clean.get("tools"), "tools", _TOOLS, default="custom")
    _content(clean.get("system"), "system", inline)
    messages = objects(clean.get("messages"), "messages")
    for index, message in enumerate(messages):
        _content(message.get("content"), f"messages[{index}].content", inline)
    clean["messages"] = [{k: m[k] for k in ("role", "content") if k in m} for m in messages]
    return Checked(
        body=clean,
        model=model,
        stream=flag(clean, "stream"),
        max_output=count(clean, "max_tokens"),
        inline=inline,
    )


def _content(content: object, where: str, inline: Inline) -> None:
    if content is None or isinstance(content, str):
        return
    for index, block in enumerate(objects(content, where)):
        _block(block, f"{where}[{index}]", inline)


def _block(block: Json, where: str, inline: Inline) -> None:
    kind = kind_of(block, where)
    match kind:
        case "image" | "document":
            _source(block.get("source"), f"{where}.source", inline, image=kind == "image")
        case "tool_result":
            _content(block.get("content"), f"{where}.content", inline)
        case "tool_reference":
            pass
        case _ if kind not in _PLAIN:
            raise refuse_kind(kind, where)


def _source(source: object, where: str, inline: Inline, *, image: bool) -> None:
    if not isinstance(source, dict):
        raise Refused(400, f"`{where}` is not an object")
    kind = kind_of(source, where)
    if "url" in source or "file_id" in source or kind in ("url", "file"):
        raise exit_refused("content that the provider fetches from elsewhere", where)
    match kind:
        case "base64":
            data = source.get("data")
            if not isinstance(data, str):
                raise Refused(400, f"`{where}.data` is not a text")
            if image:
                inline.image(data)
        case "text" if not image:
            pass
        case "content" if not image:
            _content(source.get("content"), f"{where}.content", inline)
        case _:
            raise refuse_kind(kind, where)
