"""How a frozen dataclass becomes JSON values and back: compiled once from its annotations."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import (
    Any,
    Literal,
    NamedTuple,
    NewType,
    NoReturn,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

Record = dict[str, Any]
"""A parsed line before it is an event. It goes no further than this folder."""


class Wrong(Exception):
    """Inside this folder: what is wrong, and the path that grows while it travels up."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.path = ""


class _Kind(NamedTuple):
    """How values of one declared type are written, read and cleaned."""

    exact: type[Any] | None
    """Where set, a value of exactly this type is its own JSON, and nothing need be called."""
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    clean: Callable[[Any, Callable[[str], str]], Any] | None
    """None where the value holds no free text."""


class Shape:
    """One dataclass, compiled once to a row per field."""

    def __init__(self, cls: type[Any]) -> None:
        self._cls = cls
        hints = get_type_hints(cls)
        self._rows = [
            (
                field.name,
                _kind(hints[field.name]),
                field.default is MISSING and field.default_factory is MISSING,
            )
            for field in fields(cls)
        ]

    def write(self, value: Any, record: Record) -> Record:
        for name, kind, _ in self._rows:
            item = getattr(value, name)
            if type(item) is kind.exact:
                record[name] = item
                continue
            try:
                record[name] = kind.write(item)
            except Wrong as wrong:
                wrong.path = f".{name}{wrong.path}"
                raise
        return record

    def read(self, record: Any) -> Any:
        if type(record) is not dict:
            raise Wrong("not an object")
        values: dict[str, Any] = {}
        for name, kind, required in self._rows:
            if name not in record:
                if required:
                    raise Wrong(f"{name} is missing")
                continue
            item = record[name]
            if type(item) is kind.exact:
                values[name] = item
                continue
            try:
                values[name] = kind.read(item)
            except Wrong as wrong:
                wrong.path = f".{name}{wrong.path}"
                raise
        if len(values) != len(record):
            unknown = sorted(record.keys() - values.keys())[0]
            raise Wrong(f"unknown field {unknown[:80]!r}")
        return self._cls(**values)

    def rewrite(self, value: Any, clean: Callable[[str], str]) -> Any:
        return self._cls(
            **{
                name: getattr(value, name)
                if kind.clean is None
                else kind.clean(getattr(value, name), clean)
                for name, kind, _ in self._rows
            }
        )


_SHAPES: dict[type[Any], Shape] = {}


def shape_of(cls: type[Any]) -> Shape:
    shape = _SHAPES.get(cls)
    if shape is None:
        shape = _SHAPES[cls] = Shape(cls)
    return shape


def _kind(hint: Any) -> _Kind:
    if isinstance(hint, NewType):
        return _kind(hint.__supertype__)._replace(clean=None)
    if hint is str:
        return _exactly(str)._replace(clean=lambda text, clean: clean(text))
    if hint in (int, bool):
        return _exactly(hint)
    if hint is float:
        return _Kind(None, _float, _float, None)
    if hint is datetime:
        return _Kind(None, _write_time, _read_time, None)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint)
    if is_dataclass(hint):
        return _nested(cast(type[Any], hint))
    if get_origin(hint) is Literal:
        return _words(get_args(hint))
    if get_origin(hint) is tuple and get_args(hint)[1:] == (...,):
        return _many(_kind(get_args(hint)[0]))
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not types.NoneType]
        if len(rest) == 1 and len(get_args(hint)) == 2:
            return _optional(_kind(rest[0]))
    raise TypeError(f"the codec cannot store a {hint}")


def _exactly(cls: type[Any]) -> _Kind:
    def wrong(value: Any) -> NoReturn:
        raise Wrong(f"not a {cls.__name__}")

    return _Kind(cls, wrong, wrong, None)


def _float(value: Any) -> float:
    if (type(value) is float and math.isfinite(value)) or type(value) is int:
        return float(value)
    raise Wrong("not a finite number")


def _write_time(value: Any) -> str:
    if type(value) is not datetime or value.tzinfo is None:
        raise Wrong("not a time with its zone")
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return utc.isoformat()[:-6] + "Z"


def _read_time(value: Any) -> datetime:
    if type(value) is str and value.endswith("Z") and "T" in value:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise Wrong("not a UTC time")


def _enum(cls: type[Enum]) -> _Kind:
    members = {member.value: member for member in cls}
    values = {member: member.value for member in cls}

    def write(value: Any) -> Any:
        if type(value) is not cls:
            raise Wrong(f"not a {cls.__name__}")
        return values[value]

    def read(value: Any) -> Any:
        if type(value) is str and value in members:
            return members[value]
        raise Wrong(f"not one of {', '.join(map(str, members))}")

    return _Kind(None, write, read, None)


def _words(words: tuple[Any, ...]) -> _Kind:
    def check(value: Any) -> Any:
        if type(value) is str and value in words:
            return value
        raise Wrong(f"not one of {', '.join(map(str, words))}")

    return _Kind(None, check, check, None)


def _nested(cls: type[Any]) -> _Kind:
    shape = shape_of(cls)

    def write(value: Any) -> Record:
        if type(value) is not cls:
            raise Wrong(f"not a {cls.__name__}")
        return shape.write(value, {})

    return _Kind(None, write, shape.read, shape.rewrite)


def _many(item: _Kind) -> _Kind:
    def each(value: Any, cls: type[Any], act: Callable[[Any], Any]) -> list[Any]:
        if type(value) is not cls:
            raise Wrong("not a list")
        return [part if type(part) is item.exact else act(part) for part in value]

    clean = item.clean
    return _Kind(
        None,
        lambda value: each(value, tuple, item.write),
        lambda value: tuple(each(value, list, item.read)),
        None if clean is None else lambda value, how: tuple(clean(part, how) for part in value),
    )


def _optional(item: _Kind) -> _Kind:
    clean = item.clean
    return _Kind(
        item.exact,
        lambda value: None if value is None else item.write(value),
        lambda value: None if value is None else item.read(value),
        None if clean is None else lambda value, how: None if value is None else clean(value, how),
    )
