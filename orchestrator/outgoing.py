"""The one place where text leaves: known secrets in any of their forms, and what looks like one.

The boundary is that no secret is where text is made; this is the net below it. A known secret is
found raw, reversed, in base64 (any alignment), hex or percent escapes, JSON-escaped, split by
blanks and punctuation, and cut to any 12 characters.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable

from orchestrator.credentials import credential_spans
from orchestrator.secret import Secret
from orchestrator.secret_forms import GRAM, STRIDE, Form, forms_of, squeeze

REMOVED = "«secret removed»"
SHORTEST = 8
"""Shorter texts are not learnt: taking them out would hit ordinary words."""
_KEPT = 100
_HOLD = 4_096
_LONGEST_HELD = 262_144

_ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"
    r"|[PX^_][^\x1b]{0,4096}\x1b\\|[ -/]*[0-~])?|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_UNFINISHED = re.compile(
    r"(?:\x1b[\]PX^_][^\x07\x1b]{0,4096}\x1b?|(?:\x1b\[|\x9b)[0-?]*[ -/]*|\x1b[ -/]*)\Z"
)

_HEX = re.compile(rb"[0-9a-fA-F]{18,}")
_HEX_RUN = b"h" * 18
_HEX_MASK = bytes(
    ord("h") if chr(byte) in "0123456789abcdefABCDEF" else ord(" ") for byte in range(256)
)
_DIGITS = re.compile(rb"\d{18,}")
_HEX_ESCAPES = re.compile(rb"(?:(?:0?[xX]|u00)[0-9a-fA-F]{2}){9,}")
_HEX_PREFIX = re.compile(rb"0?[xX]|u00")
_ESCAPES = (b"\\x", b"0x", b"0X", b"\\u00", b"&#x")
_DECIMAL = re.compile(rb"\d{2,3}(?:[\s,;&#\[\]]+\d{2,3}){8,}")

Span = tuple[int, int]


class Outgoing:
    """`secrets` are known for good; of those learnt later (tokens that expire) the newest stay."""

    def __init__(self, secrets: Iterable[Secret | str] = ()) -> None:
        self._fixed: list[Form] = []
        self._learnt: OrderedDict[str, list[Form]] = OrderedDict()
        self._grams: dict[bytes, int] = {}
        for secret in secrets:
            forms = forms_of(_revealed(secret))
            self._fixed += forms
            self._index(forms, +1)

    def learn(self, secret: Secret | str) -> None:
        """From now on this never leaves, in any form."""
        value = _revealed(secret)
        if value in self._learnt:
            self._learnt.move_to_end(value)
            return
        forms = forms_of(value)
        if not forms:
            return
        self._learnt[value] = forms
        self._index(forms, +1)
        if len(self._learnt) > _KEPT:
            _, oldest = self._learnt.popitem(last=False)
            self._index(oldest, -1)

    def _index(self, forms: list[Form], change: int) -> None:
        for form in forms:
            for gram in form.grams():
                count = self._grams.get(gram, 0) + change
                if count > 0:
                    self._grams[gram] = count
                else:
                    self._grams.pop(gram, None)

    def clean(self, text: str) -> str:
        """`text` without secrets, terminal sequences and control characters."""
        return _without(shown := visible(text), self._spans(shown))

    def stream(self) -> Stream:
        """For text that comes in pieces: a secret across their borders is found as well."""
        return Stream(self)

    def _spans(self, text: str) -> list[Span]:
        """Where secrets are, in order and apart."""
        return _merged([*credential_spans(text), *self._known(text)])

    def _known(self, text: str) -> list[Span]:
        if not self._grams:
            return []
        raw = text.encode("utf-8", "surrogatepass")
        squeezed = squeeze(raw)
        found = self._matches(squeezed)
        # Looking for the run as such first is ten times as fast as the pattern is.
        is_hex = _HEX_RUN in squeezed.translate(_HEX_MASK)
        runs = list(_HEX.finditer(squeezed)) if is_hex else []
        if any(raw.count(escape) >= 9 for escape in _ESCAPES):
            runs += _HEX_ESCAPES.finditer(squeezed)
        for run in runs:
            digits = _HEX_PREFIX.sub(b"", run.group())
            if any(self._holds(_unhex(digits[shift:])) for shift in (0, 1)):
                found.append((run.start(), run.end()))
        spans = _back(raw, found)
        if any(_DIGITS.search(run.group()) for run in runs):
            for run in _DECIMAL.finditer(raw):
                codes = [int(code) for code in re.findall(rb"\d+", run.group())]
                if self._holds(bytes(code for code in codes if code < 256)):
                    spans.append((run.start(), run.end()))
        return spans if text.isascii() else _in_characters(raw, spans)

    def _holds(self, decoded: bytes) -> bool:
        return bool(self._matches(squeeze(decoded)))

    def _matches(self, squeezed: bytes) -> list[Span]:
        grams = self._grams
        hits = [
            at
            for at in range(0, len(squeezed) - GRAM + 1, STRIDE)
            if squeezed[at : at + GRAM] in grams
        ]
        found: list[Span] = []
        for at in hits:
            if found and found[-1][0] <= at < found[-1][1] - GRAM:
                continue
            match = self._longest(squeezed, at)
            if match is not None:
                found.append(match)
        return found

    def _longest(self, squeezed: bytes, at: int) -> Span | None:
        gram = squeezed[at : at + GRAM]
        best: Span | None = None
        every = [*self._fixed, *(form for forms in self._learnt.values() for form in forms)]
        for form in every:
            match = form.match(squeezed, at, gram)
            if match and (best is None or match[1] - match[0] > best[1] - best[0]):
                best = match
        return best


class Stream:
    """Feed pieces, pass on what comes back, and what `flush` gives at the end."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._raw = ""
        self._shown = ""

    def feed(self, piece: str) -> str:
        raw = self._raw + piece
        unfinished = _UNFINISHED.search(raw, max(0, len(raw) - 4_300))
        cut = unfinished.start() if unfinished else len(raw)
        if raw.endswith("\r"):
            cut = min(cut, len(raw) - 1)
        self._raw = raw[cut:]
        self._shown += visible(raw[:cut])
        if len(self._shown) <= 2 * _HOLD:
            return ""
        return self._release(len(self._shown) - _HOLD)

    def flush(self) -> str:
        self._shown += visible(self._raw)
        self._raw = ""
        return self._release(len(self._shown))

    def _release(self, cut: int) -> str:
        spans = self._outgoing._spans(self._shown)
        if len(self._shown) < _LONGEST_HELD:
            for start, end in reversed(spans):
                if start < cut < end:
                    cut = start
        head, self._shown = self._shown[:cut], self._shown[cut:]
        return _without(head, [(start, min(end, cut)) for start, end in spans if start < cut])


