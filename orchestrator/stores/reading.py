"""A session read from a tree of the state branch, believed only where the chain holds."""

from __future__ import annotations

from dataclasses import dataclass

import pygit2

from orchestrator.codec import BadRecord, decode
from orchestrator.session.events import Event
from orchestrator.session.values import RepositoryId, SessionId, parse_session_id

from .chain import ChainBroken, Head, Keys
from .layout import (
    LARGEST_FILE,
    SNAPSHOT,
    Tail,
    segment_name,
    segment_number,
    segment_path,
    session_folder,
    snapshot_path,
)
from .record import StateRefused
from .snapshot import head_of
from .trees import blob_at, folder_at, names_in, size_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A whole session, its last line, and the segment that the next line goes into."""

    events: tuple[Event, ...]
    head: Head
    tail: Tail


NOTHING = Read(events=(), head=Head(), tail=Tail())


def read_session(
    repository: pygit2.Repository,
    tree: pygit2.Oid,
    session: SessionId,
    keys: Keys,
    seen: Head | None = None,
) -> Read:
    """`NOTHING` where there is no such session.

    Raises `StateRefused` where a segment is altered, foreign, missing or cut short, or where the
    session does not lead past `seen`, the last head that is known from before.
    """
    path = session_folder(session)
    folder = folder_at(repository, tree, path)
    if folder is None:
        if seen is not None and seen.n:
            raise StateRefused(path, f"is gone, though it had {seen.n} events")
        return NOTHING
    of, *_ = parse_session_id(session)
    events: list[Event] = []
    head, tail = Head(), Tail()
    for number in range(1, _segments(repository, folder, path) + 1):
        where = segment_path(session, number)
        tail = Tail(number=number, data=_file(repository, tree, where))
        lines = _lines(tail.data, where)
        for place, sealed in enumerate(lines, 1):
            head = _next(keys, head, sealed, of, session, f"{where}:{place}", events)
            if seen is not None and head.n == seen.n and head.h != seen.h:
                raise StateRefused(f"{where}:{place}", "is not what stood here before")
        tail = Tail(number=number, lines=len(lines), data=tail.data)
    if seen is not None and head.n < seen.n:
        raise StateRefused(path, f"was rolled back from {seen.n} events to {head.n}")
    _check_end(repository, tree, session, head)
    return Read(events=tuple(events), head=head, tail=tail)


def _next(
    keys: Keys,
    head: Head,
    sealed: str,
    repository: RepositoryId,
    session: SessionId,
    where: str,
    events: list[Event],
) -> Head:
    try:
        line, head = keys.unseal(head, sealed, repository, session)
        events.append(decode(line, where))
    except ChainBroken as broken:
        raise StateRefused(where, str(broken)) from broken
    except BadRecord as bad:
        raise StateRefused(bad.where, bad.what) from bad
    return head


def _segments(repository: pygit2.Repository, folder: pygit2.Oid, path: str) -> int:
    """How many there are, if none is missing; other names are not ours and do not count."""
    numbers = [n for name in names_in(repository, folder) if (n := segment_number(name))]
    if numbers != list(range(1, len(numbers) + 1)) or not numbers:
        missing = next(n for n in range(1, len(numbers) + 2) if n not in numbers)
        raise StateRefused(f"{path}/{segment_name(missing)}", "is missing")
    return len(numbers)


def _lines(data: bytes, where: str) -> list[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise StateRefused(where, "is not UTF-8") from None
    if not text.endswith("\n"):
        raise StateRefused(where, "is cut short")
    return text[:-1].split("\n")


def _check_end(
    repository: pygit2.Repository, tree: pygit2.Oid, session: SessionId, head: Head
) -> None:
    where = snapshot_path(session)
    last = head_of(_file(repository, tree, where).decode("utf-8", "replace"))
    if last is None:
        raise StateRefused(where, "does not name the last event")
    if last != head:
        raise StateRefused(where, f"names event {last.n} as the last one, not event {head.n}")


def _file(repository: pygit2.Repository, tree: pygit2.Oid, path: str) -> bytes:
    if size_at(repository, tree, path) > LARGEST_FILE:
        raise StateRefused(path, "is larger than anything that is written here")
    data = blob_at(repository, tree, path)
    if data is None:
        raise StateRefused(path, f"is missing, or not a plain file ({SNAPSHOT} and segments are)")
    return data
