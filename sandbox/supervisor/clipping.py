"""Text made to fit a report: valid Unicode, no longer than the wire allows."""

from __future__ import annotations


def clean(text: str) -> str:
    """Lone surrogates, which nobody can write out, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def clipped(text: str, limit: int) -> str:
    """The beginning of `text`, at most `limit` bytes of UTF-8."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode("utf-8")
    return data[: limit - 3].decode("utf-8", "ignore") + "…"


def last_lines(text: str, *, lines: int = 50, limit: int = 8 << 10) -> str:
    """The end of `text`: at most `lines` lines and `limit` bytes of UTF-8."""
    kept = "\n".join(text[-(limit * 4) :].splitlines()[-lines:])
    data = kept.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode("utf-8")
    return "…" + data[-(limit - 3) :].decode("utf-8", "ignore")


def pieces(text: str, limit: int) -> list[str]:
    """`text` cut into parts of at most `limit` bytes of UTF-8, between characters."""
    data = text.encode("utf-8", "replace")
    parts: list[str] = []
    at = 0
    while at < len(data):
        end = min(at + limit, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(data[at:end].decode("utf-8"))
        at = end
    return parts
