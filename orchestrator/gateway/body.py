"""A request body as a checked JSON object, and back to bytes in one canonical form.

What is sent is always written anew from what was checked: a body that two parsers would read
differently (doubled keys, odd encodings) means the same on both sides of the gateway.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from .errors import Refused

MAX_DEPTH = 128
Json = dict[str, object]


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: Sequence[tuple[str, object]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def parse_object(data: bytes) -> Json:
    """Strict: UTF-8, one object, no doubled keys, no NaN, bounded depth."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else "see its form"
        if isinstance(error, ValueError) and str(error) == "a key appears twice":
            problem = "a key appears twice"
        raise Refused(400, f"the body is not the JSON object it should be: {problem}") from None
    if not isinstance(value, dict):
        raise Refused(400, "the body is not a JSON object")
    _bound_depth(value)
    return value


def _bound_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(v for v in item.values() if isinstance(v, dict | list))
            elif isinstance(item, list):
                below.extend(v for v in item if isinstance(v, dict | list))
        if not below:
            return
        level = below
    raise Refused(400, "the body is nested too deeply")


def canonical(value: Json) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates can only be written escaped
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
    except ValueError:
        raise Refused(400, "the body contains a number that is not finite") from None
