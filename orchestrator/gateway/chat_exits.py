"""OpenAI's chat completions, and what compatible servers add to them.

https://platform.openai.com/docs/api-reference/chat; the further exits are those of OpenRouter
(`plugins`), xAI (`search_parameters`), Qwen (`enable_search`) and Azure (`data_sources`).
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
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "n",
        "stop",
        "seed",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "functions",
        "function_call",
        "response_format",
        "reasoning_effort",
        "reasoning",
        "verbosity",
        "thinking",
        "enable_thinking",
        "thinking_budget",
        "chat_template_kwargs",
        "chat_template_args",
        "presence_penalty",
        "frequency_penalty",
        "repetition_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "prediction",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "cache_control",
        "usage",
        "tool_stream",
        "reasoning_format",
        "reasoning_split",
        "include_reasoning",
    ]
)
_EXITS = {
    "web_search_options": "provider-side web search",
    "search_parameters": "provider-side web search",
    "enable_search": "provider-side web search",
    "web_search": "provider-side web search",
    "plugins": "a plugin of the provider",
    "data_sources": "a data source of the provider",
    "mcp_servers": "remote MCP",
    "tool_resources": "files stored at the provider",
    "store": "an answer stored at the provider",
    "background": "a call that goes on by itself",
    "extra_body": "fields for the provider alone",
    "models": "another model than the one that was asked for",
}
_TOOLS = re.compile("function|custom")
_TIERS = (None, "auto", "default", "flex")
_MESSAGE_FIELDS = frozenset(
    [
        "role",
        "content",
        "name",
        "tool_calls",
        "tool_call_id",
        "function_call",
        "refusal",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "reasoning_text",
        "reasoning_opaque",
        "cache_control",
        "prefix",
        "partial",
    ]
)
_CARRIERS = frozenset(
    ["image_url", "video_url", "audio_url", "input_audio", "input_image", "file", "url"]
)
"""Some servers go by these, whatever the part's type says."""


def checked_chat(body: Json, *, usage_in_stream: bool) -> Checked:
    """The body as it may be sent; a stream is asked for its usage. Raises `Refused`."""
    inline = Inline()
    model = model_of(body)
    clean = kept(body, _FIELDS, _EXITS)
    if clean.get("service_tier") not in _TIERS:
        raise Refused(403, "`service_tier` is not one that the gateway passes on")
    client_tools(clean.get("tools"), "tools", _TOOLS)
    messages = objects(clean.get("messages"), "messages")
    clean["messages"] = [
        _message(message, f"messages[{index}]", inline) for index, message in enumerate(messages)
    ]
    stream = flag(clean, "stream")
    if stream and usage_in_stream:
        clean["stream_options"] = {"include_usage": True}
    else:
        clean.pop("stream_options", None)
    bounds = [count(clean, name) for name in ("max_tokens", "max_completion_tokens")]
    return Checked(
        body=clean,
        model=model,
        stream=stream,
        max_output=max((bound for bound in bounds if bound is not None), default=None),
        answers=max(1, count(clean, "n") or 1),
        inline=inline,
    )


def _message(message: Json, where: str, inline: Inline) -> Json:
    clean = {name: value for name, value in message.items() if name in _MESSAGE_FIELDS}
    content = clean.get("content")
    if content is not None and not isinstance(content, str):
        for index, part in enumerate(objects(content, f"{where}.content")):
            _part(part, f"{where}.content[{index}]", inline)
    client_tools(clean.get("tool_calls"), f"{where}.tool_calls", _TOOLS, default="function")
    return clean


def _part(part: Json, where: str, inline: Inline) -> None:
    kind = kind_of(part, where)
    if (_CARRIERS - {kind}) & part.keys():
        raise refuse_kind(kind, where)
    match kind:
        case "text" | "refusal" | "thinking" | "reasoning":
            pass
        case "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else image
            data_url(url, f"{where}.image_url", inline)
        case "input_audio":
            audio = part.get("input_audio")
            if not isinstance(audio, dict) or set(audio) - {"data", "format"}:
                raise exit_refused("audio from elsewhere", f"{where}.input_audio")
        case "file":
            file = part.get("file")
            if not isinstance(file, dict) or set(file) - {"file_data", "filename"}:
                raise exit_refused("a file stored elsewhere", f"{where}.file")
            data_url(file.get("file_data"), f"{where}.file.file_data", inline, image=False)
        case _:
            raise refuse_kind(kind, where)
