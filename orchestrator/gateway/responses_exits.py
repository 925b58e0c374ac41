"""OpenAI's Responses API. https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

import re

from .body import Json
from .errors import Refused
from .exits import (
    Checked,
    Inline,
    client_tools,
    count,
    data_url,
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
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "stream",
        "stream_options",
        "store",
        "temperature",
        "top_p",
        "top_logprobs",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "truncation",
        "include",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
    ]
)
_EXITS = {
    "store": "an answer stored at the provider",
    "background": "a call that goes on by itself",
    "previous_response_id": "an answer stored at the provider",
    "conversation": "a conversation stored at the provider",
    "prompt": "a prompt stored at the provider",
    "mcp_servers": "remote MCP",
    "extra_body": "fields for the provider alone",
}
_TOOLS = re.compile("function|custom|local_shell|apply_patch")
_TIERS = (None, "auto", "default", "flex")
_INCLUDE = ("reasoning.encrypted_content", "message.output_text.logprobs")
_PLAIN = frozenset(
    [
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "local_shell_call_output",
        "apply_patch_call",
        "apply_patch_call_output",
        "reasoning",
        "compaction",
    ]
)


def checked_responses(body: Json) -> Checked:
    """The body as it may be sent, with `store` off (the API's own default is on)."""
    inline = Inline()
    model = model_of(body)
    clean = kept(body, _FIELDS, _EXITS)
    clean["store"] = False
    if clean.get("service_tier") not in _TIERS:
        raise Refused(403, "`service_tier` is not one that the gateway passes on")
    if clean.get("include") is not None:
        include = clean["include"]
        if not isinstance(include, list):
            raise Refused(400, "`include` is not a list")
        clean["include"] = [name for name in include if name in _INCLUDE]
    client_tools(clean.get("tools"), "tools", _TOOLS)
    if not isinstance(clean.get("input"), str):
        for index, item in enumerate(objects(clean.get("input"), "input")):
            _item(item, f"input[{index}]", inline)
    return Checked(
        body=clean,
        model=model,
        stream=flag(clean, "stream"),
        max_output=count(clean, "max_output_tokens"),
        inline=inline,
    )


def _item(item: Json, where: str, inline: Inline) -> None:
    kind = kind_of(item, where, default="message")
    match kind:
        case "message":
            _parts(item.get("content"), f"{where}.content", inline)
        case "function_call_output" | "custom_tool_call_output":
            _parts(item.get("output"), f"{where}.output", inline)
        case _ if kind not in _PLAIN:
            raise refuse_kind(kind, where)


def _parts(content: object, where: str, inline: Inline) -> None:
    if content is None or isinstance(content, str):
        return
    for index, part in enumerate(objects(content, where)):
        _part(part, f"{where}[{index}]", inline)


def _part(part: Json, where: str, inline: Inline) -> None:
    kind = kind_of(part, where)
    match kind:
        case "input_text" | "output_text" | "text" | "refusal" | "summary_text":
            pass
        case "input_image":
            if part.get("file_id") is not None:
                raise exit_refused("a file stored at the provider", f"{where}.file_id")
            data_url(part.get("image_url"), f"{where}.image_url", inline)
        case "input_file":
            for name in ("file_id", "file_url"):
                if part.get(name) is not None:
                    raise exit_refused("a file from elsewhere", f"{where}.{name}")
            data_url(part.get("file_data"), f"{where}.file_data", inline, image=False)
        case _:
            raise refuse_kind(kind, where)
