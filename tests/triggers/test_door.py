"""Deliveries parse or say where they are wrong; GitHub's published examples all parse."""

from __future__ import annotations

import copy
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config import RepoConfig
from orchestrator.triggers import (
    BadPayload,
    Ignored,
    NotForUs,
    PullRequestClosed,
    delivered,
    trigger,
)

TOOLS = Path(os.environ.get("OPENINSPECT_TOOLS", Path(__file__).parents[2] / ".tools"))
EXAMPLES = TOOLS / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"


def examples() -> list[tuple[str, Any]]:
    """Published by GitHub's own SDK team; `make setup` installs the package."""
    return [
        (event["name"], example)
        for event in json.loads(EXAMPLES.read_text())
        for example in event["examples"]
    ]


def test_every_published_example_parses_and_none_starts_anything(say: Any) -> None:
    kinds: Counter[str] = Counter()
    for event, example in examples():
        start = time.process_time()
        told = delivered(event, example)
        decision = trigger(told, bot=say.BOT, config=RepoConfig())
        assert time.process_time() - start < 0.05
        assert isinstance(decision, Ignored), (event, example.get("action"))
        kinds[type(told).__name__] += 1
    assert sum(kinds.values()) >= 329
    for kind in (
        "IssueOpened", "IssueEdited", "CommentCreated", "CommentEdited", "PullRequestOpened",
        "PullRequestClosed", "ReviewSubmitted", "ReviewCommentCreated", "ReviewCommentEdited",
    ):  # fmt: skip
        assert kinds[kind] > 0, kind


def test_a_closed_pull_request_says_whether_it_was_merged(say: Any) -> None:
    payload = {**say.envelope("closed"), "pull_request": say.pull(merged=True)}
    told = delivered("pull_request", payload)
    assert isinstance(told, PullRequestClosed)
    assert (told.number, told.merged) == (128, True)


BROKEN: list[tuple[str, Any, str]] = [
    ("repository", None, "repository is not an object"),
    ("repository.id", "7001", "repository.id is not a number"),
    ("repository.id", True, "repository.id is not a number"),
    ("repository.id", -1, "repository.id is not a valid id"),
    ("repository.id", 2**63, "repository.id is not a valid id"),
    ("repository.id", 1.5, "repository.id is not a number"),
    ("repository.full_name", 5, "repository.full_name is not a text"),
    ("repository.private", "no", "repository.private is not true or false"),
    ("sender", [], "sender is not an object"),
    ("sender.id", None, "sender.id is not a number"),
    ("sender.type", None, "sender.type is not a text"),
    ("installation", 5, "installation is not an object"),
    ("action", 5, "action is not a text"),
    ("action", None, "action is not a text"),
    ("issue", None, "issue is not an object"),
    ("issue.number", 0, "issue.number is not a valid id"),
    ("issue.title", None, "issue.title is not a text"),
    ("issue.body", 5, "issue.body is not a text"),
    ("comment", "x", "comment is not an object"),
    ("comment.id", "9", "comment.id is not a number"),
    ("comment.user", 5, "comment.user is not an object"),
    ("comment.user.id", "5", "comment.user.id is not a number"),
    ("comment.created_at", "yesterday", "comment.created_at is not a time"),
    ("comment.created_at", 0, "comment.created_at is not a text"),
    ("comment.updated_at", "2026-11-24T14:02:11", "comment.updated_at has no time zone"),
    ("comment.html_url", None, "comment.html_url is not a text"),
    ("comment.performed_via_github_app", 7, "comment.performed_via_github_app is not an object"),
]


@pytest.mark.parametrize(("path", "value", "expected"), BROKEN)
def test_bad_payloads_say_where(say: Any, path: str, value: Any, expected: str) -> None:
    payload = copy.deepcopy(say.commented("@openinspect fix"))
    *groups, last = path.split(".")
    at = payload
    for group in groups:
        at = at[group]
    at[last] = value
    with pytest.raises(BadPayload) as error:
        delivered("issue_comment", payload)
    assert f"{error.value.where} {error.value.problem}" == expected
    assert expected in str(error.value)


@pytest.mark.parametrize("document", [None, [], "x", 5, True])
def test_what_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(BadPayload):
        delivered("issues", document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@given(st.sampled_from(["issues", "issue_comment", "pull_request", "push"]), JSON)
def test_no_document_breaks_the_door(event: str, document: Any) -> None:
    try:
        told = delivered(event, document)
    except BadPayload:
        return
    assert isinstance(told, NotForUs)


@given(st.data())
def test_no_change_to_a_good_document_breaks_the_door(data: st.DataObject) -> None:
    good = _good()
    path = data.draw(st.sampled_from(_paths(good)))
    at: Any = good
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = data.draw(JSON)
    try:
        delivered("issue_comment", good)
    except BadPayload as bad:
        assert bad.where


def _good() -> Any:
    person = {"id": 1, "login": "a", "type": "User"}
    at = "2026-11-24T14:02:11Z"
    repository = {"id": 1, "full_name": "a/b", "private": True, "default_branch": "main"}
    issue = {"number": 1, "title": "t", "body": None, "state": "open", "user": dict(person)}
    comment = {
        "id": 1, "body": "b", "user": dict(person), "created_at": at, "updated_at": at,
        "html_url": "u",
    }  # fmt: skip
    return {
        "action": "created", "repository": repository, "sender": person, "issue": issue,
        "comment": comment,
    }  # fmt: skip


def _paths(value: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, inner in value.items():
        found.append((*before, key))
        if isinstance(inner, dict):
            found += _paths(inner, (*before, key))
    return found
