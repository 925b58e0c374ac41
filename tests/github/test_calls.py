"""Every row of the answer table, against a real HTTP server."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import aiohttp
import pytest
from support.github_server import (
    REPOSITORY,
    Client,
    FakeClock,
    Request,
    Says,
    Server,
    comment_body,
    repository_body,
)

from orchestrator.github import AppIdentity, Endpoints, GitHub, OnIssueComment, errors
from orchestrator.secret import Secret

COMMENT = r"/api/v3/repos/acme/app/issues/comments/1"
COMMENTS = r"/api/v3/repos/acme/app/issues/7/comments"
SECONDARY = {"message": "You have exceeded a secondary rate limit."}


# -- logging in


async def test_401_makes_a_new_token_once(client: Client, server: Server) -> None:
    refused = Says(status=401, body={"message": "Bad credentials"})
    server.on("GET", COMMENT, refused, Says(body=comment_body()))
    assert await client.repository.comment(1) is not None
    first, second = server.seen("GET", COMMENT)
    assert first.headers["authorization"] != second.headers["authorization"]


async def test_a_second_401_is_the_apps_own_trouble(client: Client, server: Server) -> None:
    server.on("GET", COMMENT, Says(status=401, body={"message": "Bad credentials"}))
    with pytest.raises(errors.BadCredentials):
        await client.repository.comment(1)
    assert len(server.seen("GET", COMMENT)) == 2


async def test_401_on_a_write_is_safe_to_repeat(client: Client, server: Server) -> None:
    server.on("POST", COMMENTS, Says(status=401), Says(status=201, body=comment_body()))
    assert (await client.repository.create_comment(7, "x")).id == 1


# -- refusals


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"message": "Resource not accessible by integration"}, errors.PermissionMissing),
        (403, {"message": "Repository was archived so is read-only."}, errors.ReadOnly),
        (404, {"message": "Not Found"}, errors.NotFound),
        (409, {"message": "Conflict"}, errors.StateConflict),
        (410, {"message": "Issues are disabled for this repo"}, errors.Gone),
        (422, {"message": "Validation Failed", "errors": [{"code": "invalid"}]}, errors.Invalid),
    ],
)
async def test_refusals_are_typed_and_asked_once(
    client: Client, server: Server, status: int, body: object, error: type[Exception]
) -> None:
    server.on("POST", COMMENTS, Says(status=status, body=body))
    with pytest.raises(error) as raised:
        await client.repository.create_comment(7, "x")
    assert len(server.seen("POST", COMMENTS)) == 1
    assert "POST /repos/{owner}/{repo}/issues/{issue_number}/comments" in str(raised.value)
    assert f"request REQ{len(server.requests)}" in str(raised.value) or status == 404


# -- limits


async def test_a_primary_limit_is_waited_for_when_it_is_short(
    client: Client, server: Server, clock: FakeClock
) -> None:
    started = clock.now()
    limited = Says(
        status=403,
        body={"message": "API rate limit exceeded"},
        headers={
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str(int(started.timestamp()) + 90),
        },
    )
    server.on("GET", COMMENT, limited, Says(body=comment_body()))
    assert await client.repository.comment(1) is not None
    assert server.seen("GET", COMMENT)[1].at - started == timedelta(seconds=91)


async def test_a_long_primary_limit_says_until_when(client: Client, server: Server) -> None:
    until = int(server.now().timestamp()) + 1800
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(until)}
    server.on("GET", COMMENT, Says(status=403, headers=headers))
    with pytest.raises(errors.RateLimited) as raised:
        await client.repository.comment(1)
    assert raised.value.until == server.now() + timedelta(seconds=1801)
    with pytest.raises(errors.RateLimited):
        await client.repository.comment(1)
    assert len(server.seen("GET", COMMENT)) == 1


@pytest.mark.parametrize("status", [403, 429])
async def test_retry_after_is_kept_by_every_caller(
    client: Client, server: Server, clock: FakeClock, status: int
) -> None:
    limited = Says(status=status, body=SECONDARY, headers={"retry-after": "30"})
    server.on("GET", COMMENT, limited, Says(body=comment_body()))
    started = clock.now()
    await client.repository.comment(1)
    await asyncio.gather(*(client.repository.comment(1) for _ in range(20)))
    later = server.seen("GET", COMMENT)[1:]
    assert len(later) == 21
    assert all(request.at >= started + timedelta(seconds=31) for request in later)


async def test_a_limited_write_is_repeated_since_it_was_not_done(
    client: Client, server: Server, clock: FakeClock
) -> None:
    server.on(
        "POST", COMMENTS, Says(status=403, body=SECONDARY), Says(status=201, body=comment_body())
    )
    await client.repository.create_comment(7, "x")
    first, second = server.seen("POST", COMMENTS)
    assert second.at - first.at == timedelta(seconds=60)


async def test_graphql_limits_come_with_200(
    client: Client, server: Server, clock: FakeClock
) -> None:
    limited = Says(body={"errors": [{"type": "RATE_LIMITED", "message": "API rate limit"}]})
    fine = Says(body={"data": {"repository": templates(PULL="text")}})
    server.on("POST", "/api/graphql", limited, fine)
    assert await client.repository.pull_request_template() == "text"
    first, second = server.seen("POST", "/api/graphql")
    assert second.at - first.at == timedelta(seconds=60)


# -- trouble at GitHub


@pytest.mark.parametrize(
    "trouble",
    [
        Says(status=500),
        Says(status=502, raw=b"<html>"),
        Says(status=503),
        Says(action="drop"),
        Says(action="hang"),
        Says(action="truncate"),
    ],
    ids=lambda says: says.action or str(says.status),
)
async def test_reading_is_tried_five_times(
    client: Client, server: Server, clock: FakeClock, trouble: Says
) -> None:
    server.on("GET", COMMENT, trouble, trouble, Says(body=comment_body()))
    assert await client.repository.comment(1) is not None
    assert len(server.seen("GET", COMMENT)) == 3
    # aiohttp repeats a GET itself, at once, where an idle connection turns out to be closed.
    assert len(clock.slept) == (1 if trouble.action == "drop" else 2)
    assert all(0 <= wait <= 30 for wait in clock.slept)


async def test_then_it_is_given_up(client: Client, server: Server, clock: FakeClock) -> None:
    server.on("GET", COMMENT, Says(status=503))
    with pytest.raises(errors.Unavailable, match="5 times"):
        await client.repository.comment(1)
    assert len(server.seen("GET", COMMENT)) == 5
    assert sum(clock.slept) <= 300


async def test_retry_after_of_a_503_is_waited_for(
    client: Client, server: Server, clock: FakeClock
) -> None:
    server.on(
        "GET", COMMENT, Says(status=503, headers={"retry-after": "45"}), Says(body=comment_body())
    )
    await client.repository.comment(1)
    assert clock.slept == [45.0]


@pytest.mark.parametrize(
    "trouble",
    [
        Says(status=500),
        Says(status=502),
        Says(status=504),
        Says(action="drop"),
        Says(action="hang"),
        Says(status=201, action="truncate"),
        Says(status=201, raw=b'{"id": 1'),
        Says(status=201, raw=b"<html>", headers={"content-type": "text/html"}),
        Says(status=201, body={"id": "one"}),
        Says(status=201, body=[]),
    ],
    ids=lambda says: says.action or f"{says.status}-{says.raw or says.body}",
)
async def test_a_write_that_may_have_happened_is_never_repeated(
    client: Client, server: Server, trouble: Says
) -> None:
    server.on("POST", COMMENTS, trouble)
    with pytest.raises(errors.UncertainOutcome, match="Look before asking again"):
        await client.repository.create_comment(7, "x")
    assert len(server.seen("POST", COMMENTS)) == 1


async def test_a_write_that_is_the_same_twice_is_repeated(client: Client, server: Server) -> None:
    path = r"/api/v3/repos/acme/app/issues/comments/1/reactions"
    server.on("POST", path, Says(status=502), Says(action="drop"), Says(status=200, body={}))
    await client.repository.react(OnIssueComment(id=1), "eyes")
    assert len(server.seen("POST", path)) == 3


async def test_without_a_connection_even_a_write_is_tried_again(
    session: aiohttp.ClientSession, clock: FakeClock, pem: str
) -> None:
    github = GitHub(
        endpoints=Endpoints(
            api_url="http://127.0.0.1:1", graphql_url="http://127.0.0.1:1", server_url="http://x"
        ),
        identity=AppIdentity(app_id=1, client_id=None, private_key=Secret(pem), slug="openinspect"),
        session=session,
        clock=clock,
        on_secret=lambda text: None,
    )
    with pytest.raises(errors.Unreachable, match="5 times"):
        await github.installation_of("acme/app")
    assert len(clock.slept) == 4


# -- just created


async def test_a_new_comment_may_not_be_known_everywhere_yet(
    client: Client, server: Server, clock: FakeClock
) -> None:
    missing = Says(status=404, body={"message": "Not Found"})
    server.on("POST", COMMENTS, Says(status=201, body=comment_body()))
    server.on("PATCH", COMMENT, missing, missing, Says(body=comment_body(body="y")))
    made = await client.repository.create_comment(7, "x")
    assert (await client.repository.edit_comment(made.id, "y")).body == "y"
    assert clock.slept == [2.0, 8.0]


async def test_an_old_comment_that_is_missing_is_missing(
    client: Client, server: Server, clock: FakeClock
) -> None:
    server.on("POST", COMMENTS, Says(status=201, body=comment_body()))
    made = await client.repository.create_comment(7, "x")
    clock.pass_(minutes=2)
    with pytest.raises(errors.NotFound):
        await client.repository.edit_comment(made.id, "y")
    assert await client.repository.comment(made.id) is None
    assert clock.slept == []


# -- answers that cannot be read


@pytest.mark.parametrize(
    "answer",
    [
        Says(raw=b"<html>", headers={"content-type": "text/html"}),
        Says(raw=b'{"id": 1'),
        Says(raw=b"\xff\xfe", headers={"content-type": "application/json; charset=utf-8"}),
        Says(raw=b"{}", headers={"content-type": "application/json; charset=klingon"}),
        Says(raw=b"[" * 100_000),
        Says(raw=b""),
        Says(body=[]),
        Says(body={"id": True}),
        Says(body={**comment_body(), "created_at": "yesterday"}),
        Says(status=203, body=comment_body()),
    ],
)
async def test_a_wrong_answer_is_a_typed_error(
    client: Client, server: Server, answer: Says
) -> None:
    server.on("GET", COMMENT, answer)
    with pytest.raises(errors.BadAnswer):
        await client.repository.comment(1)


async def test_lists_that_are_no_lists(client: Client, server: Server) -> None:
    """Above all none of them is an empty list, after which one would create what is there."""
    for body in ({}, "text", "", None, 5, [5], [[]], [{}]):
        server.on("GET", COMMENTS, Says(body=body))
        with pytest.raises(errors.BadAnswer):
            await client.repository.comments(7)
    server.on("GET", "/api/v3/repos/acme/app/commits/abc/check-runs", Says(body={"total_count": 0}))
    with pytest.raises(errors.BadAnswer, match="check_runs should be a list"):
        await client.repository.check_runs("abc", "openinspect")


# -- elsewhere


async def test_a_rename_is_followed_and_learned(
    client: Client, server: Server, clock: FakeClock
) -> None:
    await client.repository.info()
    server.on("GET", rf"/api/v3/repositories/{REPOSITORY}", Says(body=repository_body("acme/new")))
    moved = f"{server.root}/api/v3/repositories/{REPOSITORY}/issues/comments/1"
    server.on("GET", COMMENT, Says(status=301, headers={"location": moved}))
    server.on(
        "GET", rf"/api/v3/repositories/{REPOSITORY}/issues/comments/1", Says(body=comment_body())
    )
    server.on("GET", COMMENT.replace("app", "new"), Says(body=comment_body(body="at its new name")))
    assert await client.repository.comment(1) is not None
    second = await client.repository.comment(1)
    assert second is not None
    assert second.body == "at its new name"
    assert client.repository.full_name == "acme/new"


async def test_a_redirected_write_is_sent_again_as_it_was(client: Client, server: Server) -> None:
    there = rf"/api/v3/repositories/{REPOSITORY}/issues/7/comments"
    server.on("POST", COMMENTS, Says(status=307, headers={"location": there}))
    server.on("POST", there, Says(status=201, body=comment_body()))
    await client.repository.create_comment(7, "hello")
    assert server.seen("POST", there)[0].body == {"body": "hello"}


async def test_a_name_that_went_to_someone_else_is_not_believed(
    client: Client, server: Server, clock: FakeClock
) -> None:
    """`acme/app` was renamed, and a stranger made another `acme/app` with a public file in it."""
    await client.repository.info()
    clock.pass_(minutes=6)
    server.on("GET", rf"/api/v3/repositories/{REPOSITORY}", Says(body=repository_body("acme/new")))
    server.on("GET", COMMENT, Says(body=comment_body(body="the stranger's")))
    server.on("GET", COMMENT.replace("app", "new"), Says(body=comment_body(body="ours")))
    found = await client.repository.comment(1)
    assert found is not None
    assert found.body == "ours"


async def test_after_a_404_the_name_is_asked_for_again(
    client: Client, server: Server, clock: FakeClock
) -> None:
    await client.repository.info()
    clock.pass_(minutes=1)
    server.on("GET", rf"/api/v3/repositories/{REPOSITORY}", Says(body=repository_body("acme/new")))
    server.on("GET", COMMENT.replace("app", "new"), Says(body=comment_body()))
    assert await client.repository.comment(1) is not None


async def test_another_repository_under_our_number_is_refused(
    client: Client, server: Server
) -> None:
    other = {**repository_body(), "id": 1}
    server.on("GET", rf"/api/v3/repositories/{REPOSITORY}", Says(body=other))
    with pytest.raises(errors.BadAnswer, match="another repository"):
        await client.repository.comment(1)


async def test_a_token_is_never_taken_to_another_host(
    client: Client, server: Server, session: aiohttp.ClientSession
) -> None:
    for location in ("http://evil.test/steal", "//evil.test/steal", "file:///etc/passwd"):
        server.on("GET", COMMENT, Says(status=302, headers={"location": location}))
        with pytest.raises(errors.BadAnswer, match="away from GitHub's API"):
            await client.repository.comment(1)
    links = {"link": '<http://evil.test/page2>; rel="next"'}
    server.on("GET", COMMENTS, Says(body=[], headers=links))
    with pytest.raises(errors.BadAnswer, match="away from GitHub's API"):
        await client.repository.comments(7)


async def test_a_redirect_without_end(client: Client, server: Server) -> None:
    server.on("GET", COMMENT, Says(status=302, headers={"location": COMMENT}))
    with pytest.raises(errors.BadAnswer, match="redirect"):
        await client.repository.comment(1)
    server.on("GET", COMMENT, Says(status=302))
    with pytest.raises(errors.BadAnswer, match="redirect"):
        await client.repository.comment(1)


# -- pages, ETags, headers


async def test_all_pages_are_read(client: Client, server: Server) -> None:
    def page(request: Request) -> Says:
        number = int(request.query.get("page", "1"))
        link = f'<{server.root}{request.path}?per_page=100&page={number + 1}>; rel="next"'
        items = [comment_body(number * 1000 + i) for i in range(100 if number < 3 else 5)]
        return Says(body=items, headers={"link": link} if number < 3 else {})

    server.on("GET", COMMENTS, page)
    found = await client.repository.comments(7)
    assert len(found) == 205
    assert len({comment.id for comment in found}) == 205


async def test_a_list_without_end_is_given_up(client: Client, server: Server) -> None:
    link = {"link": f'<{server.root}{COMMENTS}?page=2>; rel="next"'}
    many = json.dumps([comment_body()] * 3000).encode()
    server.on("GET", COMMENTS, Says(raw=many, headers=link))
    with pytest.raises(errors.BadAnswer, match="without end"):
        await client.repository.comments(7)


async def test_an_unchanged_answer_is_not_sent_again(client: Client, server: Server) -> None:
    def answer(request: Request) -> Says:
        if request.headers.get("if-none-match") == '"v1"':
            return Says(status=304, headers={"etag": '"v1"'})
        return Says(body=comment_body(), headers={"etag": '"v1"'})

    server.on("GET", COMMENT, answer)
    first, second = await client.repository.comment(1), await client.repository.comment(1)
    assert first == second
    statuses = [status for template, status in client.observed if "comment_id" in template]
    assert statuses == [200, 304]


async def test_what_is_remembered_is_bounded(client: Client, server: Server) -> None:
    server.on(
        "GET",
        r"/api/v3/repos/acme/app/issues/comments/\d+",
        lambda request: Says(body=comment_body(), headers={"etag": '"x"'}),
    )
    for number in range(1, 600):
        await client.repository.comment(number)
    assert len(client.github._line.cache) == 512
    server.on("GET", COMMENT, Says(body=comment_body(body="x" * 70_000), headers={"etag": '"x"'}))
    await client.repository.comment(1)
    await client.repository.comment(1)
    assert "if-none-match" not in server.seen("GET", COMMENT)[-1].headers


async def test_every_request_says_who_asks_and_for_which_version(
    client: Client, server: Server
) -> None:
    server.on("GET", COMMENT, Says(body=comment_body()))
    await client.repository.comment(1)
    for request in server.requests:
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["user-agent"] == "openinspect (openinspect)"


async def test_names_cannot_leave_their_place_in_a_path(client: Client, server: Server) -> None:
    await client.repository.permission("../../evil?x=1#y")
    assert server.requests[-1].path.endswith("/collaborators/..%2F..%2Fevil%3Fx%3D1%23y/permission")
    await client.repository.branch_head("feature/a#b?c{d}")
    assert server.requests[-1].path.endswith("/git/ref/heads/feature/a%23b%3Fc%7Bd%7D")


async def test_a_huge_answer_is_not_read_to_its_end(client: Client, server: Server) -> None:
    server.on("GET", COMMENT, Says(raw=b" " * (33 * 1024 * 1024)))
    with pytest.raises(errors.BadAnswer, match="32 MiB"):
        await client.repository.comment(1)


# -- GraphQL


def templates(**named: str) -> dict[str, object]:
    listed = [{"filename": f"{name}.md", "body": body} for name, body in named.items()]
    return {"databaseId": REPOSITORY, "pullRequestTemplates": listed}


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        (templates(PULL_REQUEST_TEMPLATE="one"), "one"),
        (templates(bugfix="one", feature="two"), None),
        (templates(bugfix="one", pull_request_template="two"), "two"),
        (templates(), None),
        (templates(only=""), None),
        ({"databaseId": REPOSITORY, "pullRequestTemplates": None}, None),
        ({**templates(only="a stranger's"), "databaseId": 1}, None),
        (None, None),
    ],
)
async def test_the_pull_request_template(
    client: Client, server: Server, repository: object, expected: str | None
) -> None:
    server.on("POST", "/api/graphql", Says(body={"data": {"repository": repository}}))
    assert await client.repository.pull_request_template() == expected


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("NOT_FOUND", errors.NotFound),
        ("FORBIDDEN", errors.Forbidden),
        ("SOMETHING", errors.Invalid),
        (None, errors.Invalid),
    ],
)
async def test_graphql_errors_are_typed(
    client: Client, server: Server, kind: str | None, error: type[Exception]
) -> None:
    body = {"data": {"repository": None}, "errors": [{"type": kind, "message": "no"}]}
    server.on("POST", "/api/graphql", Says(body=body))
    with pytest.raises(error):
        await client.repository.pull_request_template()
