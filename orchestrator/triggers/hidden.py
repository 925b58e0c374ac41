"""What a reader of the page cannot see is taken out of a text, and counted, so that it is said.

HTML comments, link titles, image descriptions, unused link definitions; and characters that show
nothing: zero-width, bidirectional controls, tags, variation selectors outside emoji.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from .regions import Region, regions, unix_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """`removed` counts characters; 0 means that the text is as it was written."""

    text: str
    removed: int


# Joiners stay between letters of scripts that spell with them.
_SPELLING = (
    "\u0620-\u06ff\u0700-\u074f\u0750-\u077f\u0780-\u07bf\u08a0-\u08ff\u0900-\u0dff"
    "\u0e80-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17b3\u17b6-\u17ff\u1800-\u180a\u1820-\u18af"
    "\ufb50-\ufdff\ufe70-\ufefc"
)
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe"
    "\u2600-\u27bf\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
# The three subdivision flags in general use, spelt with tag characters (Unicode TR51).
_FLAGS = "|".join(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in place) + "\U000e007f"
    for place in ("gbeng", "gbsct", "gbwls")
)
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"
)
_ANY_UNSEEN = re.compile(f"[{_UNSEEN}]")
_KEPT_OR_UNSEEN = re.compile(
    f"(?P<kept>{_FLAGS}"
    rf"|(?<=[{_EMOJI}])\ufe0f?\u200d(?=[{_EMOJI}])"
    rf"|(?<=[{_EMOJI}])[\ufe0e\ufe0f](?![\ufe00-\ufe0f])"
    rf"|(?<=[0-9#*])\ufe0f(?=\u20e3)"
    rf"|(?<=[{_SPELLING}])[\u200c\u200d](?=[{_SPELLING}]))"
    f"|[{_UNSEEN}]"
)
_LINE_ENDS = re.compile("[\u0085\u2028\u2029]")
_MARKUP = re.compile(r"<|!\[|\]\(|\]:")
_ATTRIBUTE = re.compile(r"\s+([A-Za-z_:][\w:.-]*)(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))?")
_SHOWN_ATTRIBUTES = frozenset({"href", "src", "width", "height", "open", "align", "start"})
_BRACKETED = re.compile(r"\[[^\[\]\n]{1,999}\]")
_LABEL = re.compile(r"[ \t>]*(?:[-+*]|\d{1,9}[.)])?[ \t]*(\[[^\]\n]{1,999}\]):")
_DEFINITION_TITLE = re.compile(r"[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\))[ \t]*$", re.M)
_PASSES = 4


def canonicalise(text: str) -> Visible:
    """`text` as a person reading the page sees it. Code keeps its comments: they are shown."""
    before = unix_lines(text)
    shown = _without_unseen(_LINE_ENDS.sub("\n", before))
    for _ in range(_PASSES):
        if not _MARKUP.search(shown):
            break
        stripped = _without_hidden_markup(shown)
        if stripped == shown:
            break
        shown = stripped
    return Visible(text=shown, removed=len(before) - len(shown))


def _without_unseen(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    if not _ANY_UNSEEN.search(text):
        return text
    return _KEPT_OR_UNSEEN.sub(lambda match: match.group("kept") or "", text)


def _without_hidden_markup(text: str) -> str:
    pieces: list[str] = []
    position = 0
    labels = Counter(label.lower() for label in _BRACKETED.findall(text))
    for span in regions(text):
        if span.start < position:
            continue
        replacement = _shown_of(span.region, text[span.start : span.end], labels)
        if replacement is None:
            continue
        pieces += (text[position : span.start], replacement)
        position = span.end
    return "".join(pieces) + text[position:]


def _shown_of(region: Region, raw: str, labels: Counter[str]) -> str | None:
    """What is left of a span; None leaves it and looks at the spans inside it."""
    match region:
        case Region.COMMENT | Region.TITLE | Region.ALT:
            return ""
        case Region.TAG:
            return _ATTRIBUTE.sub(
                lambda match: match.group() if match.group(1).lower() in _SHOWN_ATTRIBUTES else "",
                raw,
            )
        case Region.DEFINITION:
            label = _LABEL.match(raw)
            if label is None:
                return raw if raw.strip() and raw.strip()[0] not in "\"'(" else ""
            if labels[label.group(1).lower()] < 2:
                return ""
            return _DEFINITION_TITLE.sub("", raw)
        case _:
            return None
