"""A GitHub comment as a terminal can show it. Pure."""

from __future__ import annotations

import re

_DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>.*?</details>", re.DOTALL)
_HIDDEN = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?(sub|sup|kbd|br|b|i|code|p)\b[^>]*>")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_EMPTY_HEADER = re.compile(r"^\|\s*\|\s*\|\n\|(-+\|)+\n", re.MULTILINE)
_ROW = re.compile(r"^\| *(.*?) *\| *(.*?) *\|$", re.MULTILINE)


def clean(text: str) -> str:
    """Without what a terminal would obey: an agent's output is shown, never carried out."""
    return _CONTROL.sub("", text)


def shown(markdown: str) -> str:
    """Folded parts as one line, boxes as signs, tags and hidden markers gone."""
    text = _HIDDEN.sub("", clean(markdown))
    text = _DETAILS.sub(lambda found: f"▸ {found[1].strip()}", text)
    text = _TAG.sub("", text)
    text = _EMPTY_HEADER.sub("", text)
    text = _ROW.sub(r"- \1: \2", text)
    text = re.sub(r"^- \[[xX]\] ", "- ✓ ", text, flags=re.MULTILINE)
    text = re.sub(r"^- \[ \] ", "- … ", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def headline(markdown: str) -> str:
    """The comment's first line, without its markup."""
    text = shown(markdown)
    return re.sub(r"[*`]", "", text.splitlines()[0]) if text else ""


def live_step(markdown: str) -> str:
    """The step that is running now, if the comment names one."""
    steps = re.findall(r"^- … (.*)$", shown(markdown), re.MULTILINE)
    return re.sub(r"[*`]", "", steps[-1]) if steps else ""
