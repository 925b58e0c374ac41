"""Which parts of a Markdown text are not plainly said: code, quotes, comments, link targets.

Block structure comes from markdown-it's block parser. What is inside a line is scanned here in
one pass, since a full inline parse of 256 KiB written to hurt takes minutes and this must not.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum

from markdown_it import MarkdownIt
from markdown_it.token import Token

LONGEST_TEXT = 262_144
"""An issue's or comment's body at GitHub has at most so many bytes."""


class Region(StrEnum):
    """The words are used in explanations: "one inside {region}, line 3"."""

    CODE = "code"
    QUOTE = "a quote"
    COMMENT = "a hidden comment"
    TAG = "an HTML tag"
    TARGET = "a link's target"
    TITLE = "a link's title"
    ALT = "an image's description"
    DEFINITION = "a link definition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    start: int
    end: int
    region: Region


_MARKDOWN = MarkdownIt("commonmark")
_MARKDOWN.core.ruler.enableOnly(["normalize", "block"])

_SPECIAL = re.compile(r"\\|`+|<|!\[|\[|\]|https?://|\bwww\.", re.IGNORECASE)
_RUN = re.compile(r"`+")
_LABEL = re.compile(r"\[(?:[^\[\]\\]|\\.){0,999}+\]", re.DOTALL)
_URL = re.compile(r"[^\s<]*")
_AUTOLINK = re.compile(
    r"<(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^<>\x00-\x20]*|[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+)>"
)
_TAG = re.compile(
    r"<(/?)([A-Za-z][A-Za-z0-9-]*+)"
    r"(?:\s++[A-Za-z_:][\w:.-]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'=<>`]++))?+)*+"
    r"\s*+/?>"
)
_TITLE = re.compile(r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|\((?:[^()\\]|\\.)*+\)", re.DOTALL)
_SPACE = re.compile(r"[ \t]*+\n?[ \t]*+")
_DEFINITION = re.compile(r"[ \t>]*(?:[-+*]|\d{1,9}[.)])?[ \t]*\[")

_CODE_TAGS = frozenset({"code", "pre", "kbd", "samp", "tt", "script", "style", "textarea", "title"})
_DECLARATIONS = (("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>"), ("<!", ">"))
_DEEPEST_PARENTHESES = 32


def unix_lines(text: str) -> str:
    """What all offsets here refer to: `\\n` ends a line, nothing else does, size bounded."""
    return text[:LONGEST_TEXT].replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def regions(text: str) -> list[Span]:
    """Every part of `text` (from `unix_lines`) that is not plainly said; spans may nest."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    tokens = _MARKDOWN.parse(text)
    scan = _Scan(text=text)
    covered = bytearray(len(starts))
    for token in tokens:
        if token.map is None:
            continue
        first, last = token.map
        start, end = starts[first], min(starts[min(last, len(starts) - 1)], len(text))
        _look(token, scan, start, end)
        if token.type not in _CONTAINERS:
            covered[first:last] = b"\1" * (last - first)
    scan.spans.extend(_definitions(text, starts, covered))
    return scan.finish()


_CONTAINERS = frozenset(
    {"blockquote_open", "bullet_list_open", "ordered_list_open", "list_item_open"}
)


def _look(token: Token, scan: _Scan, start: int, end: int) -> None:
    match token.type:
        case "fence" | "code_block":
            scan.add(start, end, Region.CODE)
        case "blockquote_open":
            scan.add(start, end, Region.QUOTE)
        case "html_block":
            scan.html(start, end)
        case "inline":
            scan.markdown(start, end)
        case _:
            pass


def _definitions(text: str, starts: list[int], covered: bytearray) -> list[Span]:
    """Lines that render to nothing: `[label]: target "title"`, also used to hide comments."""
    found: list[Span] = []
    inside = False
    for number in range(len(starts) - 1):
        line = text[starts[number] : starts[number + 1]]
        blank = not line.strip(" \t\n>")
        inside = not covered[number] and not blank and (inside or bool(_DEFINITION.match(line)))
        if inside:
            end = min(starts[number + 1], len(text))
            found.append(Span(start=starts[number], end=end, region=Region.DEFINITION))
    return found


