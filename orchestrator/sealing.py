"""Text by others between delimiters that it cannot forge, with its author and trust."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.triggers.hidden import canonicalise


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """`may_write` None means that it is not known, which counts as no."""

    login: str
    may_write: bool | None


def sealing(texts: Sequence[str]) -> Sealed:
    """Delimiters with a word that stands in none of `texts`, which are all that will be put."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    shown = [canonicalise(text).text for text in texts]
    word = digest.hexdigest()[:16]
    while any(word in text for text in (*texts, *shown)):
        digest.update(word.encode())
        word = digest.hexdigest()[:16]
    return Sealed(word=word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    word: str

    def put(
        self,
        kind: str,
        author: Author,
        said: str,
        limit: int,
        *,
        where: str = "",
        visible: bool = True,
        end: bool = False,
    ) -> str:
        hidden = 0
        if visible:
            shown = canonicalise(said)
            said, hidden = shown.text, shown.removed
        said, note = cut(said.strip("\n"), limit, end=end)
        trust = "trusted" if author.may_write else "untrusted"
        by = f' by="@{one_line(author.login)}"' if author.login else ""
        at = f' on="{one_line(where)}"' if where else ""
        removed = f' hidden_characters_removed="{hidden}"' if hidden else ""
        return f"<{kind}-{self.word}{by}{at} {trust}{removed}>\n{said}{note}\n</{kind}-{self.word}>"


def one_line(said: str) -> str:
    """For names inside our own sentences: no quote, no line end, no angle bracket."""
    return "".join(c for c in said if c.isprintable() and c not in '<>"`')[:300]


def cut(said: str, limit: int, *, end: bool = False) -> tuple[str, str]:
    """The beginning (or the end) of a long text, and a note that says what is missing."""
    if len(said) <= limit:
        return said, ""
    missing = len(said) - limit
    kept = said[-limit:] if end else said[:limit]
    which = "first" if end else "last"
    return kept, f"\n[the {which} {missing:,} characters are left out]"
