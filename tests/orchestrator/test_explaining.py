"""Decision records in words: what a rule found, which line decided, and whom it is told to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestrator.explaining import explain_lines, explained, place_from, why_reply
from orchestrator.triggers import DecisionRecord, Rule

AT = datetime(2026, 11, 24, 14, 2, 11, tzinfo=UTC)
GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
PASSED = (
    Rule(name="event", passed=True, detail="`issue_comment.created`"),
    Rule(name="own", passed=True, detail="not written by this App"),
    Rule(name="sender", passed=True, detail="`drive-by` is a person"),
)
NO_MENTION = Rule(
    name="mention",
    passed=False,
    detail="no mention of `@openinspect` outside code and quotes (one inside code, line 3)",
)
RECORD = DecisionRecord(
    delivery=GUID,
    event="issue_comment",
    action="created",
    repository="acme/app",
    thread=41,
    sender="drive-by",
    sender_id=9,
    source="comment-987",
    url="https://github.example/acme/app/issues/41#issuecomment-987",
    outcome="ignored",
    rule="mention",
    reason=NO_MENTION.detail,
    rules=(*PASSED, NO_MENTION),
)
REFUSED = replace(
    RECORD,
    outcome="refused",
    rule="permission",
    rules=(
        *PASSED,
        Rule(
            name="configuration",
            passed=True,
            detail="mentions are on",
            config_key="triggers.mention.enabled",
            config_line=7,
        ),
        Rule(
            name="permission",
            passed=False,
            detail="`drive-by` has read access to acme/app; write is needed to start work",
        ),
    ),
)


def told(record: DecisionRecord) -> str:
    return json.dumps(record.to_json())


def test_the_terminal_shows_every_rule_in_order_and_the_one_that_failed() -> None:
    assert explain_lines(explained(GUID, AT, told(RECORD))) == [
        f"Delivery {GUID} (issue_comment.created, 2026-11-24 14:02:11 UTC) → ignored",
        "  by drive-by on acme/app#41, https://github.example/acme/app/issues/41#issuecomment-987",
        "  1. signature: ok",
        "  2. an event that can ask for something: ok (`issue_comment.created`)",
        "  3. not written by this App: ok (not written by this App)",
        "  4. sent by a person, or by an App that may ask: ok (`drive-by` is a person)",
        "  5. asked plainly, outside code and quotes: NO (no mention of `@openinspect` outside "
        "code and quotes (one inside code, line 3))",
    ]


def test_the_configuration_line_that_decided_is_named() -> None:
    text = "\n".join(explain_lines(explained(GUID, AT, told(REFUSED))))
    assert "triggers.mention.enabled, .openinspect/config.yml line 7" in text
    default = replace(REFUSED.rules[3], config_line=None)
    text = "\n".join(explain_lines(explained(GUID, AT, told(replace(REFUSED, rules=(default,))))))
    assert "triggers.mention.enabled by default" in text


def test_the_thread_is_told_in_the_same_order() -> None:
    assert why_reply([explained(GUID, AT, told(RECORD))]) == (
        "Delivery `72d3162e…` (`issue_comment.created`, 24 Nov 14:02:11 UTC) → **ignored**, "
        "[the text](https://github.example/acme/app/issues/41#issuecomment-987)\n"
        "1. signature: ok\n"
        "2. an event that can ask for something: ok (`issue_comment.created`)\n"
        "3. not written by this App: ok (not written by this App)\n"
        "4. sent by a person, or by an App that may ask: ok (`drive-by` is a person)\n"
        "5. asked plainly, outside code and quotes: **no** (no mention of `＠openinspect` outside "
        "code and quotes (one inside code, line 3))"
    )


def test_a_role_is_told_to_nobody_but_the_person_whose_it_is() -> None:
    one = explained(GUID, AT, told(REFUSED))
    assert "read access" not in why_reply([one])
    assert "read access" not in why_reply([one], asker=10)
    assert "read access" in why_reply([one], asker=9)
    assert "the person may start work there: **no**" in why_reply([one])
    accepted = replace(
        REFUSED,
        outcome="accepted",
        rules=(Rule(name="permission", passed=True, detail="admin access, which may push"),),
    )
    assert "admin" not in why_reply([explained(GUID, AT, told(accepted))])


def test_what_this_app_wrote_itself_is_left_out_of_a_thread() -> None:
    own = replace(RECORD, rule="own", delivery="own-delivery")
    answer = why_reply(
        [explained("own-delivery", AT, told(own)), explained(GUID, AT, told(RECORD))]
    )
    assert "own-delivery" not in answer
    assert GUID[:8] in answer
    assert "30 days" in why_reply([explained("own-delivery", AT, told(own))])


def test_only_the_newest_three_are_explained_in_a_thread() -> None:
    answer = why_reply([explained(GUID, AT, told(RECORD))] * 5)
    assert answer.count("→ **ignored**") == 3
    assert "2 earlier" in answer


@pytest.mark.parametrize(
    "branch", ["x`@octo/team`", "x` <b>bold</b> `", "[link](https://evil.example)", "#1 fixes #2"]
)
def test_what_others_named_acts_in_no_answer(branch: str) -> None:
    rule = Rule(name="head", passed=True, detail=f"the head is `{branch}` of this repository")
    answer = why_reply([explained(GUID, AT, told(replace(RECORD, rules=(rule,))))])
    line = answer.split("\n")[-1]
    outside = "".join(line.split("`")[::2])
    assert "@octo" not in outside
    assert "<b>" not in outside
    assert "](https://evil" not in outside
    assert "#1" not in outside


def test_terminal_sequences_do_not_reach_the_terminal() -> None:
    rule = Rule(name="head", passed=True, detail="\x1b[31mred\x9b0m\u202e")
    text = "\n".join(explain_lines(explained(GUID, AT, told(replace(RECORD, rules=(rule,))))))
    assert not set(text) & {"\x1b", "\x9b", "\u202e"}


def test_a_failure_says_what_failed_and_where() -> None:
    kept = json.dumps(
        {"v": 1, "event": "issues", "outcome": "failed", "reason": "GitHub was away", "url": ""}
    )
    lines = explain_lines(explained(GUID, AT, kept))
    assert lines[0].endswith("→ failed")
    assert lines[1] == "  GitHub was away"
    assert "GitHub was away" in why_reply([explained(GUID, AT, kept)])


@pytest.mark.parametrize(
    "kept", ["", "[]", "{}", "nonsense", '{"outcome": "accepted"}', "[" * 9999]
)
def test_a_record_that_cannot_be_read_is_explained_as_that(kept: str) -> None:
    one = explained(GUID, AT, kept)
    assert one.outcome == "unreadable"
    assert "another version" in explain_lines(one)[-1]


def test_an_api_request_has_a_token_in_place_of_a_signature() -> None:
    record = replace(RECORD, event="api", delivery="api-1")
    assert "  1. token: ok" in explain_lines(explained("api-1", AT, told(record)))


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("https://github.com/acme/app/issues/41", None),
        ("https://github.com/acme/app/pull/41/files", None),
        ("https://ghe.example:8443/acme/app/pull/41?diff=split", None),
        ("acme/app#41", None),
        ("https://github.com/acme/app/issues/41#issuecomment-987", "comment-987"),
        ("https://github.com/acme/app/pull/41#issuecomment-987", "comment-987"),
        ("https://github.com/acme/app/pull/41#discussion_r55", "review-comment-55"),
        ("https://github.com/acme/app/pull/41/files#r55", None),
        ("https://github.com/acme/app/pull/41#pullrequestreview-7", "review-7"),
        ("https://github.com/acme/app/issues/41#event-3", None),
    ],
)
def test_addresses_name_a_thread_and_the_text_in_it(address: str, source: str | None) -> None:
    place = place_from(address)
    assert place is not None
    assert (place.repository, place.number, place.source) == ("acme/app", 41, source)


@pytest.mark.parametrize("address", [GUID, "acme/app", "https://github.com/acme/app", "", "#41"])
def test_other_words_are_no_address(address: str) -> None:
    assert place_from(address) is None