def visible(text: str) -> str:
    """What a terminal would show of `text`, line by line."""
    if "\x1b" in text or "\x9b" in text:
        text = _ANSI.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text) if _CONTROL.search(text) else text


def _revealed(secret: Secret | str) -> str:
    return secret.reveal() if isinstance(secret, Secret) else secret


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _without(text: str, spans: list[Span]) -> str:
    if not spans:
        return text
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        pieces += (text[position:start], REMOVED)
        position = end
    return "".join(pieces) + text[position:]


def _back(raw: bytes, found: list[Span]) -> list[Span]:
    """Spans of squeezed bytes as spans of the bytes they were squeezed from."""
    if not found:
        return []
    kept = [at for at, byte in enumerate(raw) if not _DROPPED[byte]]
    return [(kept[start], kept[end - 1] + 1) for start, end in found]


_DROPPED = [not squeeze(bytes([byte])) for byte in range(256)]


def _in_characters(raw: bytes, spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in spans:
        while start > 0 and raw[start] & 0xC0 == 0x80:
            start -= 1
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end += 1
        before = len(raw[:start].decode("utf-8", "surrogatepass"))
        found.append((before, before + len(raw[start:end].decode("utf-8", "surrogatepass"))))
    return found


def _unhex(digits: bytes) -> bytes:
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
