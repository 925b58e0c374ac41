"""JSON objects read strictly: each value has the type it must have, or `BadPayload` says where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .delivery import BadPayload

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Payload:
    """One JSON object and where it stands in the document: `comment.user`."""

    value: Mapping[str, object]
    where: str = ""

    @staticmethod
    def of(document: object) -> Payload:
        if not isinstance(document, Mapping):
            raise BadPayload(where="payload", problem="is not a JSON object")
        return Payload(document)

    def path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def bad(self, key: str, problem: str) -> BadPayload:
        return BadPayload(where=self.path(key), problem=problem)

    def has(self, key: str) -> bool:
        return self.value.get(key) is not None

    def object(self, key: str) -> Payload:
        value = self.value.get(key)
        if not isinstance(value, Mapping):
            raise self.bad(key, "is not an object")
        return Payload(value, self.path(key))

    def optional(self, key: str) -> Payload | None:
        return self.object(key) if self.has(key) else None

    def objects(self, key: str) -> list[Payload]:
        value = self.value.get(key)
        if not isinstance(value, list):
            raise self.bad(key, "is not a list")
        for number, item in enumerate(value):
            if not isinstance(item, Mapping):
                raise self.bad(f"{key}[{number}]", "is not an object")
        return [Payload(item, f"{self.path(key)}[{n}]") for n, item in enumerate(value)]

    def text(self, key: str) -> str:
        value = self.value.get(key)
        if not isinstance(value, str):
            raise self.bad(key, "is not a text")
        return value

    def text_or_empty(self, key: str) -> str:
        """GitHub sends null for an empty body."""
        return self.text(key) if self.has(key) else ""

    def flag(self, key: str) -> bool:
        value = self.value.get(key)
        if not isinstance(value, bool):
            raise self.bad(key, "is not true or false")
        return value

    def id(self, key: str) -> int:
        value = self.value.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.bad(key, "is not a number")
        if not 0 < value <= _LARGEST_ID:
            raise self.bad(key, "is not a valid id")
        return value

    def optional_id(self, key: str) -> int | None:
        return self.id(key) if self.has(key) else None

    def time(self, key: str) -> datetime:
        value = self.text(key)
        try:
            time = datetime.fromisoformat(value)
        except ValueError as error:
            raise self.bad(key, "is not a time") from error
        if time.tzinfo is None:
            raise self.bad(key, "has no time zone")
        return time.astimezone(UTC)
