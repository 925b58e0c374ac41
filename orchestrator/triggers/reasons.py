"""Every sentence of a decision: what a rule found, and what a person is told of a refusal."""

from __future__ import annotations

from .delivery import Actor, Head, Repository
from .markdown import Directives
from .permission import Permission
from .words import PromptText, Word

CLOSED_ASKS_NOTHING = "closing a pull request asks for nothing; its session is told"
WRITTEN_BY_THIS_APP = "written by this App itself"
NOT_BY_THIS_APP = "not written by this App"
ASKED_BEFORE_THE_EDIT = (
    "the text asked already before this edit; what was taken then stays as it was. "
    "To ask again, write a new comment"
)
EDIT_ADDS_THE_MENTION = "the edit adds the mention, by the author"
MENTIONS_ARE_OFF = "mentions are switched off in this repository"
MENTIONS_ARE_ON = "mentions are on"


def not_a_person(sender: Actor, app: int | None) -> str:
    which = f"App {app}" if app is not None else "an account that is no person"
    return f"`{sender.person.login}` is {which} and not listed in `triggers.apps`"


def sender(who: Actor, listed: int | None) -> str:
    if listed is not None:
        return f"`{who.person.login}` is App {listed}, listed in `triggers.apps`"
    return f"`{who.person.login}` is a person"


def mention(name: str, found: Directives, *, in_title: bool) -> str:
    first = found.asked[0]
    what = f"`@{name}`" if first.form == "mention" else "`/openinspect`"
    where = "in the title" if in_title else f"on line {first.line}"
    more = len(found.asked) - 1
    also = f"; {more} more in the same text, of which the first counts" if more else ""
    return f"{what} {where}{also}"


def no_mention(name: str, found: Directives) -> str:
    said = f"no mention of `@{name}` outside code and quotes"
    if not found.passed_over:
        return said
    places = [f"one inside {over.region}, line {over.line}" for over in found.passed_over[:3]]
    more = len(found.passed_over) - len(places)
    listed = ", ".join(places) + (f" and {more} more" if more else "")
    quoted = any(over.region == "a quote" for over in found.passed_over)
    hint = "; a quote ends at an empty line" if quoted else ""
    return f"{said} ({listed}{hint})"


def edited_by_another(who: Actor) -> str:
    return (
        f"the mention was added by `{who.person.login}` to a text somebody else wrote. "
        "Ask in a comment of your own"
    )


def text(ask: PromptText | Word) -> str:
    if isinstance(ask, Word):
        return f"the word `{ask.name}`"
    hidden = f"; {ask.hidden:,} hidden characters taken out" if ask.hidden else ""
    return f"a prompt of {len(ask.text):,} characters{hidden}"


def listed_app(app: int) -> str:
    return f"App {app} may ask, by `triggers.apps`"


def other_account(who: Actor) -> str:
    return (
        f"GitHub's answer about `{who.person.login}` is about another account than the one "
        "that wrote this"
    )


def no_write(who: Actor, permission: Permission, repository: Repository) -> str:
    has = "no" if permission.role in ("none", "") else permission.role
    return (
        f"`{who.person.login}` has {has} access to {repository.full_name}; "
        "write is needed to start work"
    )


def may_write(permission: Permission) -> str:
    return f"{permission.role or 'write'} access, which may push"


def fork(head: Head, repository: Repository) -> str:
    source = head.repository_name or "a deleted fork"
    return (
        f"this pull request's commits are in {source}, not in {repository.full_name}; "
        "commits of a fork are not run. Push the branch to this repository to work on it"
    )


def own_head(head: Head) -> str:
    return f"the head is `{head.branch}` of this repository"
