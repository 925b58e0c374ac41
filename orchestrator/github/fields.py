"""Reading JSON strictly where it matters: the wrong type is an error that says where, not what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime


class WrongShape(Exception):
    """An answer without what is needed. Names the place and the type, never the value."""


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON value and its place in the answer. Unknown fields are never looked at."""

    value: object
    place: str = "answer"

    def __getitem__(self, name: str) -> Fields:
        if not isinstance(self.value, dict):
            raise self._not("an object")
        return Fields(self.value.get(name), f"{self.place}.{name}")

    def __iter__(self) -> Iterator[Fields]:
        if not isinstance(self.value, list):
            raise self._not("a list")
        for number, item in enumerate(self.value):
            yield Fields(item, f"{self.place}[{number}]")

    def _not(self, expected: str) -> WrongShape:
        found = "nothing" if self.value is None else type(self.value).__name__
        return WrongShape(f"{self.place} should be {expected}, but is {found}")

    @property
    def absent(self) -> bool:
        return self.value is None

    def text(self, default: str | None = None) -> str:
        """`default` stands for null, as in an issue without a body."""
        if self.value is None and default is not None:
            return default
        if not isinstance(self.value, str):
            raise self._not("text")
        return self.value

    def whole(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self._not("a whole number")
        return self.value

    def whole_or_none(self) -> int | None:
        return None if self.value is None else self.whole()

    def flag(self, default: bool | None = None) -> bool:
        if self.value is None and default is not None:
            return default
        if not isinstance(self.value, bool):
            raise self._not("true or false")
        return self.value

    def moment(self) -> datetime:
        try:
            moment = datetime.fromisoformat(self.text())
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise WrongShape(f"{self.place} should be a time") from None
