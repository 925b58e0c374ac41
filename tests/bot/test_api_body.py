"""What `POST /api/sessions` takes, and that everything else is named with what is wrong with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.api.body import body_from
from bot.api.problems import Problem
from bot.api.rate import Rate

GOOD: dict[str, object] = {"repository": "acme/app", "issue": 41, "prompt": "fix it"}
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def refused(data: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        body_from(data)
    return caught.value


def without(name: str, **more: object) -> bytes:
    return json.dumps({k: v for k, v in {**GOOD, **more}.items() if k != name}).encode()


def test_the_least_that_is_needed_is_enough() -> None:
    body = body_from(json.dumps(GOOD).encode())
    assert body.key is None
    r = body.request
    assert (r.repository, r.issue, r.pull_request, r.prompt) == ("acme/app", 41, None, "fix it")
    assert (r.model, r.effort, r.title) == (None, None, "")


def test_everything_that_can_be_said() -> None:
    said = {
        "repository": "acme/app",
        "issue": "new",
        "title": "  Flaky test ",
        "prompt": "fix\nit ✓",
        "model": "anthropic/claude-sonnet-4-6",
        "effort": "high",
        "key": "build-7",
    }
    body = body_from(json.dumps(said).encode())
    assert body.key == "build-7"
    assert body.request.thread is None
    assert body.request.title == "Flaky test"
    assert body.request.effort == "high"
    pull = {"repository": "acme/app", "pull_request": 7, "prompt": "x", "effort": "default"}
    body = body_from(json.dumps(pull).encode())
    assert (body.request.thread, body.request.effort) == (7, None)


@pytest.mark.parametrize(
    ("change", "pointer", "said"),
    [
        ({"promt": "x"}, "/promt", "did you mean `prompt`?"),
        ({"a/b~c": 1}, "/a~1b~0c", "is not a field"),
        ({"repository": "acme"}, "/repository", "owner/name"),
        ({"repository": "acme/app/../other"}, "/repository", "owner/name"),
        ({"repository": "acme/app?x=1"}, "/repository", "owner/name"),
        ({"repository": None}, "/repository", "owner/name"),
        ({"issue": 0}, "/issue", "a number"),
        ({"issue": True}, "/issue", "a number"),
        ({"issue": 1.5}, "/issue", "a number"),
        ({"issue": "41"}, "/issue", 'a number, or "new"'),
        ({"issue": 2**31}, "/issue", "a number"),
        ({"pull_request": 7}, "/issue", "not both"),
        ({"prompt": ["x"]}, "/prompt", "a text"),
        ({"prompt": None}, "/prompt", "a text"),
        ({"title": "x"}, "/title", "only for a new issue"),
        ({"issue": "new"}, "/title", "a new issue needs one"),
        ({"issue": "new", "title": " "}, "/title", "1 to 256"),
        ({"issue": "new", "title": "x" * 257}, "/title", "1 to 256"),
        ({"model": "gpt"}, "/model", "provider/name"),
        ({"model": "a/b c"}, "/model", "provider/name"),
        ({"effort": "lots"}, "/effort", "one of default, none"),
        ({"effort": []}, "/effort", "one of default"),
        ({"key": ""}, "/key", "visible ASCII"),
        ({"key": "a b"}, "/key", "visible ASCII"),
        ({"key": "x" * 256}, "/key", "visible ASCII"),
    ],
)
def test_each_wrong_field_is_named(change: dict[str, object], pointer: str, said: str) -> None:
    problem = refused(json.dumps({**GOOD, **change}).encode())
    assert (problem.status, problem.kind) == (422, "body")
    [fault] = problem.faults
    assert fault.pointer == pointer
    assert said in fault.detail


def test_all_faults_are_named_at_once() -> None:
    problem = refused(b'{"issue": -1, "colour": "red"}')
    assert [f.pointer for f in problem.faults] == ["/colour", "/issue", "/prompt", "/repository"]


@pytest.mark.parametrize("name", ["repository", "issue", "prompt"])
def test_what_is_missing_is_named(name: str) -> None:
    [fault] = refused(without(name)).faults
    assert fault.pointer == f"/{name}"
    assert "is missing" in fault.detail


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"not json", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"\xff\xfe", "not JSON in UTF-8"),
        (b'{"prompt": "a", "prompt": "b"}', "'prompt' is there twice"),
        (b'{"issue": NaN}', "NaN is not JSON"),
        (b'{"prompt": "\\ud800"}', "not JSON in UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (b'{"issue": ' + b"9" * 5_000 + b"}", "not JSON"),
    ],
)
def test_what_is_no_json_object_is_refused(data: bytes, said: str) -> None:
    problem = refused(data)
    assert problem.status == 400
    assert said in problem.detail


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    try:
        body_from(data)
    except Problem as problem:
        assert problem.status in (400, 422)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_NAMES = st.sampled_from([*GOOD, "pull_request", "title", "model", "effort", "key"])


@given(st.dictionaries(_NAMES | st.text(max_size=8), _VALUES, max_size=8))
def test_no_document_breaks_it(document: dict[str, object]) -> None:
    try:
        body_from(json.dumps(document).encode())
    except Problem as problem:
        assert problem.status in (400, 422)


def test_a_problem_is_told_as_rfc_9457_says() -> None:
    response = refused(json.dumps({**GOOD, "issue": 0}).encode()).response()
    assert response.content_type == "application/problem+json"
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {
        "type": "urn:openinspect:problem:body",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": '/issue: must be a number, or "new"',
        "errors": [{"pointer": "/issue", "detail": 'must be a number, or "new"'}],
    }


def test_sixty_times_in_any_minute_and_no_more() -> None:
    rate = Rate()
    for second in range(60):
        assert rate.wait("a", NOON + timedelta(seconds=second / 2)) == 0
    assert rate.wait("a", NOON + timedelta(seconds=30)) == pytest.approx(30)
    assert rate.wait("b", NOON + timedelta(seconds=30)) == 0
    assert rate.wait("a", NOON + timedelta(seconds=60)) == 0
    assert rate.wait("a", NOON + timedelta(seconds=60)) > 0


def test_a_token_that_rests_is_forgotten() -> None:
    rate = Rate()
    for number in range(100):
        rate.wait(f"token-{number}", NOON)
    rate.wait("last", NOON + timedelta(minutes=2))
    assert list(rate._asked) == ["last"]
