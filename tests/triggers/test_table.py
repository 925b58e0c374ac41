"""Event × text × author × permission × configuration → decision, rule and reason.

Each value of a column either passes or fails one rule, in words that are written here. A row is
one value of each column; the first rule in order that one of them fails is the decision. So what
a row expects follows from its cells, and the code under test has no part in it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.config import RepoConfig
from orchestrator.config.repo_config import LimitsConfig, Triggers
from orchestrator.session.values import UserId
from orchestrator.triggers import (
    NO_PERMISSION,
    Accepted,
    Decision,
    Ignored,
    NeedsHead,
    NeedsPermission,
    NeedsTeam,
    Permission,
    Refused,
)

ORDER = (
    "event", "own", "label", "assignee", "mention", "edit", "sender", "configuration",
    "permission", "people", "text", "often", "head",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fails:
    """This cell fails `rule`: `outcome` is `ignored`, `refused` (in silence) or `told`."""

    rule: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    name: str
    fails: Fails | None = None
    value: Any = None


def ignored(rule: str, reason: str) -> Fails:
    return Fails(rule=rule, outcome="ignored", reason=reason)


def told(rule: str, reason: str) -> Fails:
    return Fails(rule=rule, outcome="told", reason=reason)


ASKS = "asks"
EDITED_ASKED = ignored("edit", "asked already before this edit")
FORK = told("head", "commits of a fork run only where they are named")
EVENTS = (
    Cell(name="issue opened"),
    Cell(name="issue title"),
    Cell(name="issue comment"),
    Cell(name="pull request opened"),
    Cell(name="pull request comment"),
    Cell(name="review"),
    Cell(name="review comment"),
    Cell(name="comment edited, adds it"),
    Cell(name="review edited, adds it"),
    Cell(name="comment edited, had it", fails=EDITED_ASKED),
    Cell(name="title edited, body has it", fails=EDITED_ASKED),
    Cell(name="text of somebody else edited", fails=told("edit", "somebody else wrote")),
    Cell(name="fork opened", fails=FORK),
    Cell(name="fork comment", fails=FORK),
    Cell(name="fork review", fails=FORK),
    Cell(name="fork comment, approved head"),
    Cell(name="fork comment, approved and moved", fails=told("head", "head has moved from")),
    Cell(name="comment deleted", fails=ignored("event", "asks for nothing")),
    Cell(name="issue closed", fails=ignored("event", "asks for nothing")),
    Cell(name="review dismissed", fails=ignored("event", "asks for nothing")),
    Cell(name="starred", fails=ignored("event", "`star` events ask for nothing")),
)
QUOTED = "no mention of `@openinspect` outside code and quotes"
TEXTS = (
    Cell(name="mention", value="@openinspect fix it"),
    Cell(name="mention, in the middle", value="Please, @OpenInspect, fix it."),
    Cell(name="slash", value="/openinspect fix it"),
    Cell(name="options", value="@openinspect model=a/b effort=low fix it"),
    Cell(name="bot's login", value="@openinspect[bot] fix it"),
    Cell(name="nothing", value="fix it", fails=ignored("mention", QUOTED)),
    Cell(name="longer name", value="@openinspector fix it", fails=ignored("mention", QUOTED)),
    Cell(name="mail", value="me@openinspect.example", fails=ignored("mention", QUOTED)),
    Cell(name="quote", value="> @openinspect fix it", fails=ignored("mention", "inside a quote")),
    Cell(name="code", value="`@openinspect fix`", fails=ignored("mention", "inside code")),
    Cell(
        name="fence",
        value="```\n@openinspect fix\n```",
        fails=ignored("mention", "inside code, line 2"),
    ),
    Cell(
        name="hidden",
        value="<!-- @openinspect fix -->",
        fails=ignored("mention", "inside a hidden comment"),
    ),
    Cell(
        name="link's target",
        value="[x](https://x.example/@openinspect)",
        fails=ignored("mention", "no mention"),
    ),
    Cell(name="empty", value="@openinspect", fails=told("text", "nothing after the mention")),
    Cell(
        name="only hidden",
        value="@openinspect <!-- x -->",
        fails=told("text", "nothing after the mention"),
    ),
    Cell(name="too long", value="@openinspect " + "x" * 64_001, fails=told("text", "64,001")),
    Cell(name="misspelt", value="@openinspect sttop", fails=told("text", "Did you mean `stop`")),
    Cell(name="option", value="@openinspect modle=a/b x", fails=told("text", "`model=`")),
)
BOT = {"id": 500, "login": "helper[bot]", "type": "Bot"}
OWN = ignored("own", "written by this App")
NO_PERSON = ignored("sender", "no person")
AUTHORS = (
    Cell(name="a person"),
    Cell(name="a person like a bot", value={"login": "openinspect[bot]"}),
    Cell(name="our bot", value={"id": 999}, fails=OWN),
    Cell(
        name="our App for a person",
        value={"app": 4242},
        fails=OWN,
    ),
    Cell(name="a bot", value=BOT, fails=ignored("sender", "not listed in `triggers.apps`")),
    Cell(
        name="another App",
        value={**BOT, "app": 78},
        fails=ignored("sender", "App 78 and not listed"),
    ),
    Cell(name="an organization", value={"type": "Organization"}, fails=NO_PERSON),
    Cell(name="a mannequin", value={"type": "Mannequin"}, fails=NO_PERSON),
)


def has(role: str, **can: bool) -> Permission:
    return Permission(user_id=UserId(101), role=role, **{"push": False, **can})


PERMISSIONS = (
    Cell(name="write", value=has("write", push=True)),
    Cell(name="maintain", value=has("maintain", push=True, maintain=True)),
    Cell(name="admin", value=has("admin", push=True, maintain=True, admin=True)),
    Cell(name="custom role that pushes", value=has("auditor", push=True)),
    Cell(name="read", value=has("read"), fails=told("permission", "has read access")),
    Cell(name="triage", value=has("triage"), fails=told("permission", "has triage access")),
    Cell(name="admin by name only", value=has("admin"), fails=told("permission", "needed")),
    Cell(name="nobody", value=NO_PERMISSION, fails=told("permission", "has no access")),
    Cell(
        name="another account of that login",
        value=replace(has("admin", push=True), user_id=UserId(102)),
        fails=Fails(rule="permission", outcome="refused", reason="another account"),
    ),
)


def config(lately: int = 0, team: bool | None = None, **triggers: Any) -> Any:
    return RepoConfig(triggers=Triggers(**triggers)), lately, team


CONFIGS = (
    Cell(name="defaults", value=config()),
    Cell(name="listed person", value=config(users=("Mona", "x"))),
    Cell(name="member of a team", value=config(users=("x",), teams=("core",), team=True)),
    Cell(name="an App is listed", value=config(apps=(77,))),
    Cell(name="19 in this hour", value=config(lately=19)),
    Cell(
        name="off",
        value=config(mention_enabled=False),
        fails=ignored("configuration", "mentions are switched off"),
    ),
    Cell(
        name="not listed",
        value=config(users=("x",)),
        fails=told("people", "only certain people"),
    ),
    Cell(
        name="in no team",
        value=config(teams=("core",), team=False),
        fails=told("people", "`triggers.mention.teams`"),
    ),
    Cell(name="20 in this hour", value=config(lately=20), fails=told("often", "20 requests")),
)


def payload(say: Any, event: str, text: str, author: dict[str, Any]) -> tuple[str, Any]:
    """One delivery with this text, by this author."""
    fork = 8888 if event.startswith("fork") else 7001
    name, document = {
        "issue opened": lambda: ("issues", say.opened("T", text)),
        "issue title": lambda: ("issues", say.opened(text, "")),
        "issue comment": lambda: ("issue_comment", say.commented(text)),
        "pull request opened": lambda: ("pull_request", say.pull_opened(text)),
        "pull request comment": lambda: ("issue_comment", say.commented(text, on_pull=True)),
        "review": lambda: ("pull_request_review", say.reviewed(text)),
        "review comment": lambda: ("pull_request_review_comment", say.review_commented(text)),
        "comment edited, adds it": lambda: (
            "issue_comment",
            say.edited(say.commented(text), body="x"),
        ),
        "review edited, adds it": lambda: (
            "pull_request_review",
            say.edited(say.reviewed(text), body="x"),
        ),
        "comment edited, had it": lambda: (
            "issue_comment",
            say.edited(say.commented(text), body="@openinspect do"),
        ),
        "title edited, body has it": lambda: (
            "issues",
            say.edited(say.opened("T", text), title="S"),
        ),
        "text of somebody else edited": lambda: (
            "issue_comment",
            say.edited(say.commented(text), body="x"),
        ),
        "fork opened": lambda: ("pull_request", say.pull_opened(text, head=fork)),
        "fork comment": lambda: ("issue_comment", say.commented(text, on_pull=True)),
        "fork review": lambda: ("pull_request_review", say.reviewed(text, head=fork)),
        "fork comment, approved head": lambda: ("issue_comment", say.commented(text, on_pull=True)),
        "fork comment, approved and moved": lambda: (
            "issue_comment",
            say.commented(text, on_pull=True),
        ),
        "comment deleted": lambda: ("issue_comment", {**say.commented(text), "action": "deleted"}),
        "issue closed": lambda: ("issues", {**say.opened("T", text), "action": "closed"}),
        "review dismissed": lambda: (
            "pull_request_review",
            {**say.reviewed(text), "action": "dismissed"},
        ),
        "starred": lambda: ("star", say.envelope("created")),
    }[event]()
    who = {"id": 101, "login": "mona", "type": "User", **author}
    app = who.pop("app", None)
    document["sender"] = dict(who)
    for part in ("comment", "review", "issue", "pull_request"):
        if part in document:
            stranger = {"id": 666, "login": "drive-by", "type": "User"}
            document[part]["user"] = stranger if "somebody else" in event else dict(who)
            document[part]["performed_via_github_app"] = {"id": app} if app else None
    return name, document


def decided(say: Any, row: tuple[Cell, ...]) -> Decision:
    event, text, author, permission, configuration = row
    chosen, lately, team = configuration.value
    name, document = payload(say, event.name, text.value, author.value or {})
    head = say.OWN_HEAD
    approved = ""
    if event.name.startswith("fork"):
        head = replace(head, repository=8888, repository_name="e/f")
        approved = {"fork comment, approved head": head.commit}.get(event.name, "")
        if event.name.endswith("moved"):
            approved = "c" * 40
    given = permission.value
    if given.user_id == 101 and author.value:
        given = replace(given, user_id=UserId(author.value.get("id", 101)))
    return say.decide(
        name, document, permission=given, config=chosen, head=head, team=team, lately=lately,
        approved=approved,
    )  # fmt: skip


def check(say: Any, row: tuple[Cell, ...]) -> str:
    """Raises where the decision is not the one that the cells say; else what it was."""
    failures = [cell.fails for cell in row if cell.fails is not None]
    first = min(failures, key=lambda fails: ORDER.index(fails.rule), default=None)
    decision = decided(say, row)
    names = " × ".join(cell.name for cell in row)
    if first is None:
        assert isinstance(decision, Accepted), f"{names}: {decision}"
        return "accepted"
    assert isinstance(decision, Ignored | Refused), f"{names}: {decision}"
    outcome = "ignored"
    if isinstance(decision, Refused):
        outcome = "told" if decision.tell else "refused"
    assert (decision.rule, outcome) == (first.rule, first.outcome), names
    assert first.reason in decision.reason, names
    assert [rule.passed for rule in decision.rules] == [True] * (len(decision.rules) - 1) + [False]
    assert decision.rules[-1].name == first.rule
    return first.rule


COLUMNS = (EVENTS, TEXTS, AUTHORS, PERMISSIONS, CONFIGS)
BASE = tuple(column[0] for column in COLUMNS)


def fits(row: tuple[Cell, ...]) -> bool:
    """An edit has a text before, a title no lines, and a person like a bot is not on the list."""
    event, text, author, _, configuration = row
    if event.name in ("issue title", "title edited, body has it") and (
        (text.fails is not None and text.fails.rule == "mention") or "\n" in text.value
    ):
        return False
    if "edited" in event.name and text.fails is not None and text.fails.rule == "mention":
        return "had it" in event.name or "adds it" in event.name
    return not (author.value and configuration.name == "listed person")


ROWS = [
    row
    for first, second in itertools.combinations(range(len(COLUMNS)), 2)
    for one in COLUMNS[first]
    for other in COLUMNS[second]
    if fits(
        row := tuple(
            one if n == first else other if n == second else cell for n, cell in enumerate(BASE)
        )
    )
]
"""Every pair of values of two columns, the others as they are where all is well."""


def test_there_are_enough_rows() -> None:
    assert len({tuple(cell.name for cell in row) for row in ROWS}) > 300


@pytest.mark.parametrize("event", [cell.name for cell in EVENTS])
def test_every_pair_of_values(say: Any, event: str) -> None:
    decided = Counter(check(say, row) for row in ROWS if row[0].name == event)
    assert decided.total() >= 30


def test_all_columns_at_once(say: Any) -> None:
    """A part of the whole product, walked with a step that shares no factor with its size."""
    size = 1
    for column in COLUMNS:
        size *= len(column)
    seen: Counter[str] = Counter()
    for number in range(0, size, 131):
        row, rest = [], number
        for column in COLUMNS:
            rest, at = divmod(rest, len(column))
            row.append(column[at])
        if fits(tuple(row)):
            seen[check(say, tuple(row))] += 1
    assert seen.total() > 1_000
    assert set(seen) >= {"event", "own", "mention", "edit", "sender", "configuration"}


ALONE: dict[str, Callable[[Any], tuple[Decision, Decision]]] = {
    # Of a label, an assignment and a pull request, which the columns above do not have.
    "label": lambda say: (
        say.decide(
            "issues",
            say.marked("labeled", say.issue("do"), label={"name": "agent"}),
            config=RepoConfig(triggers=Triggers(label="other")),
        ),
        say.decide(
            "issues",
            say.marked("labeled", say.issue("do"), label={"name": "agent"}),
            config=RepoConfig(triggers=Triggers(label="Agent")),
        ),
    ),
    "assignee": lambda say: (
        say.decide(
            "issues",
            say.marked("assigned", say.issue("do"), assignee={"login": "alias"}),
            config=RepoConfig(triggers=Triggers(assign="other")),
        ),
        say.decide(
            "issues",
            say.marked("assigned", say.issue("do"), assignee={"login": "alias"}),
            config=RepoConfig(triggers=Triggers(assign="Alias")),
        ),
    ),
}


@pytest.mark.parametrize("rule", ORDER)
def test_each_rule_has_a_case_that_only_it_decides(say: Any, rule: str) -> None:
    """With that one cell all is refused; with the column's first value instead all is well."""
    if rule in ALONE:
        refused, taken = ALONE[rule](say)
        assert isinstance(refused, Ignored) and refused.rule == rule
        assert isinstance(taken, Accepted)
        return
    alone = [
        row
        for row in ROWS
        if [cell.fails.rule for cell in row if cell.fails is not None] == [rule]
        and sum(cell is not base for cell, base in zip(row, BASE, strict=True)) == 1
    ]
    assert alone
    assert {check(say, row) for row in alone} == {rule}
    assert check(say, BASE) == "accepted"


