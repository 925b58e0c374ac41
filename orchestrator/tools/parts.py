"""An answer as sealed parts: each text with its author and trust, the whole within its size. Pure.

Names of files, branches, labels and checks are others' words as well: they stand inside the tags.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orchestrator.github.values import Person
from orchestrator.sealing import Author, sealing

MAX_ANSWER = 60_000
"""Characters of all parts together."""
ROOM = 50_000
"""What the texts of one answer share, so that all fit with their tags."""
LEAST = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`by` is None for what a program wrote, or nobody can be named for."""

    tag: str
    text: str
    by: Person | None = None
    on: str = ""
    code: bool = False
    """Every character counts: nothing hidden is taken out."""
    end: bool = False
    """Where it is too long, its end is what matters."""
    room: int = 0
    """Characters that are its own; 0 shares what is left with the others."""


def answer(head: str, parts: Sequence[Part], notes: Sequence[str], writers: Collection[int]) -> str:
    """`head` and `notes` are our own words; `writers` are the ids of people who may write here."""
    sealed = sealing([text for part in parts for text in (part.text, part.on)])
    shared = ROOM - sum(part.room for part in parts)
    limit = max(LEAST, shared // max(1, sum(not part.room for part in parts)))
    shown: list[str] = []
    room = MAX_ANSWER
    for part in parts:
        author = Author(
            login=part.by.login if part.by is not None else "",
            may_write=part.by is not None and part.by.id in writers,
        )
        put = sealed.put(
            part.tag,
            author,
            part.text,
            part.room or limit,
            where=part.on,
            visible=not part.code,
            end=part.end,
        )
        if len(put) > room:
            break
        room -= len(put)
        shown.append(put)
    left = len(parts) - len(shown)
    more = [f"{left} more of this page do not fit; ask with a smaller `per_page`."] if left else []
    return "\n\n".join([head, *shown, *more, *notes])
