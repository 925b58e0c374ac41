"""The ways out of a sandbox that model APIs offer, and the rule that closes each of them.

A model call leaves the sandbox; the *provider* must not act for the agent on the way: no
search, no fetching of URLs, no code execution, no remote tools, no stored files or answers. So
only what is known to stay inside the call passes: known fields, known kinds of content, client
tools. What is known to be an exit is refused in words; an unknown field is left out; an unknown
kind of tool or content is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .body import Json
from .errors import Refused

MAX_TOOLS = 512
_SEARCHING_MODELS = re.compile(
    r"search-preview|search-api|deep-research|:online$|(^|/)(sonar|compound)(-|$)|-online$"
)
"""Models that search or run code at the provider whatever the request says."""


@dataclass(slots=True, kw_only=True)
class Inline:
    """What the call carries inside itself: base64 text is not tokens, an image is some."""

    images: int = 0
    encoded: int = 0

    def image(self, data: str) -> None:
        self.images += 1
        self.encoded += len(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A body that may be sent, and what its cost depends on."""

    body: Json
    model: str
    stream: bool
    max_output: int | None
    answers: int = 1
    inline: Inline = field(default_factory=Inline)


def exit_refused(what: str, where: str) -> Refused:
    """The sentence for a closed exit, always with the field that asked for it."""
    return Refused(403, f"{what} (`{where}`) is not passed on: it would work outside this sandbox")


def kept(body: Json, allowed: Collection[str], exits: Mapping[str, str]) -> Json:
    """`body` with its known fields only. Raises for a field that is an exit and is in use."""
    for name, what in exits.items():
        if body.get(name) not in (None, False, [], {}, ""):
            raise exit_refused(what, name)
    return {name: value for name, value in body.items() if name in allowed}


def model_of(body: Json) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= 200:
        raise Refused(400, "the body names no model")
    if _SEARCHING_MODELS.search(model.lower()):
        raise exit_refused("a model that searches by itself", "model")
    return model


def flag(body: Json, name: str) -> bool:
    value = body.get(name)
    if value not in (None, True, False):
        raise Refused(400, f"`{name}` is not true or false")
    return bool(value)


def count(body: Json, name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10_000_000:
        raise Refused(400, f"`{name}` is not a sensible number")
    return value


def objects(value: object, where: str) -> list[Json]:
    """A list of JSON objects, or nothing where it is absent."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused(400, f"`{where}` is not a list")
    for item in value:
        if not isinstance(item, dict):
            raise Refused(400, f"`{where}` holds something that is not an object")
    return value


def kind_of(item: Json, where: str, default: str = "") -> str:
    kind = item.get("type", default)
    if not isinstance(kind, str):
        raise Refused(400, f"`{where}.type` is not a text")
    return kind


def client_tools(tools: object, where: str, allowed: re.Pattern[str], default: str = "") -> None:
    """Every tool runs in the sandbox, or the call is refused."""
    items = objects(tools, where)
    if len(items) > MAX_TOOLS:
        raise Refused(400, f"`{where}` holds more than {MAX_TOOLS} tools")
    for index, tool in enumerate(items):
        kind = kind_of(tool, f"{where}[{index}]", default)
        if not allowed.fullmatch(kind):
            raise exit_refused(f"the tool type {_shown(kind)}", f"{where}[{index}].type")


def data_url(value: object, where: str, inline: Inline, *, image: bool = True) -> None:
    """An image or file that is in the call itself; an address somewhere else is an exit."""
    if not isinstance(value, str) or not value[:5].lower() == "data:":
        raise exit_refused("content that the provider fetches from an address", where)
    if image:
        inline.image(value)


def refuse_kind(kind: str, where: str) -> Refused:
    return exit_refused(f"content of type {_shown(kind)}", f"{where}.type")


def _shown(kind: str) -> str:
    return repr(kind[:60]) if kind else "without a name"