def test_what_is_asked_of_github_is_asked_in_order(say: Any) -> None:
    """Permission first, then the team, then the head; and nothing for who may not ask."""
    config = RepoConfig(triggers=Triggers(teams=("core",)))
    on_pull = say.commented("@openinspect fix", on_pull=True)

    def needs(**known: Any) -> Decision:
        return say.decide(
            "issue_comment", on_pull, config=config, **{"permission": None, "head": None, **known}
        )

    assert isinstance(needs(), NeedsPermission)
    assert isinstance(needs(permission=NO_PERMISSION), Refused)
    assert isinstance(needs(permission=say.WRITE), NeedsTeam)
    assert isinstance(needs(permission=say.WRITE, team=False), Refused)
    assert isinstance(needs(permission=say.WRITE, team=True), NeedsHead)
    assert isinstance(needs(permission=say.WRITE, team=True, head=say.OWN_HEAD), Accepted)


PUSHED = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
SAID = datetime(2026, 11, 24, 14, 2, 11, tzinfo=UTC)
NAMED = [
    ("run aaaaaaa", {}, "accepted"),
    ("run aaaaaaa fix it", {}, "accepted"),
    ("run " + "a" * 40, {}, "accepted"),
    ("run aaaaaab1", {}, "is not the head of this pull request"),
    ("run aaaaaaa", {"commit": "b" * 40}, "is not the head of this pull request"),
    ("run aaaaaaa", {"pushed_at": SAID}, "was pushed to since"),
    ("run aaaaaaa", {"pushed_at": datetime(2026, 11, 25, tzinfo=UTC)}, "was pushed to since"),
    ("run aaaaaaa", {"pushed_at": None}, "the fork of this pull request is gone"),
    ("run aaaaaaa", {"repository": None}, "the fork of this pull request is gone"),
]


