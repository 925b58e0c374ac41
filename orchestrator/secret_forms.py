"""The forms in which a known secret might be printed, and how a piece of one is recognised.

Text and forms are compared squeezed, without blanks and punctuation, so that splitting a secret
hides nothing. Five squeezed characters at every fourth place of the text are looked up; a hit is
then extended, and counts where it covers 12 characters of the form as it is written.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

GRAM = 5
STRIDE = 4
WINDOW = 12
_SHORTEST = 8

_SQUEEZED_OUT = bytes(byte for byte in range(128) if not (chr(byte).isalnum()))
_PEM = re.compile(r"-----[A-Z ]+-----")


def squeeze(raw: bytes) -> bytes:
    return raw.translate(None, _SQUEEZED_OUT)


@dataclass(frozen=True, slots=True)
class Form:
    """`squeezed`, and for each of its characters where it stood in the form as written."""

    squeezed: bytes
    places: tuple[int, ...]
    window: int
    """Characters as written that must be covered: 12, or all of a shorter secret."""

    def __repr__(self) -> str:
        return f"Form({len(self.squeezed)} characters)"

    def grams(self) -> Iterator[bytes]:
        for at in range(len(self.squeezed) - GRAM + 1):
            yield self.squeezed[at : at + GRAM]

    def match(self, text: bytes, at: int, gram: bytes) -> tuple[int, int] | None:
        """The longest common run around `at` in `text`, if it is long enough."""
        best: tuple[int, int] | None = None
        inside = self.squeezed.find(gram)
        while inside >= 0:
            left = 0
            while (
                left < inside
                and left < at
                and self.squeezed[inside - left - 1] == text[at - left - 1]
            ):
                left += 1
            right = GRAM
            while (
                inside + right < len(self.squeezed)
                and at + right < len(text)
                and self.squeezed[inside + right] == text[at + right]
            ):
                right += 1
            if self._covers(inside - left, inside + right) and (
                best is None or left + right > best[1] - best[0]
            ):
                best = (at - left, at + right)
            inside = self.squeezed.find(gram, inside + 1)
        return best

    def _covers(self, start: int, end: int) -> bool:
        """Separators beside the run may have been in the text as well."""
        before = self.places[start - 1] + 1 if start > 0 else 0
        after = self.places[end] if end < len(self.places) else self.places[-1] + 1
        return after - before >= self.window and end - start >= min(self.window, 2 * GRAM - 2)


def forms_of(secret: str) -> list[Form]:
    """None for what is too short to be told from ordinary words."""
    secret = _PEM.sub("", secret).strip()
    if len(secret) < _SHORTEST:
        return []
    raw = secret.encode("utf-8", "surrogatepass")
    written = [
        secret,
        secret[::-1],
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        *(_base64(raw, shift) for shift in range(3)),
    ]
    forms: dict[bytes, Form] = {}
    for number, text in enumerate(written):
        form = _form(text, encoded=number >= 4)
        if form is not None:
            forms.setdefault(form.squeezed, form)
    return list(forms.values())


def _form(written: str, *, encoded: bool) -> Form | None:
    raw = written.encode("utf-8", "surrogatepass")
    places = tuple(at for at, byte in enumerate(raw) if squeeze(bytes([byte])))
    squeezed = squeeze(raw)
    if len(squeezed) < GRAM + STRIDE - 1:
        return None
    window = WINDOW if encoded else min(WINDOW, len(raw))
    return Form(squeezed=squeezed, places=places, window=window)


def _base64(raw: bytes, shift: int) -> str:
    """The characters that only depend on `raw`, wherever it stands in what is encoded."""
    bits = 8 * (shift + len(raw))
    encoded = base64.b64encode(b"\0" * shift + raw).decode("ascii")
    return encoded[(shift * 8 + 5) // 6 : bits // 6]
