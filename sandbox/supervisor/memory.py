"""What the supervisor must not forget: the epoch, the boot, the turns it has taken.

One JSON file in the run directory, replaced as a whole before anything is done about it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..checks import CodecError, count, flag, mapping, optional, record, text
from ..codec import command_from_json, command_to_json
from ..commands import Boot, GitIdentity
from ..strict_json import BadJson, bytes_from_object, object_from_bytes

_KEPT_AUTHORS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    epoch: int = 0
    booted: bool = False
    failed: bool = False
    taken_turn: int = 0
    finished_turn: int = 0
    session: str | None = None
    authors: Mapping[str, Mapping[str, str]] | None = None
    boot: Mapping[str, object] | None = None


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise CodecError("not an object")
    return value


_CHECK = record(
    Remembered,
    {
        "epoch": count,
        "booted": flag,
        "failed": flag,
        "taken_turn": count,
        "finished_turn": count,
        "session": optional(text(1 << 10)),
        "authors": optional(mapping(mapping(text(1 << 10), 2), _KEPT_AUTHORS)),
        "boot": optional(_object),
    },
)


class Memory:
    """`now` is the present state; `learn` changes it and writes it down first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.now: Remembered = _read(path)

    def learn(
        self,
        *,
        epoch: int | None = None,
        booted: bool | None = None,
        failed: bool | None = None,
        taken_turn: int | None = None,
        finished_turn: int | None = None,
        session: str | None = None,
    ) -> None:
        now = self.now
        self._write(
            replace(
                now,
                epoch=now.epoch if epoch is None else epoch,
                booted=now.booted if booted is None else booted,
                failed=now.failed if failed is None else failed,
                taken_turn=now.taken_turn if taken_turn is None else taken_turn,
                finished_turn=now.finished_turn if finished_turn is None else finished_turn,
                session=now.session if session is None else session,
            )
        )

    @property
    def boot(self) -> Boot | None:
        if self.now.boot is None:
            return None
        command = command_from_json(self.now.boot)
        return command if isinstance(command, Boot) else None

    def take_boot(self, boot: Boot) -> None:
        self._write(replace(self.now, boot=command_to_json(boot)))

    def take_author(self, turn: int, author: GitIdentity) -> None:
        """Who the commits of `turn` belong to; the newest turns are kept."""
        authors = dict(self.now.authors or {})
        authors[str(turn)] = {"name": author.name, "email": author.email}
        for old in sorted(authors, key=int)[:-_KEPT_AUTHORS]:
            del authors[old]
        self._write(replace(self.now, authors=authors))

    def author(self, turn: int) -> GitIdentity | None:
        found = (self.now.authors or {}).get(str(turn))
        return None if found is None else GitIdentity(name=found["name"], email=found["email"])

    def _write(self, remembered: Remembered) -> None:
        data = bytes_from_object(
            {name: getattr(remembered, name) for name in Remembered.__dataclass_fields__}
        )
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 an open descriptor
            file.write(data)
        fresh.replace(self._path)
        self.now = remembered


def _read(path: Path) -> Remembered:
    """A file that is missing or damaged means a new supervisor."""
    try:
        remembered: Remembered = _CHECK(object_from_bytes(path.read_bytes()))
    except (FileNotFoundError, BadJson, CodecError):
        return Remembered()
    return remembered
