"""What may stand between the mention and the prompt: `run <sha>`, `model=`, `effort=`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from orchestrator.config.keys import EFFORTS, MODEL

from . import unclear
from .unclear import Unclear

OPTIONS = ("model", "effort")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """`rest` is what is left of the text for the prompt."""

    rest: str
    commit: str = ""
    model: str | None = None
    effort: str | None = None
    options: bool = False

    @property
    def taken(self) -> bool:
        return self.options or bool(self.commit)


_LEADING = re.compile(r"\A(?:[ \t]*[,:;\u2013\u2014-])?[ \t]*\n*")
_BLANK = re.compile(r"[ \t]*\n?[ \t]*")
_RUN = re.compile(r"run[ \t]+`?(?P<sha>[0-9a-f]{4,64})`?(?=[\s.,:;!?]|\Z)", re.IGNORECASE)
_AFTER_RUN = re.compile(r"[ \t]*[.,:;!?]?")
_OPTION = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z_-]{0,30})=(?![=>~])"
    r"(?P<value>\"[^\"\n]*\"|`[^`\n]*`|'[^'\n]*'|[^\s]*)(?=\s|\Z)"
)
_LEAST = 7
_MOST = 40
_MODEL = re.compile(MODEL)
_LONGEST_MODEL = 200


def lead(rest: str) -> Lead | Unclear:
    """Read from `rest`, which is the visible text after a mention."""
    position = _end(_LEADING, rest, 0)
    commit, model, effort = "", None, None
    seen: set[str] = set()
    while True:
        if run := _RUN.match(rest, position):
            named = run["sha"].lower()
            if not _is_commit(named):
                return Lead(rest=rest[position:], model=model, effort=effort, options=bool(seen))
            if len(named) < _LEAST or len(named) > _MOST or commit:
                return unclear.RUN_WHICH_COMMIT
            commit = named
            position = _end(_BLANK, rest, _end(_AFTER_RUN, rest, run.end()))
            continue
        option = _OPTION.match(rest, position)
        if option is None:
            break
        name = option["name"].lower()
        value = option["value"].strip("\"'`").rstrip(",;")
        if name not in OPTIONS:
            if option["name"].isupper() and len(name) > 1:
                break  # DEBUG=1 and the like: an environment variable, and part of the prompt
            close = get_close_matches(name, OPTIONS, n=1, cutoff=0.5)
            return unclear.unknown_option(name, close[0] if close else None)
        if name in seen:
            return unclear.twice(name)
        seen.add(name)
        if name == "model":
            if len(value) > _LONGEST_MODEL or not _MODEL.fullmatch(value):
                return unclear.not_a_model(value[:60])
            model = value
        else:
            if value.lower() not in EFFORTS:
                near = get_close_matches(value.lower()[:40], EFFORTS, n=1, cutoff=0.5)
                return unclear.not_an_effort(value[:60], near[0] if near else None, EFFORTS)
            effort = None if value.lower() == "default" else value.lower()
        position = _end(_BLANK, rest, option.end())
    return Lead(rest=rest[position:], commit=commit, model=model, effort=effort, options=bool(seen))


def _is_commit(named: str) -> bool:
    """`run added tests` and `run 1000 rounds` are prompts: short words and numbers mean none."""
    digits = sum(char.isdigit() for char in named)
    return 0 < digits < len(named) or len(named) >= (_LEAST if digits else 12)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
