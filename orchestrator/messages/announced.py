"""What was asked from outside GitHub, shown in the thread, so that nothing is done unseen."""

from __future__ import annotations

from orchestrator.session.values import Prompt

from . import inert
from .markdown import prose
from .status import composed

_PROMPT = 4_000


def announcement(prompt: Prompt, *, marker: str) -> str:
    """Who asked through the API, and what; long prompts are cut, and that is said."""
    quoted = "\n".join(f"> {line}".rstrip() for line in prose(prompt.text, _PROMPT).split("\n"))
    options = [
        f"{what} {inert.code(value)}"
        for what, value in (("model", prompt.model), ("effort", prompt.effort))
        if value
    ]
    said = f" ({', '.join(options)})" if options else ""
    who = inert.person(prompt.author.login)
    return composed([f"{who} **asked through the API**{said}:", quoted], marker)


def opened_for(login: str, *, marker: str) -> str:
    """The body of an issue that was opened because a request had none; what was asked follows as
    a comment."""
    who = inert.person(login)
    return composed([f"Opened for {who}, who asked through the API for what follows."], marker)
