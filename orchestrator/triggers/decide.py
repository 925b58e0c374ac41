"""Was something asked, and may it be? The ordered rules; the first that fails is the answer.

Rules that need nothing but the delivery come first, so that an ignored one costs no API call.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orchestrator.config import RepoConfig
from orchestrator.session.errors import PromptEmpty, PromptTooLong
from orchestrator.session.values import MAX_PROMPT_CHARACTERS, SourceKind, UserId

from . import reasons
from .asked import Asked, key_of, source_of
from .delivery import (
    Created,
    Delivered,
    Edited,
    Head,
    NotForUs,
    Place,
    PullRequestClosed,
    ReviewCommentCreated,
    ReviewCommentEdited,
    Written,
)
from .hidden import canonicalise
from .markdown import Directives, directives
from .permission import NO_PERMISSION, Permission
from .record import Rule
from .words import PromptText, Word, WordName, asked_by


@dataclass(frozen=True, slots=True, kw_only=True)
class BotIdentity:
    """Our own App. Ids prove who wrote something; the name is only what people type."""

    name: str
    app_id: int
    bot_user_id: int | None
    """None until GitHub has told; the App's id on what it wrote counts as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    asked: Asked
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsPermission:
    """All that is free to know passed. Ask GitHub about `login`, then call `trigger` again."""

    login: str
    user_id: UserId
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsHead:
    """The person may ask; the delivery does not say where the pull request's commits are."""

    number: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Nothing was asked of us, or not in a way that counts. Nobody is told; `why` explains."""

    rule: str
    reason: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something was asked that may not or cannot be done. `tell`: answer with `reason`, once."""

    rule: str
    reason: str
    rules: tuple[Rule, ...]
    tell: bool


Decision = Accepted | NeedsPermission | NeedsHead | Ignored | Refused


def trigger(
    delivered: Delivered | NotForUs,
    *,
    bot: BotIdentity,
    config: RepoConfig,
    permission: Permission | None = None,
    head: Head | None = None,
) -> Decision:
    match delivered:
        case NotForUs():
            return _Rules().ignored("event", delivered.reason)
        case PullRequestClosed():
            rules = _Rules()
            rules.passed("event", f"`{delivered.envelope.event}.closed`")
            return rules.ignored("action", reasons.CLOSED_ASKS_NOTHING)
        case _:
            return _written(delivered, bot, config, permission, head)


def _written(
    delivered: Created | Edited,
    bot: BotIdentity,
    config: RepoConfig,
    permission: Permission | None,
    head: Head | None,
) -> Decision:
    rules = _Rules()
    envelope, thread, written = delivered.envelope, delivered.thread, delivered.written
    sender = envelope.sender
    rules.passed("event", f"`{envelope.event}.{envelope.action}`")

    if _own(delivered, bot):
        return rules.ignored("own", reasons.WRITTEN_BY_THIS_APP)
    rules.passed("own", reasons.NOT_BY_THIS_APP)

    listed = written.app if sender.type == "Bot" and written.app in config.triggers.apps else None
    if sender.type != "User" and listed is None:
        return rules.ignored(
            "sender", reasons.not_a_person(sender, written.app), config, "triggers.apps"
        )
    rules.passed(
        "sender", reasons.sender(sender, listed), config, "triggers.apps" if listed else ""
    )

    found = _find(written, thread.title, bot.name)
    if not found.any.asked:
        return rules.ignored("mention", reasons.no_mention(bot.name, found.any))
    rules.passed("mention", reasons.mention(bot.name, found.any, in_title=found.in_title))

    if isinstance(delivered, Edited):
        if _asked_before(delivered, bot.name):
            return rules.ignored("edit", reasons.ASKED_BEFORE_THE_EDIT)
        if written.author is None or written.author.person.id != sender.person.id:
            return rules.refused("edit", reasons.edited_by_another(sender), tell=True)
        rules.passed("edit", reasons.EDIT_ADDS_THE_MENTION)

    enabled = config.triggers.mention_enabled
    key = "triggers.mention.enabled"
    if not enabled:
        return rules.ignored("configuration", reasons.MENTIONS_ARE_OFF, config, key)
    rules.passed("configuration", reasons.MENTIONS_ARE_ON, config, key)

    ask = found.ask(thread.title, written.body)
    problem = _text_problem(ask, bot.name)
    if problem is not None:
        return rules.refused("text", problem, tell=True)
    rules.passed("text", reasons.text(ask))

    if listed is not None:
        rules.passed("permission", reasons.listed_app(listed), config, "triggers.apps")
    elif permission is None:
        return NeedsPermission(
            login=sender.person.login, user_id=sender.person.id, rules=rules.so_far
        )
    elif permission.user_id != sender.person.id and permission != NO_PERMISSION:
        return rules.refused("permission", reasons.other_account(sender), tell=False)
    elif not permission.push:
        return rules.refused(
            "permission", reasons.no_write(sender, permission, envelope.repository), tell=True
        )
    else:
        rules.passed("permission", reasons.may_write(permission))

    where = thread.head or head
    if thread.is_pull_request and _runs(ask):
        if where is None:
            return NeedsHead(number=thread.number, rules=rules.so_far)
        if where.repository != envelope.repository.id:
            return rules.refused("head", reasons.fork(where, envelope.repository), tell=True)
        rules.passed("head", reasons.own_head(where))

    asked = Asked(
        key=key_of(written),
        author=sender.person,
        ask=ask,
        source=source_of(written, thread),
        repository=envelope.repository,
        installation=envelope.installation,
        thread=thread,
        head=where if thread.is_pull_request else None,
        place=_place(delivered),
    )
    return Accepted(asked=asked, rules=rules.so_far)


