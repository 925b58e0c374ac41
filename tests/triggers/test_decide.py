"""Event × text × author × permission × configuration → decision and the rule that decided."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.config import RepoConfig
from orchestrator.config.repo_config import Triggers
from orchestrator.session.values import UserId
from orchestrator.triggers import (
    NO_PERMISSION,
    Accepted,
    BotIdentity,
    Decision,
    Ignored,
    NeedsHead,
    NeedsPermission,
    Permission,
    PromptText,
    Refused,
    Word,
    delivered,
    record,
    record_from_json,
)

OFF = RepoConfig(triggers=Triggers(mention_enabled=False), lines={"triggers.mention.enabled": 7})
LISTED = RepoConfig(triggers=Triggers(apps=(77,)), lines={"triggers.apps": 3})


def outcome(decision: Decision) -> str:
    match decision:
        case Accepted():
            return "accepted"
        case NeedsPermission():
            return "permission?"
        case NeedsHead():
            return "head?"
        case Ignored():
            return f"ignored: {decision.rule}"
        case Refused():
            return f"refused: {decision.rule}" + (" (told)" if decision.tell else "")


def test_every_way_to_ask_is_taken(say: Any) -> None:
    for event, payload, key in [
        ("issues", say.opened("T", "@openinspect fix"), "issue-5001"),
        ("issues", say.opened("@openinspect fix the test", None), "issue-5001"),
        ("issue_comment", say.commented("@openinspect fix"), "comment-9001"),
        ("issue_comment", say.commented("@openinspect fix", on_pull=True), "comment-9001"),
        ("issue_comment", say.commented("/openinspect fix"), "comment-9001"),
        ("pull_request", say.pull_opened("@openinspect fix"), "pull-6001"),
        ("pull_request_review", say.reviewed("@openinspect fix"), "review-9001"),
        (
            "pull_request_review_comment",
            say.review_commented("@openinspect fix"),
            "review-comment-9001",
        ),
        ("issues", say.edited(say.opened("T", "@openinspect fix"), body="no"), "issue-5001"),
        ("issues", say.edited(say.opened("@openinspect", "do"), title="no"), "issue-5001"),
        ("issue_comment", say.edited(say.commented("@openinspect fix"), body="no"), "comment-9001"),
        ("pull_request", say.edited(say.pull_opened("@openinspect fix"), body="no"), "pull-6001"),
        (
            "pull_request_review",
            say.edited(say.reviewed("@openinspect fix"), body="no"),
            "review-9001",
        ),
        (
            "pull_request_review_comment",
            say.edited(say.review_commented("@openinspect fix"), body="no"),
            "review-comment-9001",
        ),
    ]:
        decision = say.decide(event, payload)
        assert isinstance(decision, Accepted), (event, payload, decision)
        assert decision.asked.key == key
        assert all(rule.passed for rule in decision.rules)


def test_the_text_is_frozen_as_it_stood(say: Any) -> None:
    body = "> it fails\n\n@openinspect fix <!-- evil --> it"
    decision = say.decide("issue_comment", say.commented(body))
    assert isinstance(decision, Accepted)
    asked = decision.asked
    assert asked.source.sha256 == hashlib.sha256(body.encode()).hexdigest()
    assert asked.source.updated_at.isoformat() == "2026-11-24T14:02:11+00:00"
    assert asked.source.thread == 41
    assert asked.author.id == 101
    assert isinstance(asked.ask, PromptText)
    assert "evil" not in asked.ask.text
    assert asked.ask.hidden == len("<!-- evil -->")


def test_a_title_with_a_mention_is_told_with_the_body(say: Any) -> None:
    decision = say.decide("issues", say.opened("@openinspect fix the test", "It is flaky."))
    assert isinstance(decision, Accepted)
    assert decision.asked.ask == PromptText(text="fix the test\n\nIt is flaky.")


def test_a_review_comment_knows_its_lines_and_its_thread(say: Any) -> None:
    decision = say.decide(
        "pull_request_review_comment",
        say.review_commented("@openinspect fix", in_reply_to_id=8000),
    )
    assert isinstance(decision, Accepted)
    assert decision.asked.place is not None
    assert (decision.asked.place.path, decision.asked.place.line) == ("retry.py", 12)
    assert decision.asked.source.in_reply_to == 8000
    assert decision.asked.thread.number == 128


IGNORED_ACTIONS = [
    ("issues", action)
    for action in (
        "assigned", "unassigned", "labeled", "unlabeled", "closed", "reopened", "deleted",
        "transferred", "pinned", "unpinned", "locked", "unlocked", "milestoned", "demilestoned",
        "typed", "untyped",
    )
] + [
    ("issue_comment", "deleted"),
    ("pull_request", "synchronize"),
    ("pull_request", "reopened"),
    ("pull_request", "labeled"),
    ("pull_request_review", "dismissed"),
    ("pull_request_review_comment", "deleted"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "action"), IGNORED_ACTIONS)
def test_other_actions_ask_nothing(say: Any, event: str, action: str) -> None:
    payload = {**say.opened("T", "@openinspect fix"), "action": action}
    assert outcome(say.decide(event, payload)) == "ignored: event"


@pytest.mark.parametrize(
    "event", ["push", "ping", "check_run", "installation", "star", "workflow_run", "label", "fork"]
)
def test_other_events_ask_nothing(say: Any, event: str) -> None:
    decision = say.decide(event, {"zen": "x"}, permission=None)
    assert outcome(decision) == "ignored: event"
    assert f"`{event}`" in decision.reason


def test_a_closed_pull_request_asks_nothing(say: Any) -> None:
    payload = {**say.pull_opened("@openinspect fix"), "action": "closed"}
    assert outcome(say.decide("pull_request", payload)) == "ignored: action"


BOT = {"id": 500, "login": "helper[bot]", "type": "Bot"}
OURS = {"id": 999, "login": "openinspect[bot]", "type": "Bot"}
APP = {"id": 77}

AUTHORS = [
    ({"sender": OURS}, "ignored: own"),
    ({"performed_via_github_app": {"id": 4242}}, "ignored: own"),
    ({"sender": {**OURS, "type": "User"}}, "ignored: own"),
    ({"sender": BOT}, "ignored: sender"),
    ({"sender": BOT, "performed_via_github_app": APP}, "ignored: sender"),
    ({"sender": {"id": 9, "login": "acme", "type": "Organization"}}, "ignored: sender"),
    ({"sender": {"id": 9, "login": "old", "type": "Mannequin"}}, "ignored: sender"),
    ({"sender": {"id": 101, "login": "trusted[bot]", "type": "User"}}, "accepted"),
    ({"performed_via_github_app": APP}, "accepted"),
    ({}, "accepted"),
]


@pytest.mark.parametrize(("changes", "expected"), AUTHORS)
def test_who_may_be_heard(say: Any, changes: dict[str, Any], expected: str) -> None:
    decision = say.decide("issue_comment", say.commented("@openinspect fix", **changes))
    assert outcome(decision) == expected


def test_our_own_text_edited_by_a_person_stays_ours(say: Any) -> None:
    payload = say.edited(say.commented("@openinspect fix", user=OURS), body="x")
    payload["comment"]["user"] = OURS
    assert outcome(say.decide("issue_comment", payload)) == "ignored: own"


def test_without_a_known_bot_user_the_app_id_still_counts(say: Any) -> None:
    bot = BotIdentity(name="openinspect", app_id=4242, bot_user_id=None)
    payload = say.commented("@openinspect fix", performed_via_github_app={"id": 4242})
    assert outcome(say.decide("issue_comment", payload, bot=bot)) == "ignored: own"


LISTED_APPS = [
    ({"sender": BOT, "performed_via_github_app": APP}, "accepted"),
    ({"sender": BOT, "performed_via_github_app": {"id": 78}}, "ignored: sender"),
    ({"sender": BOT}, "ignored: sender"),
    ({"sender": OURS, "performed_via_github_app": APP}, "ignored: own"),
]


@pytest.mark.parametrize(("changes", "expected"), LISTED_APPS)
def test_apps_are_known_by_listed_id_only(say: Any, changes: dict[str, Any], expected: str) -> None:
    payload = say.commented("@openinspect fix", **changes)
    assert outcome(say.decide("issue_comment", payload, config=LISTED, permission=None)) == expected


PERMISSIONS = [
    (None, "permission?"),
    (Permission(user_id=UserId(101), push=True, role="write"), "accepted"),
    (Permission(user_id=UserId(101), push=True, role="maintain"), "accepted"),
    (Permission(user_id=UserId(101), push=True, role="admin"), "accepted"),
    (Permission(user_id=UserId(101), push=True, role="custom-role"), "accepted"),
    (Permission(user_id=UserId(101), push=False, role="read"), "refused: permission (told)"),
    (Permission(user_id=UserId(101), push=False, role="triage"), "refused: permission (told)"),
    # The role's name grants nothing: only the capability does.
    (Permission(user_id=UserId(101), push=False, role="admin"), "refused: permission (told)"),
    (Permission(user_id=UserId(102), push=True, role="admin"), "refused: permission"),
    (Permission(user_id=None, push=True, role="admin"), "refused: permission"),
    (NO_PERMISSION, "refused: permission (told)"),
]


@pytest.mark.parametrize(("permission", "expected"), PERMISSIONS)
def test_permission(say: Any, permission: Permission | None, expected: str) -> None:
    payload = say.commented("@openinspect fix")
    payload["comment"]["author_association"] = "OWNER"
    assert outcome(say.decide("issue_comment", payload, permission=permission)) == expected


@pytest.mark.parametrize(
    "word", ["stop", "cancel", "archive", "status", "retry", "help", "why", "config", "budget +2"]
)
def test_words_need_permission_too(say: Any, word: str) -> None:
    payload = say.commented(f"@openinspect {word}")
    assert outcome(say.decide("issue_comment", payload, permission=None)) == "permission?"
    taken = say.decide("issue_comment", payload)
    assert isinstance(taken, Accepted)
    assert isinstance(taken.asked.ask, Word)
    assert taken.asked.ask.name == word.split()[0]


FREE = [
    ("issue_comment", "commented", "no mention"),
    ("issue_comment", "commented", "> @openinspect quoted"),
    ("issue_comment", "commented", "`@openinspect`"),
    ("pull_request_review", "reviewed", None),
    ("pull_request_review", "reviewed", ""),
]


@pytest.mark.parametrize(("event", "make", "body"), FREE)
def test_what_is_not_taken_costs_no_call(say: Any, event: str, make: str, body: str) -> None:
    payload = getattr(say, make)(body)
    decision = say.decide(event, payload, permission=None, head=None)
    assert isinstance(decision, Ignored | Refused)


EDITS = [
    ("@openinspect fix", {"body": "fix"}, "accepted"),
    ("@openinspect fix", {"body": "`@openinspect` fix"}, "accepted"),
    ("@openinspect fix", {"body": "> @openinspect fix"}, "accepted"),
    ("@openinspect fix it", {"body": "@openinspect fix"}, "ignored: edit"),
    ("/openinspect fix it", {"body": "@openinspect fix"}, "ignored: edit"),
    ("@openinspect fix", {}, "ignored: edit"),
    ("fix", {"body": "@openinspect fix"}, "ignored: mention"),
]


@pytest.mark.parametrize(("body", "before", "expected"), EDITS)
def test_edits(say: Any, body: str, before: dict[str, str], expected: str) -> None:
    payload = say.edited(say.commented(body), **before)
    assert outcome(say.decide("issue_comment", payload)) == expected


def test_an_issue_whose_title_changes_is_not_asked_again(say: Any) -> None:
    payload = say.edited(say.opened("New title", "@openinspect fix"), title="Old title")
    assert outcome(say.decide("issues", payload)) == "ignored: edit"


def test_a_mention_added_to_the_text_of_another_is_refused(say: Any) -> None:
    payload = say.edited(say.commented("@openinspect run evil"), body="run evil")
    payload["comment"]["user"] = say.user("drive-by", 666)
    decision = say.decide("issue_comment", payload)
    assert outcome(decision) == "refused: edit (told)"
    payload["comment"]["user"] = None
    assert outcome(say.decide("issue_comment", payload)) == "refused: edit (told)"


HEADS = [
    (7001, "accepted"),
    (8888, "refused: head (told)"),
    (None, "refused: head (told)"),
]


@pytest.mark.parametrize(("head", "expected"), HEADS)
def test_the_head_of_a_fork_is_not_run(say: Any, head: int | None, expected: str) -> None:
    for event, payload in [
        ("pull_request", say.pull_opened("@openinspect fix", head=head)),
        ("pull_request_review", say.reviewed("@openinspect fix", head=head)),
        ("pull_request_review_comment", say.review_commented("@openinspect fix", head=head)),
    ]:
        # What the delivery says counts, not what the caller believes.
        assert outcome(say.decide(event, payload, head=say.OWN_HEAD)) == expected
    on_pull = say.commented("@openinspect fix", on_pull=True)
    where = replace(say.OWN_HEAD, repository=head)
    assert outcome(say.decide("issue_comment", on_pull, head=where)) == expected


def test_the_head_is_asked_for_only_where_it_matters(say: Any) -> None:
    def decision(body: str, permission: Permission | None = say.WRITE) -> str:
        payload = say.commented(body, on_pull=True)
        return outcome(say.decide("issue_comment", payload, permission=permission, head=None))

    assert decision("@openinspect fix") == "head?"
    assert decision("@openinspect retry") == "head?"
    assert decision("@openinspect stop") == "accepted"
    assert decision("@openinspect status") == "accepted"
    assert decision("@openinspect fix", None) == "permission?"
    assert decision("@openinspect fix", NO_PERMISSION) == "refused: permission (told)"
    assert outcome(say.decide("issue_comment", say.commented("@openinspect a"), head=None)) == (
        "accepted"
    )


def test_the_configuration_switches_mentions_off(say: Any) -> None:
    decision = say.decide(
        "issue_comment", say.commented("@openinspect fix"), config=OFF, permission=None
    )
    assert outcome(decision) == "ignored: configuration"
    rule = decision.rules[-1]
    assert (rule.config_key, rule.config_line) == ("triggers.mention.enabled", 7)


TEXTS = [
    ("@openinspect", "refused: text (told)"),
    ("@openinspect   \n\n ", "refused: text (told)"),
    ("@openinspect <!-- only hidden -->", "refused: text (told)"),
    ("@openinspect \u200b\u2060", "refused: text (told)"),
    ("@openinspect " + "x" * 64_000, "accepted"),
    ("@openinspect " + "x" * 64_001, "refused: text (told)"),
]


@pytest.mark.parametrize(("body", "expected"), TEXTS)
def test_texts(say: Any, body: str, expected: str) -> None:
    assert outcome(say.decide("issue_comment", say.commented(body))) == expected


def test_the_first_failing_rule_is_the_last_one_recorded(say: Any) -> None:
    payload = say.commented("one\n\n```\n@openinspect a\n```\n\n> @openinspect b")
    told = delivered("issue_comment", payload)
    decision = say.decide("issue_comment", payload)
    assert isinstance(decision, Ignored)
    kept = record(decision, told, delivery="72d3")
    assert [rule.name for rule in kept.rules] == ["event", "own", "mention"]
    assert [rule.passed for rule in kept.rules] == [True, True, False]
    assert kept.reason == (
        "no mention of `@openinspect` outside code and quotes "
        "(one inside code, line 4, one inside a quote, line 7; a quote ends at an empty line)"
    )
    assert record_from_json(json.loads(json.dumps(kept.to_json()))) == kept


def test_a_record_tells_no_text_and_no_mail(say: Any) -> None:
    payload = say.commented("@openinspect the secret plan")
    payload["sender"]["email"] = "mona@example.com"
    decision = say.decide("issue_comment", payload)
    assert isinstance(decision, Accepted)
    kept = record(decision, delivered("issue_comment", payload), delivery="d")
    written = json.dumps(kept.to_json())
    assert "secret plan" not in written and "example.com" not in written
    assert kept.outcome == "accepted"
    assert kept.sender_id == 101


def test_what_asks_nothing_is_recorded_too(say: Any) -> None:
    closed = {**say.pull_opened("x"), "action": "closed"}
    labeled = {**say.opened("T", "x"), "action": "labeled"}
    for event, payload, thread, sender in [
        ("pull_request", closed, 128, "mona"),
        ("issues", labeled, None, "mona"),
        ("ping", {"zen": "x"}, None, ""),
    ]:
        kept = record(say.decide(event, payload), delivered(event, payload), delivery="d")
        assert (kept.outcome, kept.thread, kept.sender) == ("ignored", thread, sender)
        assert record_from_json(json.loads(json.dumps(kept.to_json()))) == kept
    refused = say.decide("issue_comment", say.commented("@openinspect"))
    told = delivered("issue_comment", say.commented("@openinspect"))
    kept = record(refused, told, delivery="d")
    assert (kept.outcome, kept.rule, kept.source) == ("refused", "text", "comment-9001")


def test_refusals_are_sentences_people_can_act_on(say: Any) -> None:
    read = Permission(user_id=UserId(101), push=False, role="read")
    refused = say.decide("issue_comment", say.commented("@openinspect x"), permission=read)
    assert refused.reason == ("`mona` has read access to acme/app; write is needed to start work")
    fork = say.decide("pull_request", say.pull_opened("@openinspect x", head=8888))
    assert fork.reason == (
        "this pull request's commits are in e/f, not in acme/app; commits of a fork run only where "
        "they are named. Read them, then say `@openinspect run aaaaaaaaaa` and what to do"
    )
