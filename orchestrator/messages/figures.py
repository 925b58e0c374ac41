"""Durations, money and counts as people read them."""

from __future__ import annotations

from datetime import datetime


def duration(seconds: float) -> str:
    """`0.4 s`, `11 s`, `2 min 14 s`, `1 h 3 min`."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def between(start: datetime, end: datetime) -> str:
    seconds = max(0.0, (end - start).total_seconds())
    return duration(round(seconds) if seconds >= 1 else seconds)


def span(seconds: float) -> str:
    """A limit, in words: `10 min`, `90 s`."""
    return duration(seconds) if seconds >= 10 else f"{seconds:g} s"


def money(microdollars: int) -> str:
    """In US dollars, never less than was spent: `$0.12`, `$0.003`."""
    if 0 < microdollars < 10_000:
        return f"${-(-microdollars // 1000) / 1000:.3f}"
    return f"${-(-microdollars // 10_000) / 100:,.2f}"


def count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def lines_changed(added: int | None, removed: int | None) -> str:
    """`+6 −2`, or empty where nothing is known."""
    parts = []
    if added is not None:
        parts.append(f"+{added}")
    if removed is not None:
        parts.append(f"−{removed}")
    return " ".join(parts)


def listed(things: list[str], shown: int = 3) -> str:
    """`a, b and 2 more`."""
    if len(things) > shown + 1:
        return f"{', '.join(things[:shown])} and {len(things) - shown} more"
    if len(things) > 1:
        return f"{', '.join(things[:-1])} and {things[-1]}"
    return "".join(things)
