"""What a directive asks: one of a few words, or a prompt, which is everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum

from . import unclear
from .hidden import canonicalise
from .markdown import Directive
from .options import Lead, lead
from .regions import unix_lines
from .unclear import Unclear


class WordName(StrEnum):
    STATUS = "status"
    STOP = "stop"
    CANCEL = "cancel"
    ARCHIVE = "archive"
    RETRY = "retry"
    BUDGET = "budget"
    WHY = "why"
    CONFIG = "config"
    HELP = "help"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word after the mention, alone in its paragraph: `@openinspect stop.`"""

    name: WordName
    microdollars: int = 0
    """What `budget +2` adds."""
    about: str = ""
    """The address that follows `why`; empty where none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptText:
    """What the agent is asked to do, without hidden text; may be empty."""

    text: str
    hidden: int = 0
    """Characters that were taken out since no reader of the page could see them."""
    model: str | None = None
    effort: str | None = None
    commit: str = ""
    """What `run <sha>` names, in lower case: at least 7 hexadecimal digits."""


Ask = Word | PromptText | Unclear

RUN_PROMPT = (
    "Run the project's own tests and checks at this commit, and say what passes and what fails. "
    "Change nothing."
)
"""What `run <sha>` asks for where nothing follows it."""

_PLAIN = {str(name): Word(name=name) for name in WordName if name is not WordName.BUDGET}
_AROUND = " \t.,:;!?*_~`'\"()\u2018\u2019\u201c\u201d\u2013\u2014-"
_BUDGET = re.compile(
    r"budget\s+\+\s*\$?\s*(?P<usd>\d{1,6}(?:\.\d{1,6})?)\s*(?:\$|usd|dollars?)?", re.IGNORECASE
)
_BUDGET_OF_SOMETHING = re.compile(r"budget[\s+$\d.,-]*", re.IGNORECASE)
_WHY = re.compile(
    r"why\b[\s:,]*(?:\[[^\]]*\]\(|<)?(?P<about>https?://[^\s<>()]+|#?[a-z_]+-?r?\d+)[>)\s.?!]*",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(r"[a-z]{4,12}")


def asked_by(text: str, directive: Directive) -> Ask:
    """What `directive` asks, in the text that holds it.

    The prompt is the whole text, since what stands before a mention or in a quote is what it is
    about; only a mention at the very beginning is left away, and what was an option.
    """
    text = unix_lines(text)
    word = _word(text, directive)
    if word is not None:
        return word
    rest = canonicalise(text[directive.end :])
    led = lead(rest.text)
    if isinstance(led, Unclear):
        return led
    if led.options and isinstance(_said(led.rest), Word):
        return unclear.OPTIONS_WITHOUT_PROMPT
    before = canonicalise(text[: directive.start])
    if directive.form == "slash" or not before.text.strip():
        said = led.rest
        if led.commit and not said.strip():
            said = RUN_PROMPT
        if before.text.strip():
            said = before.text.rstrip(" \t") + said
        return _prompt(led, said, before.removed + rest.removed)
    if not led.taken:
        whole = canonicalise(text)
        return _prompt(led, whole.text, whole.removed)
    asked = led.rest if led.rest.strip() or not led.commit else RUN_PROMPT
    mention = text[directive.start : directive.end]
    return _prompt(led, f"{before.text}{mention} {asked}", before.removed + rest.removed)


def _prompt(led: Lead, said: str, hidden: int) -> PromptText:
    return PromptText(
        text=said.strip(),
        hidden=hidden,
        model=led.model,
        effort=led.effort,
        commit=led.commit,
    )


def _word(text: str, directive: Directive) -> Word | Unclear | None:
    line, _, after = text[directive.end :].partition("\n")
    following, _, _ = after.partition("\n")
    following = following.strip()
    if following and not following.startswith(">"):
        return None
    return _said(canonicalise(line).text, alone=not after.strip())


def _said(line: str, *, alone: bool = True) -> Word | Unclear | None:
    """The word that a line is; None where it is the beginning of a prompt."""
    said = line.strip(_AROUND)
    folded = " ".join(said.lower().split())
    if folded in _PLAIN:
        return _PLAIN[folded]
    if budget := _BUDGET.fullmatch(said):
        return Word(name=WordName.BUDGET, microdollars=int(Decimal(budget["usd"]) * 1_000_000))
    if _BUDGET_OF_SOMETHING.fullmatch(said):
        return unclear.BUDGET_BY_HOW_MUCH
    if why := _WHY.fullmatch(line.strip()):
        return Word(name=WordName.WHY, about=why["about"])
    if folded == "run":
        return unclear.RUN_WHICH_COMMIT
    if alone and _ONE_WORD.fullmatch(folded):
        close = get_close_matches(folded, [*_PLAIN, "budget"], n=1, cutoff=0.8)
        if close:
            return unclear.misspelt(folded, close[0])
    return None
