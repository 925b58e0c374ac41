"""JSON objects from bytes we do not trust, and back. Standard library only.

Refused: anything but an object, NaN and infinities, numbers too long to parse, nesting too deep,
and text that is not valid Unicode (a lone surrogate would break whoever writes it out later).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

JsonObject = dict[str, object]


class BadJson(ValueError):
    """These bytes are not a JSON object we accept."""


def _no_constant(name: str) -> float:
    raise BadJson(f"{name} is not JSON")


def object_from_bytes(data: bytes) -> JsonObject:
    """Parse one JSON object. Raises `BadJson`, and nothing else, on any bytes."""
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadJson(f"not JSON: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise BadJson("not a JSON object")
    return value


def bytes_from_object(value: Mapping[str, object]) -> bytes:
    """Compact ASCII JSON on one line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
