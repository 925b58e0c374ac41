"""Was something asked, and may it be? The ordered rules; the first that fails is the answer.

Rules that need nothing but the delivery come first, so that an ignored one costs no API call.
People are told of a refusal only after GitHub said who they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.config import DEFAULTS, RepoConfig

from . import reasons
from .asked import Asked, key_of, source_of
from .delivery import (
    Delivered,
    Edited,
    IssueAssigned,
    IssueLabeled,
    NotForUs,
    Place,
    PullRequestClosed,
    Requested,
    ReviewCommentCreated,
    ReviewCommentEdited,
    Told,
)
from .finding import ask_of_issue, ask_of_request, asked_before, ends, find, runs, text_problem
from .heads import Runs, what_runs
from .known import BotIdentity, Known
from .permission import NO_PERMISSION
from .ruling import Accepted, Decision, NeedsPermission, NeedsTeam, Rules
from .unclear import Unclear
from .words import Ask


@dataclass(slots=True, kw_only=True)
class _Case:
    """One delivery on its way through the rules."""

    told: Told
    bot: BotIdentity
    config: RepoConfig
    known: Known
    rules: Rules
    ask: Ask | None = None
    listed: int | None = None
    runs: Runs | None = None


def trigger(
    delivered: Delivered | NotForUs,
    *,
    bot: BotIdentity,
    config: RepoConfig,
    known: Known | None = None,
) -> Decision:
    match delivered:
        case NotForUs():
            return Rules(DEFAULTS).ignored("event", delivered.reason)
        case PullRequestClosed():
            rules = Rules(config)
            rules.passed("event", f"`{delivered.envelope.event}.closed`")
            return rules.ignored("action", reasons.CLOSED_ASKS_NOTHING)
        case _:
            case_ = _Case(
                told=delivered, bot=bot, config=config, known=known or Known(), rules=Rules(config)
            )
            for rule in RULES:
                decision = rule(case_)
                if decision is not None:
                    return decision
            return _accepted(case_)


def _event(case: _Case) -> Decision | None:
    envelope = case.told.envelope
    case.rules.passed("event", f"`{envelope.event}.{envelope.action}`")
    return None


def _own(case: _Case) -> Decision | None:
    """Anything that our App sent or wrote, whoever edits it later."""
    told, bot = case.told, case.bot
    written, sender = told.written, told.envelope.sender
    author = written.author.person.id if written.author else None
    by_app = written.app == bot.app_id
    by_bot = bot.bot_user_id is not None and bot.bot_user_id in (sender.person.id, author)
    if by_app or by_bot:
        return case.rules.ignored("own", reasons.WRITTEN_BY_THIS_APP)
    case.rules.passed("own", reasons.NOT_BY_THIS_APP)
    return None


def _asking(case: _Case) -> Decision | None:
    """Is anything asked, in whichever way?"""
    told, triggers = case.told, case.config.triggers
    match told:
        case IssueLabeled():
            return _marked(case, told, "label", told.label, triggers.label, "triggers.label.name")
        case IssueAssigned():
            key = "triggers.assign.user"
            return _marked(case, told, "assignee", told.assignee, triggers.assign, key)
        case Requested():
            case.ask = ask_of_request(told)
            case.rules.passed("request", reasons.requested(told.token))
            return None
        case _:
            return _mentioned(case)


def _mentioned(case: _Case) -> Decision | None:
    written, title, name = case.told.written, case.told.thread.title, case.bot.name
    found = find(written, title, name)
    if not found.any.asked:
        return case.rules.ignored("mention", reasons.no_mention(name, found.any))
    case.rules.passed("mention", reasons.mention(name, found.any, in_title=found.in_title))
    case.ask = found.ask(title, written.body)
    return None


def _marked(
    case: _Case, told: IssueLabeled | IssueAssigned, rule: str, mark: str, wanted: str, key: str
) -> Decision | None:
    if not wanted or mark.lower() != wanted.lower():
        return case.rules.ignored(rule, reasons.other_mark(rule, mark, wanted), key)
    if not told.thread.open:
        return case.rules.ignored(rule, reasons.CLOSED_ISSUE, key)
    author, sender = told.written.author, told.envelope.sender
    by_author = author is not None and author.person.id == sender.person.id
    if by_author and find(told.written, told.thread.title, case.bot.name).any.asked:
        return case.rules.ignored(rule, reasons.TEXT_ASKS_BY_ITSELF, key)
    case.rules.passed(rule, reasons.marked(rule, mark), key)
    case.ask = ask_of_issue(told)
    return None


def _edit(case: _Case) -> Decision | None:
    told = case.told
    if not isinstance(told, Edited):
        return None
    sender, author = told.envelope.sender, told.written.author
    if asked_before(told, case.bot.name):
        return case.rules.ignored("edit", reasons.ASKED_BEFORE_THE_EDIT)
    if author is None or author.person.id != sender.person.id:
        return case.rules.refused("edit", reasons.edited_by_another(sender), tell=True)
    case.rules.passed("edit", reasons.EDIT_ADDS_THE_MENTION)
    return None


def _sender(case: _Case) -> Decision | None:
    sender, app = case.told.envelope.sender, case.told.written.app
    if isinstance(case.told, IssueLabeled | IssueAssigned):
        app = None  # the App that wrote the issue is not who marked it
    key = "triggers.apps" if app is not None and sender.type == "Bot" else ""
    if sender.type == "Bot" and app is not None and app in case.config.triggers.apps:
        case.listed = app
    elif sender.type != "User":
        return case.rules.ignored("sender", reasons.not_a_person(sender, app), key)
    case.rules.passed("sender", reasons.sender(sender, case.listed), key)
    return None


def _configuration(case: _Case) -> Decision | None:
    if isinstance(case.told, IssueLabeled | IssueAssigned):
        return None
    key = "triggers.mention.enabled"
    if not case.config.triggers.mention_enabled:
        return case.rules.ignored("configuration", reasons.MENTIONS_ARE_OFF, key)
    case.rules.passed("configuration", reasons.MENTIONS_ARE_ON, key)
    return None


def _permission(case: _Case) -> Decision | None:
    sender, permission = case.told.envelope.sender, case.known.permission
    if case.listed is not None:
        case.rules.passed("permission", reasons.listed_app(case.listed), "triggers.apps")
        return None
    if permission is None:
        return NeedsPermission(
            login=sender.person.login, user_id=sender.person.id, rules=case.rules.so_far
        )
    key = "triggers.mention.permission"
    if permission.user_id != sender.person.id and permission != NO_PERMISSION:
        return case.rules.refused("permission", reasons.other_account(sender), tell=False)
    needed = case.config.triggers.permission
    if not permission.reaches(needed):
        line = case.config.lines.get(key)
        reason = reasons.not_enough(sender, permission, needed, case.told.envelope.repository, line)
        return case.rules.refused("permission", reason, key, tell=_told_of_refusals(case))
    case.rules.passed("permission", reasons.enough(permission, needed), key)
    return None


def _people(case: _Case) -> Decision | None:
    triggers, sender = case.config.triggers, case.told.envelope.sender
    if case.listed is not None or not (triggers.users or triggers.teams):
        return None
    if sender.person.login.lower() in {user.lower() for user in triggers.users}:
        case.rules.passed("people", reasons.among(sender), "triggers.mention.users")
        return None
    key = "triggers.mention.teams" if triggers.teams else "triggers.mention.users"
    if triggers.teams and case.known.team is None:
        return NeedsTeam(login=sender.person.login, teams=triggers.teams, rules=case.rules.so_far)
    if not (triggers.teams and case.known.team):
        reason = reasons.not_among(sender, case.config)
        if case.known.members_unseen:
            reason = f"{reason}. {reasons.MEMBERS_UNSEEN}"
        return case.rules.refused("people", reason, key, tell=_told_of_refusals(case))
    case.rules.passed("people", reasons.in_team(sender), key)
    return None


def _told_of_refusals(case: _Case) -> bool:
    return case.config.triggers.refusals == "once"


def _text(case: _Case) -> Decision | None:
    assert case.ask is not None
    problem = text_problem(case.ask, case.bot.name)
    if problem is not None:
        return case.rules.refused("text", problem, tell=True)
    assert not isinstance(case.ask, Unclear)
    case.rules.passed("text", reasons.text(case.ask))
    return None


def _often(case: _Case) -> Decision | None:
    assert case.ask is not None
    most, key = case.config.limits.thread_per_hour, "limits.thread_per_hour"
    if case.known.lately >= most and not ends(case.ask):
        return case.rules.refused("often", reasons.too_often(most), key, tell=True)
    case.rules.passed("often", reasons.not_too_often(case.known.lately, most), key)
    return None


def _head(case: _Case) -> Decision | None:
    assert case.ask is not None
    if not runs(case.ask):
        return None
    found = what_runs(
        case.rules,
        case.told,
        case.ask,
        head=case.known.head,
        approved=case.known.approved,
        by_person=case.listed is None,
        name=case.bot.name,
    )
    if not isinstance(found, Runs):
        return found
    case.runs = found
    return None


RULES: tuple[Callable[[_Case], Decision | None], ...] = (
    _event,
    _own,
    _asking,
    _edit,
    _sender,
    _configuration,
    _permission,
    _people,
    _text,
    _often,
    _head,
)


def _accepted(case: _Case) -> Accepted:
    told, ask = case.told, case.ask
    assert ask is not None and not isinstance(ask, Unclear)
    envelope, thread = told.envelope, told.thread
    asked = Asked(
        key=key_of(told),
        author=envelope.sender.person,
        ask=ask,
        source=source_of(told.written, thread),
        repository=envelope.repository,
        installation=envelope.installation,
        thread=thread,
        head=case.runs.head if case.runs is not None else None,
        start=case.runs.start if case.runs is not None else "",
        app=case.listed,
        place=_place(told),
    )
    return Accepted(asked=asked, rules=case.rules.so_far)


def _place(told: Told) -> Place | None:
    match told:
        case ReviewCommentCreated(place=place) | ReviewCommentEdited(place=place):
            return place
        case _:
            return None