@pytest.mark.parametrize(("words", "head", "expected"), NAMED)
def test_a_fork_runs_where_its_head_is_named(
    say: Any, words: str, head: dict[str, Any], expected: str
) -> None:
    words = words.replace("aaaaaaa", "a1a1a1a")
    where = replace(
        say.OWN_HEAD, repository=8888, repository_name="e/f", commit="a1a1a1a" + "a" * 33,
        pushed_at=PUSHED,
    )  # fmt: skip
    if len(words) > 40:
        words = f"run {where.commit}"
    where = replace(where, **head)
    # What a delivery says of the head is of its own moment; only what is asked now counts.
    for event, document in (
        ("issue_comment", say.commented(f"@openinspect {words}", on_pull=True)),
        ("pull_request_review", say.reviewed(f"@openinspect {words}", head=8888)),
    ):
        assert isinstance(say.decide(event, document, head=None), NeedsHead)
        decision = say.decide(event, document, head=where)
        if expected == "accepted":
            assert isinstance(decision, Accepted)
            assert (decision.asked.start, decision.asked.from_fork) == (where.commit, True)
        else:
            assert isinstance(decision, Refused) and decision.rule == "head"
            assert expected in decision.reason


def test_an_app_names_no_commit_of_a_fork(say: Any) -> None:
    sender = {"id": 500, "login": "helper[bot]", "type": "Bot"}
    document = say.commented(
        "@openinspect run a1a1a1a", on_pull=True, sender=sender,
        performed_via_github_app={"id": 77},
    )  # fmt: skip
    where = replace(say.OWN_HEAD, repository=8888, commit="a1a1a1a" + "a" * 33)
    decision = say.decide(
        "issue_comment", document, head=where, config=RepoConfig(triggers=Triggers(apps=(77,)))
    )
    assert isinstance(decision, Refused) and "only a person" in decision.reason


