"""What begins like a word or an option of ours and is none: better asked back than run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """`reason` is what the person is told."""

    reason: str


OPTIONS_WITHOUT_PROMPT = Unclear(
    reason="`model=` and `effort=` go before a prompt, not before a word"
)
BUDGET_BY_HOW_MUCH = Unclear(
    reason="say by how many dollars the budget is raised, for example `budget +2`"
)
RUN_WHICH_COMMIT = Unclear(
    reason="`run` takes one commit, by the first 7 to 40 digits of its SHA: "
    "`run 3f2a91c fix the test`"
)


def misspelt(said: str, close: str) -> Unclear:
    return Unclear(
        reason=f"`{said}` is not a word known here. Did you mean `{close}`? `help` lists them"
    )


def unknown_option(name: str, close: str | None) -> Unclear:
    nearest = f"Did you mean `{close}=`? " if close else ""
    return Unclear(
        reason=f"`{name}=` is not an option. {nearest}Options are `model=` and `effort=`; a "
        "prompt that begins so can be put in backticks"
    )


def twice(name: str) -> Unclear:
    return Unclear(reason=f"`{name}=` is said twice")


def not_a_model(value: str) -> Unclear:
    said = f"`{_quoted(value)}` is not a model" if value else "`model=` has no value"
    return Unclear(
        reason=f"{said}. Models are named as `provider/name`, for example "
        "`anthropic/claude-opus-4-6`"
    )


def not_an_effort(value: str, close: str | None, efforts: Sequence[str]) -> Unclear:
    said = f"`{_quoted(value)}` is not an effort" if value else "`effort=` has no value"
    nearest = f"Did you mean `{close}`? " if close else ""
    return Unclear(reason=f"{said}. {nearest}Efforts are {', '.join(efforts)}")


def _quoted(value: str) -> str:
    """Inside a code span of ours nothing may end it."""
    kept = "".join(char for char in value if char.isprintable() and char not in "`<>@")
    return kept or "?"
