"""Where things are on the state branch. Pure; ids that do not parse never become a path.

    README.md                           what this branch is
    s/ab/<session>/000001.jsonl         events, at most 64 or 32 KB to a segment
    s/ab/<session>/session.json         what people want to see of it, and the last line's hash
    idx/open/<session>                  sessions that still owe something: when they were opened
    idx/pr/ab/<repository>-<number>     the session that opened a pull request

`ab` are the first two hex digits of the SHA-256 of the name that follows: with one level of 256
folders a commit stays cheap at 100,000 sessions. Names that are none of these are ignored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.session.values import RepositoryId, SessionId, parse_session_id

BRANCH: Final = "openinspect/state"
OPEN: Final = "idx/open"
SNAPSHOT: Final = "session.json"
README: Final = "README.md"
SEGMENT_LINES: Final = 64
SEGMENT_BYTES: Final = 32_000
LARGEST_FILE: Final = 4_000_000
"""A segment is closed once it passes its size, so it may exceed it by one event; whatever is
larger than this was not written by us."""

_SEGMENT = re.compile(r"(\d{6})\.jsonl")

README_TEXT: Final = """\
# The state of Open-Inspect

This branch is written by the Open-Inspect app and by nobody else. It holds what happened in each
session, so that the app can be stopped, moved or lost without losing anybody's work. It shares no
history with the code and is never merged.

    git log openinspect/state                              what happened, in words
    git log --grep 'Session: <id>' openinspect/state       to one session
    git show openinspect/state:s/<ab>/<id>/session.json    where that session stands

Deleting a file here makes the app refuse that session. `docs/state-branch.md` has the layout.
"""


def session_folder(session: SessionId) -> str:
    """Raises `ValueError` for what is not a session id."""
    parse_session_id(session)
    return f"s/{_shard(session)}/{session}"


def snapshot_path(session: SessionId) -> str:
    return f"{session_folder(session)}/{SNAPSHOT}"


def segment_path(session: SessionId, number: int) -> str:
    return f"{session_folder(session)}/{segment_name(number)}"


def segment_name(number: int) -> str:
    return f"{number:06}.jsonl"


def segment_number(name: str) -> int | None:
    match = _SEGMENT.fullmatch(name)
    return int(match[1]) if match is not None else None


def open_path(session: SessionId) -> str:
    parse_session_id(session)
    return f"{OPEN}/{session}"


def pull_path(repository: RepositoryId, number: int) -> str:
    name = f"{int(repository)}-{int(number)}"
    return f"idx/pr/{_shard(name)}/{name}"


def _shard(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The last segment of a session, which may still grow."""

    number: int = 1
    lines: int = 0
    data: bytes = b""


def grown(tail: Tail, lines: Iterable[str]) -> Sequence[Tail]:
    """The segments that change when lines are added: the last one first, then new ones."""
    changed: list[Tail] = []
    for line in lines:
        if tail.lines >= SEGMENT_LINES or len(tail.data) >= SEGMENT_BYTES:
            tail = Tail(number=tail.number + 1)
        tail = Tail(
            number=tail.number, lines=tail.lines + 1, data=tail.data + line.encode() + b"\n"
        )
        if changed and changed[-1].number == tail.number:
            changed[-1] = tail
        else:
            changed.append(tail)
    return changed
