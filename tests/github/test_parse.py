"""Any answer at all is either read or refused as `WrongShape`: no reader trips over JSON."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.github_server import comment_body, repository_body

from orchestrator.github import parse
from orchestrator.github.contents import _content, _entries, _target
from orchestrator.github.deliveries import _delivered
from orchestrator.github.fields import Fields, WrongShape
from orchestrator.github.grants import READ_CODE, Scope
from orchestrator.github.graphql import answered
from orchestrator.github.tokens import token_from
from orchestrator.github.values import GHOST, NO_PERMISSION

AT = "2026-03-01T11:00:00Z"
USER = {"id": 7, "login": "octocat", "type": "User"}
SIDE = {"ref": "x", "sha": "a" * 40, "repo": {"id": 1, "full_name": "acme/app"}}
PULL = {
    "number": 3,
    "title": "t",
    "body": None,
    "state": "open",
    "draft": True,
    "merged": False,
    "merged_at": None,
    "head": SIDE,
    "base": SIDE,
    "user": USER,
    "html_url": "https://github.test/p/3",
    "maintainer_can_modify": False,
    "created_at": AT,
    "updated_at": AT,
}
ISSUE = {
    "number": 3,
    "title": "t",
    "body": "b",
    "user": USER,
    "state": "open",
    "pull_request": {"url": "x"},
    "created_at": AT,
    "updated_at": AT,
    "labels": [{"name": "bug"}, "old"],
    "html_url": "https://github.test/i/3",
    "node_id": "I_3",
    "locked": False,
}
REVIEW_COMMENT = {
    **comment_body(),
    "path": "a.py",
    "line": None,
    "original_line": 4,
    "side": "RIGHT",
    "diff_hunk": "@@",
    "commit_id": "c" * 40,
    "in_reply_to_id": None,
    "pull_request_review_id": 8,
}
CHECK = {
    "id": 1,
    "name": "n",
    "head_sha": "a" * 40,
    "external_id": None,
    "status": "completed",
    "conclusion": "success",
    "app": {"id": 4},
    "html_url": "https://github.test/c/1",
}
DELIVERY = {
    "id": 2**60,
    "guid": "g",
    "event": "issues",
    "action": None,
    "delivered_at": AT,
    "redelivery": False,
    "status": "OK",
    "status_code": 200,
    "installation_id": None,
    "repository_id": 1,
    "request": {"headers": {"A": "b"}, "payload": {"x": 1}},
}
PERMISSION = {
    "permission": "write",
    "role_name": "maintain",
    "user": {**USER, "permissions": {"push": True, "admin": False}},
}
TOKEN = {
    "token": "ghs_x",
    "expires_at": AT,
    "permissions": {"contents": "read"},
    "repositories": [{"id": 1}],
}
FILE = {"filename": "a", "status": "added", "additions": 1, "deletions": 0}
SCOPE = Scope(installation=1, repository=1, grant=READ_CODE)

READERS: list[tuple[Callable[[Fields], object], Any]] = [
    (parse.read_person, USER),
    (parse.read_repository, repository_body()),
    (parse.read_permission, PERMISSION),
    (parse.read_issue, ISSUE),
    (parse.read_comment, comment_body()),
    (parse.read_review_comment, REVIEW_COMMENT),
    (parse.read_pull, PULL),
    (parse.read_pull_file, FILE),
    (parse.read_check_run, CHECK),
    (parse.read_delivery, DELIVERY),
    (parse.read_words, {"contents": "read"}),
    (_delivered, DELIVERY),
    (_entries, {"tree": [{"path": "a", "mode": "100644", "sha": "b", "size": 3}]}),
    (_target, {"object": {"sha": "a" * 40}}),
    (_content, {"encoding": "base64", "content": "aGk=\n"}),
    (answered, {"data": {}, "errors": []}),
    (lambda data: token_from(data, SCOPE, "call"), TOKEN),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(AT),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*path, number))
    return found


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.deepcopy(value)
    at = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = new
    return changed


@pytest.mark.parametrize(("read", "good"), READERS)
def test_a_good_answer_is_read(read: Callable[[Fields], object], good: Any) -> None:
    assert read(Fields(good)) is not None
    if isinstance(good, dict) and read is not parse.read_words:
        assert read(Fields({**good, "brand_new_field": [1, {"x": 2}]})) is not None


@given(data=st.data())
def test_a_changed_answer_is_read_or_refused(data: st.DataObject) -> None:
    read, good = data.draw(st.sampled_from(READERS))
    changed = put(good, data.draw(st.sampled_from(places(good))), data.draw(json_values))
    try:
        read(Fields(changed))
    except WrongShape as problem:
        assert "should be" in str(problem) or "empty" in str(problem)
    except Exception as problem:
        # A token that can do more, or errors beside the data, are answers that were understood.
        assert type(problem).__module__ == "orchestrator.github.errors", problem


@given(json_values)
def test_any_answer_at_all_is_read_or_refused(value: Any) -> None:
    for read, _ in READERS:
        try:
            read(Fields(value))
        except WrongShape:
            pass
        except Exception as problem:
            assert type(problem).__module__ == "orchestrator.github.errors", problem


def test_a_refusal_names_the_place_and_not_the_value() -> None:
    with pytest.raises(WrongShape) as raised:
        parse.read_comment(Fields({**comment_body(), "user": {"id": "s3cret", "login": "x"}}))
    assert str(raised.value) == "answer.user.id should be a whole number, but is str"


def test_authors_who_are_gone_are_nobody() -> None:
    assert parse.read_issue(Fields({**ISSUE, "user": None})).author == GHOST
    assert GHOST.id == 0


@pytest.mark.parametrize(
    ("changes", "push"),
    [
        ({}, True),
        ({"user": None}, False),
        ({"user": {**USER, "permissions": {}}}, False),
        ({"user": {**USER, "permissions": {"push": False}}, "permission": "admin"}, False),
        ({"user": USER}, True),
        ({"user": USER, "permission": "read"}, False),
        ({"user": USER, "permission": None, "role_name": None}, False),
    ],
)
def test_rights_are_only_what_is_spelled_out(changes: dict[str, Any], push: bool) -> None:
    found = parse.read_permission(Fields({**PERMISSION, **changes}))
    assert found.can_push is push
    if changes.get("user", USER) is None:
        assert found == NO_PERMISSION


def test_times_are_aware_and_utc() -> None:
    def at(text: str) -> datetime:
        return Fields(text).moment()

    noon = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    assert at("2026-03-01T11:00:00Z") == at("2026-03-01T12:00:00+01:00") == noon
    assert at("2026-03-01T11:00:00").tzinfo is UTC
    for text in ("", "soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(WrongShape):
            at(text)


def test_a_list_of_pulls_dates_the_merge_and_does_not_say_merged() -> None:
    listed = {key: value for key, value in PULL.items() if key != "merged"}
    assert not parse.read_pull(Fields(listed)).merged
    assert parse.read_pull(Fields({**listed, "merged_at": AT})).merged


def test_a_deleted_fork_has_no_repository() -> None:
    found = parse.read_pull(Fields({**PULL, "head": {**SIDE, "repo": None}}))
    assert (found.head.repository, found.head.full_name) == (None, None)