@dataclass(slots=True)
class _Rules:
    """The rules looked at so far, in order."""

    seen: list[Rule] = field(default_factory=list)

    @property
    def so_far(self) -> tuple[Rule, ...]:
        return tuple(self.seen)

    def passed(
        self, name: str, detail: str, config: RepoConfig | None = None, key: str = ""
    ) -> None:
        self._add(name, detail, config, key, passed=True)

    def ignored(
        self, name: str, reason: str, config: RepoConfig | None = None, key: str = ""
    ) -> Ignored:
        self._add(name, reason, config, key, passed=False)
        return Ignored(rule=name, reason=reason, rules=self.so_far)

    def refused(self, name: str, reason: str, *, tell: bool) -> Refused:
        self._add(name, reason, None, "", passed=False)
        return Refused(rule=name, reason=reason, rules=self.so_far, tell=tell)

    def _add(
        self, name: str, detail: str, config: RepoConfig | None, key: str, *, passed: bool
    ) -> None:
        line = config.lines.get(key) if config is not None else None
        self.seen.append(
            Rule(name=name, passed=passed, detail=detail, config_key=key, config_line=line)
        )


def _own(delivered: Created | Edited, bot: BotIdentity) -> bool:
    """Anything that our App sent or wrote, whoever edits it later."""
    written, sender = delivered.written, delivered.envelope.sender
    author = written.author.person.id if written.author else None
    if written.app == bot.app_id:
        return True
    return bot.bot_user_id is not None and bot.bot_user_id in (sender.person.id, author)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    any: Directives
    in_title: bool

    def ask(self, title: str, body: str) -> PromptText | Word:
        first = self.any.asked[0]
        if not self.in_title:
            return asked_by(body, first)
        said = asked_by(title, first)
        if isinstance(said, Word):
            return said
        rest = canonicalise(body)
        text = f"{said.text}\n\n{rest.text}".strip()
        return PromptText(text=text, hidden=said.hidden + rest.removed)


_TITLED = (SourceKind.ISSUE, SourceKind.PULL_REQUEST)


def _find(written: Written, title: str, name: str) -> _Found:
    """In the body first; an issue's or pull request's title counts as well."""
    body = directives(written.body, name)
    if not body.asked and written.kind in _TITLED:
        in_title = directives(title, name)
        if in_title.asked:
            return _Found(any=in_title, in_title=True)
    return _Found(any=body, in_title=False)


def _asked_before(delivered: Edited, name: str) -> bool:
    """The text that the edit replaced asked already, so this edit asks nothing new."""
    before, written = delivered.before, delivered.written
    body = written.body if before.body is None else before.body
    title = delivered.thread.title if before.title is None else before.title
    return bool(_find(replace(written, body=body), title, name).any.asked)


def _text_problem(ask: PromptText | Word, name: str) -> str | None:
    if isinstance(ask, Word):
        return None
    if not ask.text.strip():
        return str(PromptEmpty(name=name))
    if len(ask.text) > MAX_PROMPT_CHARACTERS:
        return str(PromptTooLong(length=len(ask.text), limit=MAX_PROMPT_CHARACTERS))
    return None


def _runs(ask: PromptText | Word) -> bool:
    """Does it make the agent work on the pull request's head?"""
    return isinstance(ask, PromptText) or ask.name is WordName.RETRY


def _place(delivered: Created | Edited) -> Place | None:
    match delivered:
        case ReviewCommentCreated(place=place) | ReviewCommentEdited(place=place):
            return place
        case _:
            return None
