"""The comparison with GitHub's descriptions finds what it should."""

import json
from dataclasses import replace
from typing import Any

from support.published import delivery_mismatches, graphql_mismatches, rest_mismatches

from bot.demo.github.door import Exchange
from bot.demo.github.graphql_door import Document

COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"


async def _said(stage: Any) -> Exchange:
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    await stage.client("POST", "/repos/acme/app/issues/1/comments", {"body": "x"})
    return stage.gh.exchanges[-1]  # type: ignore[no-any-return]


async def test_rest(stage: Any) -> None:
    said = await _said(stage)
    assert rest_mismatches(said) == []
    assert "unknown keys ['boddy']" in rest_mismatches(replace(said, request={"boddy": "x"}))[-1]
    assert "is not of type 'string'" in rest_mismatches(replace(said, request={"body": 1}))[0]
    assert "unknown query parameter page" in rest_mismatches(replace(said, query={"page": "1"}))[0]
    assert "not described" in rest_mismatches(replace(said, template="/repos/{owner}"))[0]
    assert "not described" in rest_mismatches(replace(said, status=202))[0]
    assert isinstance(said.answer, dict)
    without = {k: v for k, v in said.answer.items() if k != "created_at"}
    assert "'created_at' is a required" in rest_mismatches(replace(said, answer=without))[0]
    late = said.answer | {"created_at": "yesterday"}
    assert "date-time" in rest_mismatches(replace(said, answer=late))[0]
    listed = replace(said, method="GET", request=None, status=200, answer=[])
    assert rest_mismatches(replace(listed, query={"per_page": "100"})) == []
    assert "query per_page" in rest_mismatches(replace(listed, query={"per_page": "many"}))[0]


async def test_deliveries(stage: Any) -> None:
    await _said(stage)
    sent = stage.gh.deliveries[-1]
    payload = json.loads(sent.payload)
    assert delivery_mismatches("issue_comment", "created", sent.payload) == []
    payload["comment"]["extra"] = 1
    wrong = json.dumps(payload).encode()
    assert "extra" in delivery_mismatches("issue_comment", "created", wrong)[0]
    assert "not described" in delivery_mismatches("issue_comment", "shouted", wrong)[0]


def test_graphql() -> None:
    asked = 'query($n: Int!) { repository(owner: "a", name: "b") { issue(number: $n) { id } } }'
    good = Document(query=asked, variables={"n": 1}, answer={})
    assert graphql_mismatches(good) == []
    assert graphql_mismatches(replace(good, variables={"n": "one"}))
    assert graphql_mismatches(replace(good, variables={}))
    assert graphql_mismatches(replace(good, query=asked.replace("{ id }", "{ idd }")))
    assert graphql_mismatches(replace(good, query="{"))
