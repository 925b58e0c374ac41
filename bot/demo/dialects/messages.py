"""Anthropic messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from bot.demo.script import Called, Conversation, Item, Returned, Said, Spoke

from .answer import Answer, Malformed, arguments_in, dicts_in, pieces, sse, text_in

PATH = "/v1/messages"


def conversation_from(body: Mapping[str, object], characters: int) -> Conversation:
    items: list[Item] = []
    for message in dicts_in(body.get("messages")):
        if message.get("role") not in ("user", "assistant"):
            raise Malformed(f"no such role: {message.get('role')}")
        content = message.get("content")
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        for block in dicts_in(content):
            match message.get("role"), block.get("type"):
                case "user", "text":
                    items.append(Said(text=str(block.get("text"))))
                case "user", "tool_result":
                    items.append(Returned(text=text_in(block.get("content"))))
                case "assistant", "text":
                    items.append(Spoke())
                case "assistant", "tool_use":
                    items.append(Called(name=str(block.get("name"))))
    tools = dicts_in(body.get("tools") or [])
    return Conversation(
        model=str(body.get("model", "")),
        system=text_in(body.get("system")),
        items=tuple(items),
        tools={str(t.get("name")): arguments_in(t.get("input_schema")) for t in tools},
        stream=body.get("stream") is True,
        characters=characters,
    )


def whole(answer: Answer) -> dict[str, object]:
    content: list[dict[str, object]] = []
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    for call in answer.calls:
        arguments = dict(call.arguments)
        content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return {
        **envelope(answer),
        "content": content,
        "stop_reason": stop_reason(answer),
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens},
    }


def events(answer: Answer) -> Iterator[bytes]:
    start = {
        **envelope(answer),
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": 1},
    }
    yield event("message_start", message=start)
    if answer.text:
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in pieces(answer.text):
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        yield event("content_block_stop", index=0)
    for index, call in enumerate(answer.calls, start=1 if answer.text else 0):
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        yield event("content_block_start", index=index, content_block=block)
        for piece in pieces(json.dumps(dict(call.arguments))):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    yield event(
        "message_delta",
        delta={"stop_reason": stop_reason(answer), "stop_sequence": None},
        usage={"output_tokens": answer.output_tokens},
    )
    yield event("message_stop")


def failure(message: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def event(kind: str, **fields: object) -> bytes:
    return sse({"type": kind, **fields}, event=kind)


def envelope(answer: Answer) -> dict[str, object]:
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "stop_sequence": None,
    }


def stop_reason(answer: Answer) -> str:
    return "tool_use" if answer.calls else "end_turn"
