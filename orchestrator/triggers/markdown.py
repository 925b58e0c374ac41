"""Where a text asks something of us: `@name` and `/openinspect` lines, plainly said.

Not in quotes, code, comments or link targets; those are counted with their line instead, so
that silence can be explained: "one inside code, line 3".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from .regions import Region, Span, regions, unix_lines

SLASH = "/openinspect"
MOST_LOOKED_AT = 50
"""Directives that one text may hold; what comes after them is not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """`start` to `end` is the mention or the slash word itself, in `unix_lines(text)`."""

    start: int
    end: int
    line: int
    form: Literal["mention", "slash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """One that does not count, since it is not plainly said."""

    line: int
    region: Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Directives:
    asked: tuple[Directive, ...]
    passed_over: tuple[PassedOver, ...]


NONE = Directives(asked=(), passed_over=())


@lru_cache(maxsize=8)
def _pattern(name: str) -> re.Pattern[str]:
    mention = (
        r"(?<![\w@/.\-+&=#\\%])@" + re.escape(name) + r"(?:\[bot\])?"
        r"(?![\w@/\-]|\.\w|\[bot\])"
    )
    slash = r"^[ ]{0,3}/openinspect(?![^\s])"
    return re.compile(f"(?P<mention>{mention})|(?P<slash>{slash})", re.IGNORECASE | re.MULTILINE)


def directives(text: str, name: str) -> Directives:
    """All directives in `text`, in order. A text without the name is not parsed at all."""
    text = unix_lines(text)
    folded = text.lower()
    if "@" + name.lower() not in folded and SLASH not in folded:
        return NONE
    matches = []
    for match in _pattern(name).finditer(text):
        matches.append(match)
        if len(matches) == MOST_LOOKED_AT:
            break
    if not matches:
        return NONE
    spans = regions(text)
    asked: list[Directive] = []
    passed_over: list[PassedOver] = []
    for match in matches:
        mention = match.group("mention") is not None
        start = match.end() - len(match.group().lstrip(" "))
        line = text.count("\n", 0, start) + 1
        region = _region_at(spans, start)
        if region is None:
            asked.append(
                Directive(
                    start=start,
                    end=match.end(),
                    line=line,
                    form="mention" if mention else "slash",
                )
            )
        else:
            passed_over.append(PassedOver(line=line, region=region))
    return Directives(asked=tuple(asked), passed_over=tuple(passed_over))


def _region_at(spans: list[Span], position: int) -> Region | None:
    """The outermost region around `position`; spans are sorted by where they start."""
    for span in spans:
        if span.start > position:
            return None
        if position < span.end:
            return span.region
    return None
