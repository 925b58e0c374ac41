"""What a directive asks: one of a few words, or a prompt, which is everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .hidden import canonicalise
from .markdown import Directive
from .regions import unix_lines


class WordName(StrEnum):
    STATUS = "status"
    STOP = "stop"
    CANCEL = "cancel"
    RETRY = "retry"
    HELP = "help"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A single word after the mention, alone in its paragraph: `@openinspect stop.`"""

    name: WordName


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptText:
    """What the agent is asked to do, without hidden text; may be empty."""

    text: str
    hidden: int = 0
    """Characters that were taken out since no reader of the page could see them."""


_WORDS = {str(name): Word(name=name) for name in WordName}
_AROUND = " \t.,:;!?*_~`'\"()\u2018\u2019\u201c\u201d\u2013\u2014-"
_LEADING = re.compile(r"\A(?:[ \t]*[,:;\u2013\u2014-])?[ \t]*\n*")


def asked_by(text: str, directive: Directive) -> Word | PromptText:
    """What `directive` asks, in the text that holds it.

    The prompt is the whole text, since what stands before a mention or in a quote is what it is
    about; only a mention at the very beginning is left away.
    """
    text = unix_lines(text)
    word = _word(text, directive)
    if word is not None:
        return word
    before = canonicalise(text[: directive.start])
    if directive.form == "slash" or not before.text.strip():
        rest = canonicalise(text[directive.end :])
        said = _LEADING.sub("", rest.text)
        if before.text.strip():
            said = before.text.rstrip(" \t") + said
        return PromptText(text=said.strip(), hidden=before.removed + rest.removed)
    whole = canonicalise(text)
    said = whole.text.strip()
    return PromptText(text=said, hidden=whole.removed)


def _word(text: str, directive: Directive) -> Word | None:
    line, _, after = text[directive.end :].partition("\n")
    following, _, _ = after.partition("\n")
    following = following.strip()
    if following and not following.startswith(">"):
        return None
    said = canonicalise(line).text.strip(_AROUND).lower()
    return _WORDS.get(said)
