"""OpenAI chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from bot.demo.script import Called, Conversation, Item, Returned, Said, Spoke

from .answer import Answer, Malformed, arguments_in, dicts_in, pieces, sse, text_in

PATH = "/v1/chat/completions"


def conversation_from(body: Mapping[str, object], characters: int) -> Conversation:
    system: list[str] = []
    items: list[Item] = []
    for message in dicts_in(body.get("messages")):
        text = text_in(message.get("content"))
        match message.get("role"):
            case "system" | "developer":
                system.append(text)
            case "user":
                items.append(Said(text=text))
            case "assistant":
                if text:
                    items.append(Spoke())
                calls = dicts_in(message.get("tool_calls") or [])
                items += [Called(name=str(function_of(call).get("name"))) for call in calls]
            case "tool":
                items.append(Returned(text=text))
            case role:
                raise Malformed(f"no such role: {role}")
    functions = [function_of(tool) for tool in dicts_in(body.get("tools") or [])]
    return Conversation(
        model=str(body.get("model", "")),
        system="\n".join(system),
        items=tuple(items),
        tools={str(f.get("name")): arguments_in(f.get("parameters")) for f in functions},
        stream=body.get("stream") is True,
        characters=characters,
    )


def function_of(thing: Mapping[str, object]) -> Mapping[str, object]:
    function = thing.get("function")
    if not isinstance(function, dict):
        raise Malformed("only functions are known as tools")
    return function


def whole(answer: Answer) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
            }
            for call in answer.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": finish(answer)}
    return {**envelope(answer, "chat.completion"), "choices": [choice], "usage": usage(answer)}


def events(answer: Answer) -> Iterator[bytes]:
    def chunk(delta: Mapping[str, object], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return sse({**envelope(answer, "chat.completion.chunk"), "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(answer.text):
        yield chunk({"content": piece})
    for index, call in enumerate(answer.calls):
        head = {"index": index, "id": call.id, "type": "function"}
        yield chunk({"tool_calls": [{**head, "function": {"name": call.name, "arguments": ""}}]})
        for piece in pieces(json.dumps(dict(call.arguments))):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, finish(answer))
    last = envelope(answer, "chat.completion.chunk")
    yield sse({**last, "choices": [], "usage": usage(answer)})
    yield b"data: [DONE]\n\n"


def failure(message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": None}}


def finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"


def envelope(answer: Answer, kind: str) -> dict[str, object]:
    return {"id": answer.id, "object": kind, "created": 0, "model": answer.model}


def usage(answer: Answer) -> dict[str, object]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