def test_run_on_an_issue_says_what_it_is_for(say: Any) -> None:
    decision = say.decide("issue_comment", say.commented("@openinspect run a1a1a1a"))
    assert isinstance(decision, Refused) and "is for pull requests" in decision.reason


def test_refusals_in_silence_and_how_often_is_configured(say: Any) -> None:
    silent = RepoConfig(triggers=Triggers(refusals="silent", users=("x",)))
    payload = say.commented("@openinspect fix")
    for permission, rule in ((NO_PERMISSION, "permission"), (say.WRITE, "people")):
        decision = say.decide("issue_comment", payload, permission=permission, config=silent)
        assert isinstance(decision, Refused)
        assert (decision.rule, decision.tell) == (rule, False)
    few = RepoConfig(limits=LimitsConfig(thread_per_hour=1), lines={"limits.thread_per_hour": 9})
    decision = say.decide("issue_comment", payload, config=few, lately=1)
    assert isinstance(decision, Refused) and decision.rules[-1].config_line == 9
    for word in ("stop", "cancel", "archive"):
        ends = say.commented(f"@openinspect {word}")
        assert isinstance(say.decide("issue_comment", ends, config=few, lately=99), Accepted)


def test_permission_levels(say: Any) -> None:
    payload = say.commented("@openinspect fix")
    for needed, least in (("write", 0), ("maintain", 1), ("admin", 2)):
        config = RepoConfig(
            triggers=Triggers(permission=needed), lines={"triggers.mention.permission": 7}
        )
        roles = [cell.value for cell in PERMISSIONS[:3]]
        for at, permission in enumerate(roles):
            decision = say.decide("issue_comment", payload, permission=permission, config=config)
            assert isinstance(decision, Accepted) is (at >= least), (needed, permission.role)
            if isinstance(decision, Refused):
                assert decision.reason.endswith(
                    "(rule `triggers.mention.permission`, .openinspect/config.yml line 7)"
                )
