"""Markdown by an agent, written anew from its syntax tree: what is shown stays, what acts goes.

Paragraphs, lists, quotes, tables, code and emphasis keep their form. Links show where they lead
as code, images as their description, HTML as the characters it is written in. Fences and
emphasis are closed because the tree says where they end, wherever the text was cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from . import inert

_MARKDOWN = MarkdownIt("commonmark", {"maxNesting": 12}).enable(["table", "strikethrough"])
_CUT_NOTE = "*Cut here: the whole text is longer.*"
_DEEPEST = 6


def prose(said: str, limit: int) -> str:
    """`said` as inert Markdown of at most `limit` characters; cut at a paragraph, and said so."""
    source = said.strip()[: limit * 2]
    shortened = len(source) < len(said.strip())
    size = min(len(source), limit)
    while True:
        part = source if size >= len(source) else _head(source, size)
        rendered = _blocks(_MARKDOWN.parse(part))
        if shortened or len(part) < len(source):
            rendered = f"{rendered}\n\n{_CUT_NOTE}"
        if len(rendered) <= limit:
            return rendered
        if size < 40:
            return _CUT_NOTE[:limit] if len(_CUT_NOTE) <= limit else ""
        size = size * 2 // 3


def sentence(said: str, limit: int) -> str:
    """One line of what was said, cut to `limit` characters; code and emphasis keep their form."""
    flat = inert.cut(" ".join(inert.without_controls(said).split()), limit)
    tokens = _MARKDOWN.parseInline(flat)
    return inert.lines(_inline(tokens[0].children or [])) if tokens else ""


def open_fence(source: str) -> str:
    """What closes the code block that `source` ends in the middle of; empty where it does not."""
    tokens = _MARKDOWN.parse(source)
    last = tokens[-1] if tokens else None
    if last is None or last.type != "fence":
        return ""
    final = source.rstrip().rpartition("\n")[2].strip()
    closed = set(final) <= {last.markup[0]} and len(final) >= len(last.markup)
    return "" if closed and last.content != "" else last.markup


def _head(source: str, size: int) -> str:
    kept = source[:size]
    for border in ("\n\n", "\n", " "):
        at = kept.rfind(border)
        if at > size * 0.5:
            return kept[:at]
    return kept


def _blocks(tokens: Sequence[Token], *, tight: bool = False, depth: int = 0) -> str:
    parts: list[str] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        end = _closing(tokens, position)
        inside = tokens[position + 1 : end]
        part = _block(token, inside, depth)
        if part:
            parts.append(part)
        position = end + 1
    return ("\n" if tight else "\n\n").join(parts)


def _closing(tokens: Sequence[Token], position: int) -> int:
    """Where the block that opens at `position` closes; itself, where it holds nothing."""
    level = 0
    for index in range(position, len(tokens)):
        level += tokens[index].nesting
        if level == 0:
            return index
    return len(tokens) - 1


def _block(token: Token, inside: Sequence[Token], depth: int) -> str:
    match token.type:
        case "paragraph_open":
            return inert.lines(_inline(inside[0].children or []))
        case "heading_open":
            title = _inline(inside[0].children or [], plain=True).replace("\n", " ")
            return f"**{title.strip()}**" if title.strip() else ""
        case "fence" | "code_block":
            return inert.fenced(token.content, token.info.split(" ")[0] if token.info else "")
        case "blockquote_open":
            return _prefixed(_blocks(inside, depth=depth + 1), "> ", "> ")
        case "bullet_list_open" | "ordered_list_open":
            return _list(token, inside, depth)
        case "table_open":
            return _table(inside)
        case "hr":
            return "***"
        case "html_block":
            return inert.lines(inert.text(token.content.strip("\n")))
        case "inline":
            return inert.lines(_inline(token.children or []))
        case _:
            return _blocks(inside, depth=depth) if inside else ""


def _list(token: Token, inside: Sequence[Token], depth: int) -> str:
    items: list[str] = []
    number = int(token.attrGet("start") or 1) if token.type == "ordered_list_open" else None
    position = 0
    while position < len(inside):
        end = _closing(inside, position)
        content = inside[position + 1 : end]
        tight = any(t.type == "paragraph_open" and t.hidden for t in content)
        body = _blocks(content, tight=tight, depth=depth + 1)
        mark = "- " if number is None else f"{number}. "
        indent = " " * len(mark) if depth < _DEEPEST else ""
        items.append(_prefixed(body or " ", mark, indent))
        number = None if number is None else min(number + 1, 999_999_999)
        position = end + 1
    return "\n".join(items)


def _prefixed(body: str, first: str, rest: str) -> str:
    head, *tail = body.split("\n")
    return "\n".join([first + head, *((rest + line).rstrip() for line in tail)])


def _table(inside: Sequence[Token]) -> str:
    rows: list[list[str]] = []
    for index, token in enumerate(inside):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and inside[index - 1].type in ("th_open", "td_open"):
            rows[-1].append(_cell(token))
    if not rows:
        return ""
    width = len(rows[0])
    ruled = [rows[0], ["---"] * width, *rows[1:]]
    return "\n".join("| " + " | ".join(row[:width]) + " |" for row in ruled)


def _cell(token: Token) -> str:
    """A bar inside a cell is escaped, also in code: a table is cut at bars first."""
    rendered = _inline(token.children or []).replace("\n", " ")
    return rendered.replace("\\|", "|").replace("|", "\\|") or " "


_MARKS = {
    "em_open": "*",
    "em_close": "*",
    "strong_open": "**",
    "strong_close": "**",
    "s_open": "~~",
    "s_close": "~~",
}


def _inline(tokens: Sequence[Token], *, plain: bool = False) -> str:
    """Text that stands together is rendered together, so that nothing acts by being joined."""
    out: list[str] = []
    waiting: list[str] = []
    links: list[tuple[str, int]] = []

    def flush() -> None:
        if waiting:
            out.append(inert.text("".join(waiting)))
            waiting.clear()

    for token in tokens:
        match token.type:
            case "text" | "text_special" | "html_inline":
                waiting.append(token.content)
                continue
            case _:
                flush()
        match token.type:
            case "softbreak" | "hardbreak":
                out.append("\n")
            case "code_inline":
                out.append(inert.code(token.content, 1000))
            case "link_open":
                links.append((str(token.attrGet("href") or ""), len(out)))
            case "link_close":
                href, start = links.pop() if links else ("", len(out))
                out.append(_where(href, "".join(out[start:])))
            case "image":
                out.append(inert.text(f"(image: {token.content})" if token.content else "(image)"))
                out.append(_where(str(token.attrGet("src") or ""), ""))
            case mark if mark in _MARKS and not plain:
                out.append(_MARKS[mark])
            case _:
                pass
    flush()
    return "".join(out)


def _where(target: str, shown: str) -> str:
    """Where a link leads, as code, unless its text says it already."""
    if not target or target in shown:
        return ""
    return f" ({inert.code(target)})"
