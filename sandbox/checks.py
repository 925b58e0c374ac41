"""Field checks for messages of an untrusted side: each takes a JSON value and returns ours.

Standard library only. A check raises `CodecError`, which says what is wrong, never the content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, get_args

_MAX_INT = 2**53
_MAX_SECONDS = 1e10
_MAX_KEY = 1 << 10


class CodecError(ValueError):
    """This is not one of our messages; says which field, never its content."""


Check = Callable[[object], Any]


def text(limit: int) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, str):
            raise CodecError("not a text")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise CodecError("not valid Unicode") from None
        if size > limit:
            raise CodecError(f"longer than {limit} bytes")
        return value

    return check


def whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise CodecError("not a whole number")
    if not -_MAX_INT <= value <= _MAX_INT:
        raise CodecError("out of range")
    return value


def count(value: object) -> int:
    number = whole(value)
    if number < 0:
        raise CodecError("negative")
    return number


def seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CodecError("not a number")
    if not 0 <= value <= _MAX_SECONDS:  # also refuses NaN
        raise CodecError("out of range")
    return float(value)


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise CodecError("not true or false")
    return value


def one_of(literal: Any) -> Check:
    choices = frozenset(get_args(literal))

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise CodecError("not among the choices")
        return value

    return check


def optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def several(check: Check, limit: int) -> Check:
    def each(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > limit:
            raise CodecError(f"not a list of at most {limit}")
        return tuple(check(item) for item in value)

    return each


def mapping(check: Check, limit: int) -> Check:
    def each(value: object) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > limit:
            raise CodecError(f"not an object of at most {limit} entries")
        return {text(_MAX_KEY)(key): check(item) for key, item in value.items()}

    return each


def record(shape: type[Any], checks: Mapping[str, Check]) -> Check:
    known: dict[str, Field[Any]] = {field.name: field for field in fields(shape)}
    required = {
        name
        for name, field in known.items()
        if field.default is MISSING and field.default_factory is MISSING
    }
    if known.keys() != checks.keys():
        raise TypeError(f"{shape.__name__}: the table does not match the class")

    def check(value: object) -> Any:
        if not isinstance(value, dict):
            raise CodecError("not an object")
        if value.keys() - checks.keys():
            raise CodecError(f"{shape.__name__} has an unknown field")
        if missing := required - value.keys():
            raise CodecError(f"{shape.__name__} lacks {min(missing)}")
        decoded = {}
        for name, item in value.items():
            try:
                decoded[name] = checks[name](item)
            except CodecError as error:
                raise CodecError(f"{shape.__name__}.{name}: {error}") from None
        return shape(**decoded)

    return check
