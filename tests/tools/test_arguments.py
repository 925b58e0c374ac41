"""What an agent may ask for, to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.tools.arguments import (
    KINDS,
    MAX_BODY,
    PullRequestAsk,
    ReadAsk,
    pull_request_ask,
    read_ask,
)
from orchestrator.tools.refusal import ToolRefused


@pytest.mark.parametrize(
    ("given", "ask"),
    [
        ({"kind": "issue", "number": 7}, ReadAsk(kind="issue", number=7)),
        ({"kind": "issue", "number": 7, "page": None}, ReadAsk(kind="issue", number=7)),
        ({"kind": "diff", "number": 7}, ReadAsk(kind="diff", number=7, per_page=20)),
        (
            {"kind": "comments", "number": 7, "page": 3, "per_page": 1},
            ReadAsk(kind="comments", number=7, page=3, per_page=1),
        ),
        (
            {"kind": "issues", "state": "open", "text": "flaky"},
            ReadAsk(kind="issues", state="open", text="flaky", per_page=50),
        ),
        (
            {"kind": "commits", "ref": "openinspect/41-fix_it.now"},
            ReadAsk(kind="commits", ref="openinspect/41-fix_it.now", per_page=50),
        ),
        ({"kind": "checks", "number": 7}, ReadAsk(kind="checks", number=7, per_page=50)),
        ({"kind": "check_log", "id": 2**40}, ReadAsk(kind="check_log", id=2**40)),
    ],
)
def test_what_is_asked_well(given: dict[str, Any], ask: ReadAsk) -> None:
    assert read_ask(given) == ask


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "`kind` is one of"),
        ({"kind": ["issue"]}, "`kind` is one of"),
        ({"kind": "secrets"}, "`kind` is one of"),
        ({"kind": "issue"}, "needs `number`"),
        ({"kind": "issue", "number": 0}, "from 1 to"),
        ({"kind": "issue", "number": -1}, "from 1 to"),
        ({"kind": "issue", "number": True}, "whole number"),
        ({"kind": "issue", "number": 7.0}, "whole number"),
        ({"kind": "issue", "number": "7"}, "whole number"),
        ({"kind": "issue", "number": 2**31}, "from 1 to"),
        ({"kind": "issue", "number": 7, "repository": "a/b"}, "nothing else"),
        ({"kind": "issue", "number": 7, "ref": "main"}, "nothing else"),
        ({"kind": "comments", "number": 7, "per_page": 101}, "from 1 to 100"),
        ({"kind": "comments", "number": 7, "page": 1001}, "from 1 to 1000"),
        ({"kind": "commits"}, "one of the two"),
        ({"kind": "commits", "number": 1, "ref": "main"}, "one of the two"),
        ({"kind": "issues", "state": "merged"}, "`state` is one of"),
        ({"kind": "issues", "state": []}, "`state` is one of"),
        ({"kind": "issues", "text": "x" * 201}, "longer than 200"),
        ({"kind": "issues", "text": 5}, "is a text"),
        ({"kind": "check_log"}, "needs `id`"),
    ],
)
def test_what_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolRefused, match=words):
        read_ask(given)


@pytest.mark.parametrize(
    "ref",
    [
        *("..", ".", "../x", "a/../b", "/main", "main/", "a//b", "-x", "a b", "a\nb", ""),
        *("other:main", "a@{1}", "main~1", "main^", "a?b", "a*b", "a[b", "a\\b", "%2e%2e", "é"),
        *("x" * 201, ".hidden", "a/.b", "main.lock", "a.lock/b", "main."),
    ],
)
def test_refs_that_could_be_something_else(ref: str) -> None:
    with pytest.raises(ToolRefused):
        read_ask({"kind": "commits", "ref": ref})


@given(
    st.dictionaries(
        st.sampled_from(["kind", "number", "ref", "id", "page", "per_page", "state", "text", "x"]),
        st.one_of(
            st.sampled_from([*KINDS, "main", "open"]),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            st.lists(st.integers(), max_size=2),
        ),
    )
)
def test_anything_is_an_ask_or_refused_in_words(given: dict[str, Any]) -> None:
    try:
        ask = read_ask(given)
    except ToolRefused as refused:
        assert 10 < len(str(refused)) < 200
    else:
        assert ask.kind in KINDS
        assert 1 <= ask.page <= 1000 and 1 <= ask.per_page <= 100


def test_pull_requests_are_one_line_and_a_text() -> None:
    assert pull_request_ask({"title": " Fix\n it ", "body": "\nWhy.\n"}) == PullRequestAsk(
        title="Fix it", body="Why."
    )
    assert pull_request_ask({"title": "Fix", "body": None}).body == ""
    for bad in (
        {},
        {"title": ""},
        {"title": "\n"},
        {"title": 1},
        {"title": "x" * 257},
        {"title": "x", "body": "x" * (MAX_BODY + 1)},
        {"title": "x", "body": []},
        {"title": "x", "draft": False},
    ):
        with pytest.raises(ToolRefused):
            pull_request_ask(bad)
