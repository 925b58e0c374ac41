"""Where in a delivery something is asked, and what: in its text or title, or by what was marked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.session.errors import PromptEmpty, PromptTooLong
from orchestrator.session.values import MAX_PROMPT_CHARACTERS, SourceKind

from .delivery import Edited, Marked, Requested, Written
from .hidden import canonicalise
from .markdown import Directives, directives
from .unclear import Unclear
from .words import Ask, PromptText, Word, WordName, asked_by

_TITLED = (SourceKind.ISSUE, SourceKind.PULL_REQUEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    any: Directives
    in_title: bool

    def ask(self, title: str, body: str) -> Ask:
        first = self.any.asked[0]
        if not self.in_title:
            return asked_by(body, first)
        said = asked_by(title, first)
        if not isinstance(said, PromptText):
            return said
        rest = canonicalise(body)
        text = f"{said.text}\n\n{rest.text}".strip()
        return replace(said, text=text, hidden=said.hidden + rest.removed)


def find(written: Written, title: str, name: str) -> Found:
    """In the body first; an issue's or pull request's title counts as well."""
    body = directives(written.body, name)
    if not body.asked and written.kind in _TITLED:
        in_title = directives(title, name)
        if in_title.asked:
            return Found(any=in_title, in_title=True)
    return Found(any=body, in_title=False)


def asked_before(delivered: Edited, name: str) -> bool:
    """The text that the edit replaced asked already, so this edit asks nothing new."""
    before, written = delivered.before, delivered.written
    body = written.body if before.body is None else before.body
    title = delivered.thread.title if before.title is None else before.title
    return bool(find(replace(written, body=body), title, name).any.asked)


def ask_of_issue(delivered: Marked) -> PromptText:
    """What an issue says is what its label or assignment asks for; its title where it says
    nothing. Words of somebody else are said to be that."""
    body, title = canonicalise(delivered.written.body), canonicalise(delivered.thread.title)
    text = body.text.strip() or title.text.strip()
    author, sender = delivered.written.author, delivered.envelope.sender
    if text and (author is None or author.person.id != sender.person.id):
        by = f"@{author.person.login}" if author is not None else "somebody"
        text = f"Do what this issue, written by {by}, asks for:\n\n{text}"
    return PromptText(text=text, hidden=body.removed + title.removed)


def ask_of_request(request: Requested) -> PromptText:
    """All of it is the prompt: words and options have fields of their own in the API."""
    said = canonicalise(request.written.body)
    return PromptText(
        text=said.text.strip(), hidden=said.removed, model=request.model, effort=request.effort
    )


def text_problem(ask: Ask, name: str) -> str | None:
    match ask:
        case Unclear(reason=reason):
            return reason
        case PromptText(text=text) if not text.strip():
            return str(PromptEmpty(name=name))
        case PromptText(text=text) if len(text) > MAX_PROMPT_CHARACTERS:
            return str(PromptTooLong(length=len(text), limit=MAX_PROMPT_CHARACTERS))
        case _:
            return None


def runs(ask: Ask) -> bool:
    """Does it make the agent work on the pull request's head?"""
    return isinstance(ask, PromptText) or ask == Word(name=WordName.RETRY)


def ends(ask: Ask) -> bool:
    """Words that end something are always taken, however much was asked before."""
    return isinstance(ask, Word) and ask.name in (
        WordName.STOP,
        WordName.CANCEL,
        WordName.ARCHIVE,
    )
