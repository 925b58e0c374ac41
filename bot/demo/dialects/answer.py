"""One answer of the scripted model, before a dialect words it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.demo.script import Conversation, Step
from bot.demo.tools import ToolCall, calls_for


class Malformed(Exception):
    """The request is not what this model API takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    id: str
    model: str
    text: str
    calls: tuple[ToolCall, ...]
    input_tokens: int
    output_tokens: int


def answer_for(conversation: Conversation, step: Step) -> Answer:
    """Tokens are counted as four characters each, which is near enough to look right."""
    calls = calls_for(step.actions, conversation)
    said = len(step.text) + sum(len(json.dumps(dict(call.arguments))) for call in calls)
    return Answer(
        id=f"scripted-{conversation.calls}-{conversation.steps}",
        model=conversation.model,
        text=step.text,
        calls=calls,
        input_tokens=conversation.characters // 4 + 1,
        output_tokens=said // 4 + 1,
    )


def pieces(text: str) -> Iterator[str]:
    """The text word by word, as a model streams it."""
    yield from re.findall(r"\s*\S+\s*$|\s*\S+", text)


def sse(data: Mapping[str, object], event: str | None = None) -> bytes:
    """One server-sent event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(data)}\n\n".encode()


def text_in(content: object) -> str:
    """A message's content: a string, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            part["text"]
            for part in content
            if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return ""


def dicts_in(value: object) -> list[dict[str, object]]:
    """The objects in a JSON list. Raises Malformed where it is no list of objects."""
    if not isinstance(value, list):
        raise Malformed("a list was expected")
    for one in value:
        if not isinstance(one, dict):
            raise Malformed("a list of objects was expected")
    return value


def arguments_in(schema: object) -> tuple[str, ...]:
    """The names of a tool's arguments, from its JSON schema."""
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        return tuple(schema["properties"])
    return ()
