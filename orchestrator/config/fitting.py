"""Does a value of the file fit its key? The value in our type, or `Unfit` with the reason."""

from __future__ import annotations

import re
from difflib import get_close_matches

from .keys import Choice, Flag, Key, Number, NumberList, Text, TextList, Value, allowed
from .tree import Mapping, Node, Place, Scalar, Sequence

_LARGEST_ID = 2**63 - 1


class Unfit(Exception):
    """This value is not one the key can have."""

    def __init__(self, place: Place, message: str, hint: str) -> None:
        self.place = place
        self.message = message
        self.hint = hint
        super().__init__(message)


def kind_of(node: Node) -> str:
    """What a value is, in words."""
    match node:
        case Mapping():
            return "keys"
        case Sequence():
            return "a list"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool(value)):
            return str(value).lower()
        case Scalar(value=int() | float()):
            return "a number"
        case Scalar():
            return "a text"


def fitting(node: Node, key: Key) -> Value:
    may_be = allowed(key.type)
    if isinstance(node, Scalar) and node.value is None:
        raise Unfit(node.place, "has no value", f"remove the key, or give {may_be}")
    match key.type, node:
        case Flag(), Scalar(value=bool(flag)):
            return flag
        case Flag(), Scalar(value="yes" | "on" | "Yes" | "On" | "YES" | "ON" as word):
            raise Unfit(node.place, f"`{word}` is a text in YAML 1.2", "write true")
        case Flag(), Scalar(value="no" | "off" | "No" | "Off" | "NO" | "OFF" as word):
            raise Unfit(node.place, f"`{word}` is a text in YAML 1.2", "write false")
        case Number() as number, Scalar(value=int() | float() as value) if not isinstance(
            value, bool
        ):
            return _number(number, value, node.place)
        case Text() as text, Scalar(value=str(said)):
            return _text(text, said, node.place)
        case Choice() as choice, Scalar(value=str(said)):
            return _choice(choice, said, node.place)
        case TextList() as texts, Sequence():
            return _texts(texts, node)
        case NumberList() as ids, Sequence():
            return _ids(ids, node)
        case ((Text() | Choice()), Scalar()):
            hint = f"put quotes around it; allowed: {may_be}"
            raise Unfit(node.place, f"is {kind_of(node)}, not a text", hint)
        case ((TextList() | NumberList()), Scalar()):
            hint = f"write it as a list, [a, b]; allowed: {may_be}"
            raise Unfit(node.place, f"is {kind_of(node)}, not a list", hint)
        case _:
            raise Unfit(node.place, f"is {kind_of(node)}, which does not fit", f"allowed: {may_be}")


def _number(number: Number, value: int | float, place: Place) -> int | float:
    hint = f"allowed: {allowed(number)}"
    if number.whole and not isinstance(value, int):
        raise Unfit(place, f"{value:g} is not a whole number", hint)
    if not number.least <= value <= number.most:  # also what is not a number at all
        raise Unfit(place, f"{value:g} is out of range", hint)
    return value if number.whole else float(value)


def _text(text: Text, said: str, place: Place) -> str:
    hint = f"allowed: {allowed(text)}"
    if len(said) > text.longest:
        raise Unfit(place, f"has {len(said):,} characters", hint)
    if text.pattern and not re.fullmatch(text.pattern, said):
        raise Unfit(place, f"`{_short(said)}` is not {text.form}", hint)
    return said


def _choice(choice: Choice, said: str, place: Place) -> str:
    if said in choice.options:
        return said
    close = get_close_matches(said.lower()[:100], choice.options, n=1, cutoff=0.6)
    may_be = f"allowed: {allowed(choice)}"
    raise Unfit(
        place,
        f"`{_short(said)}` is not known",
        f"did you mean `{close[0]}`? {may_be}" if close else may_be,
    )


def _texts(texts: TextList, node: Sequence) -> tuple[str, ...]:
    hint = f"allowed: {allowed(texts)}"
    if len(node.items) > texts.most:
        raise Unfit(node.place, f"has {len(node.items)} entries", hint)
    found: list[str] = []
    for number, item in enumerate(node.items, start=1):
        if not isinstance(item, Scalar) or not isinstance(item.value, str):
            fix = "put quotes around it" if isinstance(item, Scalar) else hint
            raise Unfit(item.place, f"entry {number} is {kind_of(item)}, not a text", fix)
        if not item.value or len(item.value) > texts.longest:
            size = f"entry {number} has {len(item.value):,} characters"
            raise Unfit(item.place, size, f"allowed: from 1 to {texts.longest:,}")
        if texts.pattern and not re.fullmatch(texts.pattern, item.value):
            wrong = f"entry {number}, `{_short(item.value)}`, is not {texts.form}"
            raise Unfit(item.place, wrong, hint)
        found.append(item.value)
    return tuple(found)


def _ids(ids: NumberList, node: Sequence) -> tuple[int, ...]:
    hint = f"allowed: {allowed(ids)}"
    if len(node.items) > ids.most:
        raise Unfit(node.place, f"has {len(node.items)} entries", hint)
    found: list[int] = []
    for number, item in enumerate(node.items, start=1):
        value = item.value if isinstance(item, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST_ID:
            fix = "App ids are numbers; the App's settings page shows it"
            raise Unfit(item.place, f"entry {number} is not an id", fix)
        found.append(value)
    return tuple(found)


def _short(said: str) -> str:
    line = said.replace("\n", " ").replace("`", "'")
    return line if len(line) <= 60 else line[:57] + "..."