@dataclass(slots=True)
class _Scan:
    """One pass over the parts that hold inline text, in order. HTML may open in one and close
    in another, as browsers see it: code and quotes in HTML hide like those of Markdown."""

    text: str
    spans: list[Span] = field(default_factory=list)
    veils: list[tuple[str, int]] = field(default_factory=list)
    hidden_until: int = 0
    missing: dict[str, int] = field(default_factory=dict)

    def add(self, start: int, end: int, region: Region) -> None:
        if end > start:
            self.spans.append(Span(start=start, end=end, region=region))

    def finish(self) -> list[Span]:
        for name, start in self.veils:
            self.add(start, len(self.text), _veil(name))
        return sorted(self.spans, key=lambda span: (span.start, -span.end))

    def html(self, start: int, end: int) -> None:
        position = max(start, self.hidden_until)
        while (position := self.text.find("<", position, end)) >= 0:
            position = self._angle(position, end, block=True)

    def markdown(self, start: int, end: int) -> None:
        runs: dict[int, list[int]] = {}
        for run in _RUN.finditer(self.text, start, end):
            runs.setdefault(run.end() - run.start(), []).append(run.start())
        brackets: list[tuple[int, bool]] = []
        position = max(start, self.hidden_until)
        while found := _SPECIAL.search(self.text, position, end):
            at, sign = found.start(), found.group()
            position = found.end()
            match sign[0]:
                case "\\":
                    position = at + 2
                case "`":
                    position = self._code_span(at, len(sign), runs)
                case "<":
                    position = self._angle(at, end, block=False)
                case "!" | "[":
                    brackets.append((at, sign == "!["))
                case "]":
                    if brackets:
                        position = self._link(brackets.pop(), at, end)
                case _:
                    url = _URL.match(self.text, at, end)
                    position = url.end() if url else position
                    self.add(at, position, Region.TARGET)

    def _code_span(self, at: int, length: int, runs: dict[int, list[int]]) -> int:
        same = runs.get(length, [])
        index = bisect_right(same, at)
        if index == len(same):
            return at + length
        end = same[index] + length
        self.add(at, end, Region.CODE)
        return end

    def _find(self, closer: str, start: int, end: int) -> int:
        """`text.find` that looks for a closer only once when there is none: else quadratic."""
        if self.missing.get(closer, len(self.text) + 1) <= start and end == len(self.text):
            return -1
        at = self.text.find(closer, start, end)
        if at < 0 and end == len(self.text):
            self.missing[closer] = min(start, self.missing.get(closer, start))
        return at

    def _angle(self, at: int, end: int, *, block: bool) -> int:
        """What begins with `<`; returns where to go on."""
        for opener, closer in _DECLARATIONS:
            if self.text.startswith(opener, at):
                # In an HTML block an open comment swallows what follows, to the text's end.
                limit = len(self.text) if block else end
                found = self._find(closer, at + len(opener) - (opener == "<!--"), limit)
                if found < 0 and not block:
                    return at + 1
                stop = len(self.text) if found < 0 else found + len(closer)
                self.add(at, stop, Region.COMMENT)
                self.hidden_until = max(self.hidden_until, stop)
                return stop
        link = _AUTOLINK.match(self.text, at, end)
        if link and not block:
            self.add(at, link.end(), Region.TARGET)
            return link.end()
        tag = _TAG.match(self.text, at, end)
        if tag is None:
            return at + 1
        self.add(at, tag.end(), Region.TAG)
        self._veil_tag(tag.group(2).lower(), closing=bool(tag.group(1)), tag=tag)
        return tag.end()

    def _veil_tag(self, name: str, *, closing: bool, tag: re.Match[str]) -> None:
        if name not in _CODE_TAGS and name != "blockquote":
            return
        if not closing:
            if len(self.veils) < 100:
                self.veils.append((name, tag.start()))
        elif any(name == open_name for open_name, _ in self.veils):
            while self.veils:
                open_name, start = self.veils.pop()
                self.add(start, tag.end(), _veil(open_name))
                if open_name == name:
                    break

    def _link(self, bracket: tuple[int, bool], at: int, end: int) -> int:
        opened, image = bracket
        after = at + 1
        position = after
        if self.text.startswith("(", after):
            position = self._destination(after, end)
        elif self.text.startswith("[", after):
            label = _LABEL.match(self.text, after, end)
            if label:
                position = label.end()
                self.add(after, position, Region.TARGET)
        if image and position > after:
            self.add(opened + 2, at, Region.ALT)
        return position

    def _destination(self, at: int, end: int) -> int:
        """`(target "title")` after a link's text; `at` where it is not one."""
        position = self._skip(at + 1, end)
        target = position
        if self.text.startswith("<", position):
            closing = re.compile(r"<[^<>\n]*+>").match(self.text, position, end)
            if closing is None:
                return at
            position = closing.end()
        else:
            depth = 0
            while position < end and (char := self.text[position]) > " ":
                if char == "(":
                    depth += 1
                elif char == ")":
                    depth -= 1
                if depth < 0 or depth > _DEEPEST_PARENTHESES:
                    break
                position += 2 if char == "\\" else 1
            if depth > 0:
                return at
        target_end = min(position, end)
        spaced = self._skip(target_end, end)
        title = _TITLE.match(self.text, spaced, end) if spaced > target_end else None
        last = self._skip(title.end(), end) if title else spaced
        if not self.text.startswith(")", last) or last >= end:
            return at
        self.add(target, target_end, Region.TARGET)
        if title:
            self.add(target_end, title.end(), Region.TITLE)
        return last + 1

    def _skip(self, position: int, end: int) -> int:
        space = _SPACE.match(self.text, position, end)
        return space.end() if space else position


def _veil(name: str) -> Region:
    return Region.QUOTE if name == "blockquote" else Region.CODE
