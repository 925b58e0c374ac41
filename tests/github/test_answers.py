"""The table: what GitHub answers, and what that means."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from orchestrator.github import errors
from orchestrator.github.answers import (
    Broken,
    Fine,
    Limited,
    Moved,
    RawAnswer,
    Refused,
    Unauthorized,
    Verdict,
    judge,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes."
PRIMARY = "API rate limit exceeded for installation ID 99."


def answer(status: int, body: Any = None, **headers: str) -> RawAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RawAnswer(status=status, headers=named, body=raw)


def verdict(raw: RawAnswer, *, graphql: bool = False) -> Verdict:
    return judge(raw, call="GET /x", now=NOW, graphql=graphql)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 304])
def test_success(status: int) -> None:
    assert verdict(answer(status)) == Fine()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_rename_is_followed_not_failed(status: int) -> None:
    assert verdict(answer(status, location="/repositories/1")) == Moved(url="/repositories/1")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_trouble_at_github(status: int) -> None:
    assert verdict(answer(status, b"<html>Unicorn!</html>")) == Broken()


def test_not_logged_in() -> None:
    assert verdict(answer(401, {"message": "Bad credentials"})) == Unauthorized()


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (403, PRIMARY, {"x_ratelimit_remaining": "0"}, ("primary", 31.0)),
        (429, PRIMARY, {"x_ratelimit_remaining": "0"}, ("primary", 31.0)),
        (403, SECONDARY, {"retry_after": "20"}, ("secondary", 21.0)),
        (429, SECONDARY, {"retry_after": "20"}, ("secondary", 21.0)),
        (403, SECONDARY, {}, ("secondary", None)),
        (429, "", {}, ("secondary", None)),
        (403, "Blocked", {"retry_after": "5"}, ("secondary", 6.0)),
        (403, "You have triggered an abuse detection mechanism.", {}, ("secondary", None)),
        # retry-after counts before the reset: docs.github.com, "Rate limits for the REST API"
        (403, SECONDARY, {"retry_after": "7", "x_ratelimit_remaining": "0"}, ("secondary", 8.0)),
        (403, "API rate limit exceeded", {"x_ratelimit_remaining": "59"}, ("primary", None)),
    ],
)
def test_limits(
    status: int, body: str, headers: dict[str, str], expected: tuple[str, float | None]
) -> None:
    found = verdict(answer(status, {"message": body}, x_ratelimit_reset=str(EPOCH + 30), **headers))
    assert found == Limited(kind=expected[0], seconds=expected[1])


def test_the_reset_is_read_by_githubs_own_clock() -> None:
    """Ours may be an hour off; the answer's `Date` is not."""
    here = format_datetime(datetime.fromtimestamp(EPOCH + 3600, UTC), usegmt=True)
    found = verdict(
        answer(
            403,
            {"message": PRIMARY},
            x_ratelimit_remaining="0",
            x_ratelimit_reset=str(EPOCH + 3610),
            date=here,
        )
    )
    assert found == Limited(kind="primary", seconds=11.0)


def test_comments_made_too_quickly_are_a_limit_though_they_come_as_422() -> None:
    body = {
        "message": "Validation Failed",
        "errors": [{"field": "body", "message": "body was submitted too quickly"}],
    }
    assert verdict(answer(422, body)) == Limited(kind="secondary", seconds=None)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, {"message": "Not Found"}, errors.NotFound),
        (410, {"message": "Issues are disabled"}, errors.Gone),
        (403, {"message": "Resource not accessible by integration"}, errors.PermissionMissing),
        (403, {"message": "This installation has been suspended"}, errors.Suspended),
        (403, {"message": "Repository was archived so is read-only."}, errors.ReadOnly),
        (403, {"message": "Unable to create comment because issue is locked."}, errors.Locked),
        (403, {"message": "Must have admin rights to Repository."}, errors.Forbidden),
        (403, b"<html>", errors.Forbidden),
        (451, {"message": "Repository access blocked"}, errors.Forbidden),
        (409, {"message": "Reference update failed"}, errors.StateConflict),
        (400, {"message": "Problems parsing JSON"}, errors.Invalid),
        (422, {"message": "Validation Failed", "errors": [{"code": "missing"}]}, errors.Invalid),
        (422, {"errors": [{"code": "already_exists"}]}, errors.AlreadyExists),
        (
            422,
            {"errors": [{"message": "A pull request already exists for acme:x."}]},
            errors.AlreadyExists,
        ),
        (422, {"message": "Reference already exists"}, errors.AlreadyExists),
        (422, b"", errors.Invalid),
        (422, {"errors": "text"}, errors.Invalid),
        (418, {"message": "teapot"}, errors.Forbidden),
    ],
)
def test_refusals(status: int, body: Any, error: type[errors.GitHubError]) -> None:
    found = verdict(answer(status, body, x_github_request_id="ABC"))
    assert isinstance(found, Refused)
    assert type(found.error) is error
    assert (found.error.status, found.error.request_id) == (status, "ABC")


def test_a_missing_permission_is_named() -> None:
    found = verdict(
        answer(
            403,
            {"message": "Resource not accessible by integration"},
            x_accepted_github_permissions="issues=write; pull_requests=write",
        )
    )
    assert isinstance(found, Refused)
    assert "issues:write; pull_requests:write" in str(found.error)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (
            {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]},
            {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH + 9)},
            Limited(kind="primary", seconds=10.0),
        ),
        (
            {"errors": [{"message": SECONDARY}]},
            {"x_ratelimit_remaining": "4999", "x_ratelimit_reset": str(EPOCH + 9)},
            Limited(kind="secondary", seconds=None),
        ),
        (
            {"errors": [{"message": SECONDARY}]},
            {"retry_after": "3"},
            Limited(kind="secondary", seconds=4.0),
        ),
        ({"data": None, "errors": [{"type": "NOT_FOUND", "message": "no"}]}, {}, Fine()),
        ({"data": {}}, {}, Fine()),
        (b"<html>", {}, Fine()),
        ({"errors": 7}, {}, Fine()),
    ],
)
def test_graphql_says_its_limits_with_200(
    body: Any, headers: dict[str, str], expected: Verdict
) -> None:
    assert verdict(answer(200, body, **headers), graphql=True) == expected
    assert verdict(answer(200, body, **headers)) == Fine()


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"message": 5, "errors": [3]}', b"[" * 100_000])
def test_no_body_is_too_odd(body: bytes) -> None:
    assert isinstance(verdict(answer(404, body)), Refused)
    assert isinstance(verdict(answer(403, body)), Refused)
