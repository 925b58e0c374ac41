"""Every sentence of a decision: what a rule found, and what a person is told of a refusal."""

from __future__ import annotations

from orchestrator.config import CONFIG_PATH, RepoConfig

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


def requested(token: str) -> str:
    return f"with the API token `{token}`"


def text(ask: PromptText | Word) -> str:
    if isinstance(ask, Word):
        return f"the word `{ask.name}`"
    hidden = f"; {ask.hidden:,} hidden characters taken out" if ask.hidden else ""
    model = f", for `{ask.model}`" if ask.model else ""
    effort = f", effort {ask.effort}" if ask.effort else ""
    return f"a prompt of {len(ask.text):,} characters{model}{effort}{hidden}"


def listed_app(app: int) -> str:
    return f"App {app} may ask, by `triggers.apps`"


def other_account(who: Actor) -> str:
    return (
        f"GitHub's answer about `{who.person.login}` is about another account than the one "
        "that wrote this"
    )


def not_enough(
    who: Actor, permission: Permission, needed: str, repository: Repository, line: int | None
) -> str:
    has = "no" if permission.role in ("none", "") else permission.role
    where = (
        f" (rule `triggers.mention.permission`, {CONFIG_PATH} line {line})"
        if line is not None
        else ""
    )
    return (
        f"`{who.person.login}` has {has} access to {repository.full_name}; "
        f"{needed} is needed to start work{where}"
    )


def enough(permission: Permission, needed: str) -> str:
    return f"{permission.role or 'write'} access, and {needed} is needed"


def among(who: Actor) -> str:
    return f"`{who.person.login}` is among `triggers.mention.users`"


def in_team(who: Actor) -> str:
    return f"`{who.person.login}` is in a team of `triggers.mention.teams`"


def not_among(who: Actor, config: RepoConfig) -> str:
    keys = [
        f"`{key}` ({CONFIG_PATH} line {config.lines[key]})" if key in config.lines else f"`{key}`"
        for key, listed in (
            ("triggers.mention.users", config.triggers.users),
            ("triggers.mention.teams", config.triggers.teams),
        )
        if listed
    ]
    return (
        f"only certain people may start work here, and `{who.person.login}` is not among them: "
        f"{' and '.join(keys)}"
    )


MEMBERS_UNSEEN = (
    "Who is in a team cannot be seen: the App has no permission `members: read` in the organization"
)


def too_often(most: int) -> str:
    return (
        f"{most} requests were taken in this thread within the last hour, which is the most "
        "(`limits.thread_per_hour`). Ask again later; `stop` and `cancel` are always taken"
    )


def not_too_often(lately: int, most: int) -> str:
    return f"{lately} of {most} within the last hour"


CLOSED_ISSUE = "the issue is closed; a comment with a mention asks even there"
TEXT_ASKS_BY_ITSELF = "the issue's own text asks already, and is asked by the same person"
NO_HEAD_HERE = (
    "`run` is for pull requests, whose head it names. To work on an issue, say what to do"
)
APPS_NAME_NO_FORK = "only a person can say that commits of a fork may run"
FORK_IS_GONE = (
    "the fork of this pull request is gone, so nobody can tell when its commits came. Push them "
    "to a branch of this repository to work on them"
)


def other_mark(rule: str, mark: str, wanted: str) -> str:
    if not wanted:
        return f"no {rule} asks for anything here"
    return f"the {rule} is `{_plain(mark)}`, and `{_plain(wanted)}` asks"


def marked(rule: str, mark: str) -> str:
    return f"the {rule} is `{_plain(mark)}`, which asks for what the issue says"


def _plain(mark: str) -> str:
    return "".join(c for c in mark if c.isprintable() and c != "`")[:60]


def fork(head: Head, repository: Repository, *, approved: str, name: str) -> str:
    source = head.repository_name or "a deleted fork"
    short = head.commit[:10]
    if approved:
        return (
            f"this pull request's head has moved from {approved[:10]}, which may run here, to "
            f"{short}. Read what is new, then say `@{name} run {short}` and what to do"
        )
    return (
        f"this pull request's commits are in {source}, not in {repository.full_name}; commits of "
        f"a fork run only where they are named. Read them, then say `@{name} run {short}` and "
        "what to do"
    )


def head_moved(named: str, head: Head, name: str) -> str:
    short = head.commit[:10]
    return (
        f"`{named[:40]}` is not the head of this pull request, which is {short}. Read that, then "
        f"say `@{name} run {short}` and what to do"
    )


def pushed_since(head: Head, name: str) -> str:
    return (
        f"{head.repository_name} was pushed to since that was written, so it may have been meant "
        f"for other commits. The head is {head.commit[:10]} now: look again, then say "
        f"`@{name} run {head.commit[:10]}`"
    )


def fork_named(head: Head) -> str:
    return f"the head of the fork {head.repository_name} is {head.commit[:10]}, as named"


def approved_before(head: Head) -> str:
    return f"the head of the fork is still {head.commit[:10]}, which may run here"


def own_head(head: Head) -> str:
    return f"the head is `{head.branch}` of this repository"
