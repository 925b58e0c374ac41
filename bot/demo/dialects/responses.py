"""OpenAI responses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from bot.demo.script import Called, Conversation, Item, Returned, Said, Spoke

from .answer import Answer, Malformed, arguments_in, dicts_in, pieces, sse, text_in
from .chat import failure as failure

PATH = "/v1/responses"


def conversation_from(body: Mapping[str, object], characters: int) -> Conversation:
    system = [text_in(body.get("instructions"))]
    items: list[Item] = []
    given = body.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    for item in dicts_in(given):
        match item.get("type", "message"), item.get("role"):
            case "message", "user":
                items.append(Said(text=text_in(item.get("content"))))
            case "message", "system" | "developer":
                system.append(text_in(item.get("content")))
            case "function_call", _:
                items.append(Called(name=str(item.get("name"))))
            case "function_call_output", _:
                items.append(Returned(text=text_in(item.get("output"))))
            case "message", "assistant":
                items.append(Spoke())
            case "reasoning" | "item_reference", _:
                pass
            case kind, _:
                raise Malformed(f"no such item: {kind}")
    tools = dicts_in(body.get("tools") or [])
    return Conversation(
        model=str(body.get("model", "")),
        system="\n".join(system),
        items=tuple(items),
        tools={str(t.get("name")): arguments_in(t.get("parameters")) for t in tools},
        stream=body.get("stream") is True,
        characters=characters,
    )


def whole(answer: Answer) -> dict[str, object]:
    return response(answer, "completed", [item for item, _ in output(answer)])


def events(answer: Answer) -> Iterator[bytes]:
    number = 0

    def event(kind: str, **fields: object) -> bytes:
        nonlocal number
        number += 1
        return sse({"type": kind, "sequence_number": number, **fields}, event=kind)

    yield event("response.created", response=response(answer, "in_progress", []))
    done = []
    for index, (item, text) in enumerate(output(answer)):
        place: dict[str, object] = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            part = {"type": "output_text", "text": "", "annotations": []}
            opening = {**item, "status": "in_progress", "content": []}
            yield event("response.output_item.added", output_index=index, item=opening)
            yield event("response.content_part.added", **place, content_index=0, part=part)
            for piece in pieces(text):
                yield event("response.output_text.delta", **place, content_index=0, delta=piece)
            yield event("response.output_text.done", **place, content_index=0, text=text)
            full = {**part, "text": text}
            yield event("response.content_part.done", **place, content_index=0, part=full)
        else:
            opening = {**item, "status": "in_progress", "arguments": ""}
            yield event("response.output_item.added", output_index=index, item=opening)
            for piece in pieces(text):
                yield event("response.function_call_arguments.delta", **place, delta=piece)
            yield event("response.function_call_arguments.done", **place, arguments=text)
        yield event("response.output_item.done", output_index=index, item=item)
        done.append(item)
    yield event("response.completed", response=response(answer, "completed", done))


def output(answer: Answer) -> Iterator[tuple[dict[str, object], str]]:
    """The items of the answer, each with the text that is streamed for it."""
    if answer.text:
        part = {"type": "output_text", "text": answer.text, "annotations": []}
        yield (
            {
                "id": f"msg_{answer.id}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            },
            answer.text,
        )
    for call in answer.calls:
        arguments = json.dumps(dict(call.arguments))
        yield (
            {
                "id": f"fc_{call.id}",
                "type": "function_call",
                "status": "completed",
                "call_id": call.id,
                "name": call.name,
                "arguments": arguments,
            },
            arguments,
        )


def response(answer: Answer, status: str, items: list[dict[str, object]]) -> dict[str, object]:
    usage = {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": 0,
        "model": answer.model,
        "status": status,
        "output": items,
        "usage": usage if status == "completed" else None,
    }
