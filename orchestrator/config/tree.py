"""YAML bytes to a plain tree with places, from parser events alone: nothing is constructed.

So there are no tags, no aliases that multiply, no guessed dates or octal numbers. Only what the
YAML 1.2 core schema calls null, true, false and numbers is more than text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import yaml

from .problem import ConfigProblem

LONGEST_FILE = 64 * 1024
_DEEPEST = 16
_MOST_NODES = 2_000
_LONGEST_SCALAR = 16 * 1024


class _Mark(Protocol):
    """Of either parser; both count from 0."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


Plain = None | bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    value: Plain
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Keys are texts, each once, with their own places."""

    items: tuple[tuple[str, Place, Node], ...]
    place: Place


Node = Scalar | Sequence | Mapping


class Unreadable(Exception):
    """The file cannot be read; `problem` says where and why."""

    def __init__(self, problem: ConfigProblem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def tree(data: bytes) -> Node | None:
    """None for an empty file. Raises `Unreadable`."""
    text = _text(data)
    events = _events(text)
    next(events)
    first = next(events)
    if isinstance(first, yaml.StreamEndEvent):
        return None
    assert isinstance(first, yaml.DocumentStartEvent)
    if first.version or first.tags:
        raise _unreadable(_place(first), "YAML directives are not allowed", "remove the % lines")
    node = _Builder(events).node(next(events), depth=0, path="")
    next(events)
    last = next(events)
    if not isinstance(last, yaml.StreamEndEvent):
        raise _unreadable(
            _place(last), "a second document begins here", "keep one document; remove `---`"
        )
    return node


def _unreadable(place: Place, message: str, hint: str, key: str = "") -> Unreadable:
    return Unreadable(
        ConfigProblem(line=place.line, column=place.column, key=key, message=message, hint=hint)
    )


def _text(data: bytes) -> str:
    start = Place(line=1, column=1)
    if len(data) > LONGEST_FILE:
        raise _unreadable(
            start, f"the file has {len(data):,} bytes", f"at most {LONGEST_FILE:,} are read"
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _unreadable(start, "the file is UTF-16", "save it as UTF-8")
    if data.startswith(b"\xef\xbb\xbf"):
        raise _unreadable(start, "the file begins with a byte order mark", "save it as plain UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place_at(data[: error.start].decode("utf-8"), error.start)
        raise _unreadable(
            place, f"byte 0x{data[error.start]:02x} is not valid UTF-8", "save it as UTF-8"
        ) from error
    odd = _NOT_ALLOWED.search(text)
    if odd:
        place = _place_at(text, odd.start())
        if odd.group() == "\t":
            raise _unreadable(place, "tab character", "use spaces")
        code = f"U+{ord(odd.group()[0]):04X}"
        raise _unreadable(place, f"character {code} is not allowed", "remove it")
    return text


_NOT_ALLOWED = re.compile(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\U000e0000-\U000e0fff]|\r(?!\n)"
)


def _place_at(text: str, index: int) -> Place:
    line = text.count("\n", 0, index) + 1
    return Place(line=line, column=index - (text.rfind("\n", 0, index) + 1) + 1)


def _place(event: yaml.Event) -> Place:
    return _marked(event.start_mark)


def _marked(mark: _Mark | None) -> Place:
    if mark is None:
        return Place(line=1, column=1)
    return Place(line=mark.line + 1, column=mark.column + 1)


def _events(text: str) -> Iterator[yaml.Event]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (
            Place(line=mark.line + 1, column=mark.column + 1) if mark else Place(line=1, column=1)
        )
        raise _unreadable(
            place, f"not YAML: {error.problem or error.context}", _hint(error)
        ) from error
    except yaml.YAMLError as error:
        raise _unreadable(
            Place(line=1, column=1), "not YAML", "only plain characters are allowed"
        ) from error


def _hint(error: yaml.MarkedYAMLError) -> str:
    said = f"{error.problem} {error.context}"
    if "mapping values are not allowed" in said:
        return "put quotes around a text that holds `: `"
    if "cannot start any token" in said:
        return "put quotes around a text that begins with a special character"
    if "escape character" in said:
        return "use single quotes, or write the backslash twice"
    if "block end" in said or "expected key" in said:
        return "indent the keys of one level alike"
    if "':'" in said:
        return "write `key: value`, with a space after the colon"
    if "scalar" in said or "flow" in said:
        return "close what was opened with the same quote or bracket"
    return "check quotes, colons and indentation"


class _Builder:
    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self.events = events
        self.nodes = 0

    def node(self, event: yaml.Event, *, depth: int, path: str) -> Node:
        place = _place(event)
        self._refuse(event, place, path)
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            raise _unreadable(place, "too many values", f"at most {_MOST_NODES:,} are read", path)
        if depth > _DEEPEST:
            raise _unreadable(place, "nested too deep", f"at most {_DEEPEST} levels are read", path)
        match event:
            case yaml.ScalarEvent():
                return Scalar(value=self._scalar(event, place, path), place=place)
            case yaml.SequenceStartEvent():
                items: list[Node] = []
                while not isinstance(inner := next(self.events), yaml.SequenceEndEvent):
                    items.append(self.node(inner, depth=depth + 1, path=f"{path}[{len(items)}]"))
                return Sequence(items=tuple(items), place=place)
            case yaml.MappingStartEvent():
                return self._mapping(place, depth=depth, path=path)
            case _:
                raise AssertionError(f"unexpected {type(event).__name__}")

    def _mapping(self, place: Place, *, depth: int, path: str) -> Mapping:
        items: dict[str, tuple[Place, Node]] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            at = _place(event)
            self._refuse(event, at, path)
            self.nodes += 1
            if not isinstance(event, yaml.ScalarEvent):
                raise _unreadable(at, "a key must be a plain word", "write `key: value`", path)
            name = str(event.value)
            inner = f"{path}.{name}" if path else name
            if event.implicit[0] and name == "<<":
                raise _unreadable(at, "merge keys are not allowed", "write the keys out", path)
            if len(name) > 100:
                raise _unreadable(at, "a key of this length is not known", "", path)
            if name in items:
                first = items[name][0].line
                raise _unreadable(
                    at, f"written twice, first on line {first}", "keep one of them", inner
                )
            items[name] = (at, self.node(next(self.events), depth=depth + 1, path=inner))
        return Mapping(
            items=tuple((name, at, node) for name, (at, node) in items.items()), place=place
        )

    def _refuse(self, event: yaml.Event, place: Place, path: str) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise _unreadable(
                place,
                f"aliases (`*{str(event.anchor)[:40]}`) are not allowed",
                "write it out",
                path,
            )
        if isinstance(event, yaml.NodeEvent) and event.anchor:
            raise _unreadable(
                place, f"anchors (`&{str(event.anchor)[:40]}`) are not allowed", "remove it", path
            )
        tag = getattr(event, "tag", None)
        if tag:
            raise _unreadable(place, f"tags (`{str(tag)[:40]}`) are not allowed", "remove it", path)

    def _scalar(self, event: yaml.ScalarEvent, place: Place, path: str) -> Plain:
        text = str(event.value)
        if len(text) > _LONGEST_SCALAR:
            raise _unreadable(
                place, f"a text of {len(text):,} characters", f"at most {_LONGEST_SCALAR:,}", path
            )
        return core_value(text) if event.implicit[0] else text


_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")
_OTHER_INTEGER = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,19}|[0-9]{1,19}(\.[0-9]{0,19})?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}


def core_value(text: str) -> Plain:
    """A plain scalar by the YAML 1.2 core schema: https://yaml.org/spec/1.2.2/#103-core-schema"""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_INTEGER.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
