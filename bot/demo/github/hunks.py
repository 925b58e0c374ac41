"""Where a line of a file stands in a diff: review comments are only allowed there."""

import re
from dataclasses import dataclass
from typing import Literal

Side = Literal["LEFT", "RIGHT"]
_HEADER = re.compile(r"^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A line shown in a diff: its distance from the first hunk header, and its hunk so far."""

    position: int
    hunk: int
    side: Side
    line: int
    text: str
    diff_hunk: str


def spots(patch: str) -> list[Spot]:
    """Every line a patch shows; context lines appear once per side."""
    found: list[Spot] = []
    left = right = hunk = 0
    shown: list[str] = []
    for position, row in enumerate(patch.split("\n")):
        if (header := _HEADER.match(row)) is not None:
            left, right = int(header[1]), int(header[2])
            hunk, shown = hunk + 1, [row]
            continue
        if row.startswith("\\"):
            continue
        shown.append(row)
        text = "\n".join(shown)

        def spot(
            side: Side, line: int, position: int = position, row: str = row, text: str = text
        ) -> Spot:
            return Spot(
                position=position,
                hunk=hunk,  # noqa: B023 - called in this iteration only
                side=side,
                line=line,
                text=row[1:],
                diff_hunk=text,
            )

        if not row.startswith("+"):
            found.append(spot("LEFT", left))
            left += 1
        if not row.startswith("-"):
            found.append(spot("RIGHT", right))
            right += 1
    return found


def at_line(patch: str, side: Side, line: int) -> Spot | None:
    return next((s for s in spots(patch) if s.side == side and s.line == line), None)


def at_position(patch: str, position: int) -> Spot | None:
    """The older way to name a place; a context line counts for the new side."""
    here = [s for s in spots(patch) if s.position == position]
    return here[-1] if here else None


def moved(patch: str, side: Side, line: int, text: str) -> Spot | None:
    """Where a commented line is in a newer diff: same text, nearest place; None is outdated."""
    same = [s for s in spots(patch) if s.side == side and s.text == text]
    return min(same, key=lambda s: abs(s.line - line), default=None)
