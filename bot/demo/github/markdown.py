"""Markdown as people write it on GitHub, to HTML that cannot do anything but show text.

Raw HTML is shown as text, except for the few tags without attributes that status comments use;
HTML comments (our hidden markers) disappear, as on GitHub. Images become links.
"""

import re
from collections.abc import MutableMapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

_ALLOWED = re.compile(
    r"<!--.*?-->|</?(?:details|summary|sub|sup|kbd|b|i|br)\s*/?>|<details open>", re.S
)
_REFERENCE = re.compile(r"(?<![\w/@])(@[A-Za-z0-9][A-Za-z0-9-]*(?:\[bot\])?|#\d+)(?![\w])")


def render(text: str | None, links: str) -> Markup:
    """`links` is the address of the repository, to which `#12` leads."""
    return Markup(_MARKDOWN.render(text or "", {"links": links}))  # noqa: S704 - see module


def _raw(
    _self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    _options: Any,
    _env: MutableMapping[str, Any],
) -> str:
    """Allowed tags stay, comments go, everything else is escaped."""
    text, out, at = tokens[index].content, [], 0
    for match in _ALLOWED.finditer(text):
        out.append(escapeHtml(text[at : match.start()]))
        out.append("" if match[0].startswith("<!--") else match[0])
        at = match.end()
    return "".join([*out, escapeHtml(text[at:])])


def _as_is(
    _self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    _options: Any,
    _env: MutableMapping[str, Any],
) -> str:
    return tokens[index].content


def _references(state: StateCore) -> None:
    """`@login` and `#12` in running text, and `[x]` at the start of a list item."""
    for at, token in enumerate(state.tokens):
        if token.type != "inline" or token.children is None:
            continue
        if at >= 2 and state.tokens[at - 2].type == "list_item_open":
            _checkbox(state.tokens[at - 2], token.children)
        depth, children = 0, []
        for child in token.children:
            depth += child.nesting if child.type.startswith("link") else 0
            if child.type != "text" or depth:
                children.append(child)
            else:
                children.extend(_split(child, state.env["links"]))
        token.children = children


def _checkbox(item: Token, children: list[Token]) -> None:
    first = children[0] if children else None
    if first is None or first.type != "text" or first.content[:4] not in ("[ ] ", "[x] "):
        return
    done = first.content[1] == "x"
    first.content = first.content[4:]
    item.attrJoin("class", "task")
    children.insert(0, _made(f'<span class="box{" done" if done else ""}"></span>'))


def _split(text: Token, links: str) -> list[Token]:
    out, at = [], 0
    for match in _REFERENCE.finditer(text.content):
        out.append(_text(text.content[at : match.start()]))
        word = escapeHtml(match[0])
        href = f"{links}/issues/{word[1:]}"
        html = f'<a href="{escapeHtml(href)}">{word}</a>' if word[0] == "#" else word
        out.append(_made(html if word[0] == "#" else f'<span class="mention">{word}</span>'))
        at = match.end()
    return [*out, _text(text.content[at:])]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _made(html: str) -> Token:
    """HTML that this module wrote itself."""
    return Token("made", "", 0, content=html)


def _build() -> MarkdownIt:
    built = MarkdownIt("commonmark", {"html": True, "linkify": False, "breaks": True})
    built.enable(["table", "strikethrough"]).disable("image")
    built.core.ruler.push("references", _references)
    built.add_render_rule("html_block", _raw)
    built.add_render_rule("html_inline", _raw)
    built.add_render_rule("made", _as_is)
    return built


_MARKDOWN = _build()
