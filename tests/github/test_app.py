"""The App as a whole: who it is at start, what was delivered, what is known of files."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.github_server import (
    APP_ID,
    BOT_ID,
    INSTALLATION,
    Client,
    FakeClock,
    Request,
    Says,
    Server,
    comment_body,
)

from orchestrator.github import CheckOutput, EntryKind, Rate, errors
from orchestrator.github.http import EtagCache

APP = {
    "id": APP_ID,
    "slug": "openinspect",
    "name": "Open-Inspect",
    "permissions": {"contents": "write"},
    "events": ["issues"],
}
BOT = r"/api/v3/users/openinspect%5Bbot%5D"
TREES = r"/api/v3/repos/acme/app/git/trees/"
BLOBS = r"/api/v3/repos/acme/app/git/blobs/"
COMMIT, BLOB = "c" * 40, "b" * 40


async def test_the_bot_account_is_looked_up_with_a_usable_installation(
    client: Client, server: Server
) -> None:
    server.on("GET", "/api/v3/app", Says(body=APP))
    installations = [{"id": 1, "suspended_at": "2026-01-01T00:00:00Z"}, {"id": INSTALLATION}]
    server.on("GET", "/api/v3/app/installations", Says(body=installations))
    server.on("GET", BOT, Says(body={"id": BOT_ID}))
    assert (await client.github.verify_app()).bot_user_id == BOT_ID
    minted = server.seen("POST", r"/api/v3/app/installations/\d+/access_tokens")
    assert [request.path.split("/")[-2] for request in minted] == [str(INSTALLATION)]
    assert minted[0].body == {"permissions": {"metadata": "read"}}


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (Says(body={"id": BOT_ID}), BOT_ID),
        (Says(status=404), None),
        (Says(status=401), None),
        (Says(status=403, body={"message": "private mode"}), None),
    ],
)
async def test_before_the_first_installation_a_stranger_asks(
    client: Client, server: Server, says: Says, expected: int | None
) -> None:
    server.on("GET", "/api/v3/app", Says(body=APP))
    server.on("GET", "/api/v3/app/installations", Says(body=[]))
    server.on("GET", BOT, says)
    info = await client.github.verify_app()
    assert info.bot_user_id == expected
    assert (info.slug, info.events) == ("openinspect", ("issues",))
    assert all("authorization" not in request.headers for request in server.seen("GET", BOT))


@pytest.mark.parametrize("changes", [{"slug": "another"}, {"id": 1}])
async def test_the_wrong_app_is_said(
    client: Client, server: Server, changes: dict[str, Any]
) -> None:
    server.on("GET", "/api/v3/app", Says(body={**APP, **changes}))
    with pytest.raises(errors.WrongApp, match="is configured"):
        await client.github.verify_app()


async def test_deliveries_come_page_by_page(client: Client, server: Server) -> None:
    item = {
        "id": 12345678901234567,
        "guid": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
        "delivered_at": "2026-03-01T11:00:00Z",
        "redelivery": False,
        "status": "OK",
        "status_code": 200,
        "event": "issues",
        "action": "opened",
        "installation_id": 123,
        "repository_id": 456,
    }
    following = f"{server.root}/api/v3/app/hook/deliveries?per_page=100&cursor=v1_42"
    server.on(
        "GET",
        "/api/v3/app/hook/deliveries",
        Says(body=[item], headers={"link": f'<{following}>; rel="next"'}),
        Says(body=[]),
    )
    page = await client.github.deliveries(status="failure")
    assert page.deliveries[0].id == 12345678901234567
    last = await client.github.deliveries(cursor=page.next_cursor)
    assert (last.deliveries, last.next_cursor) == ((), None)
    first, second = server.seen("GET", "/api/v3/app/hook/deliveries")
    assert first.query == {"per_page": "100", "status": "failure"}
    assert second.query == {"per_page": "100", "cursor": "v1_42"}


async def test_a_delivery_without_a_payload_cannot_be_read(client: Client, server: Server) -> None:
    server.on("GET", "/api/v3/app/hook/deliveries/5", Says(body={"request": {"payload": None}}))
    with pytest.raises(errors.BadAnswer, match="payload"):
        await client.github.delivery(5)


async def test_the_rate_is_known_from_the_last_answer(client: Client, server: Server) -> None:
    headers = {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "4321",
        "x-ratelimit-resource": "core",
    }
    server.on("GET", r".*/issues/comments/1", Says(body=comment_body(), headers=headers))
    await client.repository.comment(1)
    assert client.github.rates(INSTALLATION) == {"core": Rate(limit=5000, remaining=4321)}


async def test_a_forgotten_installation_starts_anew(client: Client, server: Server) -> None:
    server.on("GET", r".*/git/ref/heads/main", Says(body={"object": {"sha": COMMIT}}))
    assert await client.repository.branch_head("main") == COMMIT
    client.github.forget_installation(INSTALLATION)
    await client.repository.branch_head("main")
    assert server.tokens == 2


def folder(*entries: dict[str, Any], **more: Any) -> Says:
    return Says(body={"tree": list(entries), **more})


def entry(path: str, mode: str = "100644", sha: str = BLOB, size: int = 2) -> dict[str, Any]:
    return {"path": path, "mode": mode, "sha": sha, "size": size}


def blob(content: bytes) -> Says:
    return Says(body={"encoding": "base64", "content": base64.encodebytes(content).decode()})


async def test_what_is_in_a_commit_is_asked_for_once(client: Client, server: Server) -> None:
    server.on("GET", TREES + ".*", folder(entry("a")))
    server.on("GET", BLOBS + BLOB, blob(b"hi"))
    for _ in range(3):
        found = await client.repository.file("a", ref=COMMIT)
        assert found is not None
        assert found.content == b"hi"
        assert await client.repository.file("b", ref=COMMIT) is None
    assert len(server.seen("GET", TREES + ".*")) == 1
    assert len(server.seen("GET", BLOBS + ".*")) == 1
    for _ in range(2):
        await client.repository.file("a", ref="main")
    assert len(server.seen("GET", TREES + "main")) == 2, "a branch moves"


async def test_what_is_kept_of_files_is_bounded(client: Client, server: Server) -> None:
    server.on("GET", TREES + ".*", folder(entry("a", size=70_000)))
    server.on("GET", BLOBS + BLOB, blob(b"x" * 70_000))
    for number in range(70):
        await client.repository.file("a", ref=f"{number:040x}")
    assert len(server.seen("GET", BLOBS + ".*")) == 70, "too large to be kept"
    await client.repository.file("a", ref=f"{0:040x}")
    assert len(server.seen("GET", TREES + f"{0:040x}")) == 2, "the oldest went"


async def test_not_listed_is_not_taken_for_not_there(client: Client, server: Server) -> None:
    server.on("GET", TREES + ".*", folder(entry("a"), truncated=True))
    server.on("GET", BLOBS + BLOB, blob(b"hi"))
    assert await client.repository.file("a", ref=COMMIT) is not None
    with pytest.raises(errors.BadAnswer, match="too large"):
        await client.repository.file(".openinspect/config.yml", ref=COMMIT)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("120000", EntryKind.SYMLINK),
        ("160000", EntryKind.SUBMODULE),
        ("040000", EntryKind.DIRECTORY),
    ],
)
async def test_only_plain_files_have_content(
    client: Client, server: Server, mode: str, kind: EntryKind
) -> None:
    server.on("GET", TREES + ".*", folder(entry("a", mode=mode)))
    found = await client.repository.file("a", ref=COMMIT)
    assert found is not None
    assert (found.kind, found.content) == (kind, None)
    assert server.seen("GET", BLOBS + ".*") == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"encoding": "utf-8", "content": "grüß"}, "grüß".encode()),
        ({"encoding": "base64", "content": ""}, b""),
        ({"encoding": "base64", "content": "!!"}, None),
        ({"encoding": "none", "content": ""}, None),
    ],
)
async def test_how_a_blob_is_written(
    client: Client, server: Server, body: dict[str, str], expected: bytes | None
) -> None:
    server.on("GET", TREES + ".*", folder(entry("a")))
    server.on("GET", BLOBS + BLOB, Says(body=body))
    if expected is None:
        with pytest.raises(errors.BadAnswer, match="should be"):
            await client.repository.file("a", ref=COMMIT)
    else:
        found = await client.repository.file("a", ref=COMMIT)
        assert found is not None
        assert found.content == expected


@pytest.mark.parametrize("status", [404, 409])
async def test_an_empty_repository_has_nothing(client: Client, server: Server, status: int) -> None:
    empty = Says(status=status, body={"message": "Git Repository is empty."})
    server.on("GET", r".*/git/.*", empty)
    assert await client.repository.branch_head("main") is None
    assert await client.repository.file("a", ref="main") is None


async def test_a_check_run_says_only_what_it_is_given(client: Client, server: Server) -> None:
    body = {"id": 1, "name": "n", "head_sha": COMMIT, "status": "queued"}
    server.on("POST", r".*/check-runs", Says(status=201, body=body))
    server.on("PATCH", r".*/check-runs/1", Says(body=body))
    await client.repository.create_check_run(
        name="n", head_sha=COMMIT, external_id="e", status="queued"
    )
    assert server.requests[-1].body == {
        "name": "n",
        "head_sha": COMMIT,
        "external_id": "e",
        "status": "queued",
    }
    await client.repository.update_check_run(1, output=CheckOutput(title="t", summary="s"))
    assert server.requests[-1].body == {"output": {"title": "t", "summary": "s"}}
    await client.repository.update_check_run(1, conclusion="success")
    assert server.requests[-1].body == {"conclusion": "success"}


async def test_only_what_our_app_and_its_bot_wrote_is_ours(client: Client, server: Server) -> None:
    """A person acting through our App is not us, nor is a bot that copies the marker."""
    person = {"id": 1, "login": "octocat", "type": "User"}
    comments = [
        comment_body(9, "marker"),
        comment_body(3, "marker"),
        comment_body(4, "marker", user=person),
        comment_body(5, "marker", performed_via_github_app={"id": 1}),
        comment_body(6, "marker", performed_via_github_app=None),
        comment_body(7, "another"),
        comment_body(8, "marker", user=None),
    ]
    server.on("GET", r".*/issues/7/comments", Says(body=comments))
    server.on("GET", BOT, Says(body={"id": BOT_ID}))
    for _ in range(2):
        found = await client.repository.find_own_comments(7, containing="marker", since=None)
        assert [comment.id for comment in found] == [3, 9]
    assert len(server.seen("GET", BOT)) == 1


async def test_comments_since_a_moment(client: Client, server: Server, clock: FakeClock) -> None:
    server.on("GET", r".*/issues/7/comments", Says(body=[]))
    await client.repository.comments(7, since=clock.now())
    assert server.requests[-1].query == {"per_page": "100", "since": "2026-03-01T12:00:00Z"}


async def test_another_branchs_pulls_are_left_out(client: Client, server: Server) -> None:
    """GitHub ignores a `head` that it does not understand, and lists everything."""

    def pull(number: int, ref: str, repository: int | None) -> dict[str, Any]:
        home = None if repository is None else {"id": repository, "full_name": "x/y"}
        side = {"ref": ref, "sha": COMMIT, "repo": home}
        return {
            "number": number,
            "title": "t",
            "state": "open",
            "head": side,
            "base": side,
            "html_url": "u",
            "created_at": "2026-03-01T11:00:00Z",
            "updated_at": "2026-03-01T11:00:00Z",
        }

    ours = client.repository.id
    listed = [pull(9, "b", ours), pull(4, "b", ours), pull(5, "c", ours), pull(6, "b", 1)]
    server.on("GET", r".*/pulls", Says(body=listed))
    assert [p.number for p in await client.repository.pulls_with_head("b")] == [4, 9]
    assert server.requests[-1].query["head"] == "acme:b"


async def test_a_hundred_callers_do_not_storm_a_limit(client: Client, server: Server) -> None:
    """GitHub gives no number, and is limited for longer than the first wait."""
    until = server.now() + timedelta(seconds=90)
    refused: list[datetime] = []

    def answer(request: Request) -> Says:
        if request.at < until:
            refused.append(request.at)
            return Says(status=403, body={"message": "secondary rate limit"})
        return Says(body=comment_body())

    server.on("GET", r".*/issues/comments/1", answer)
    await client.repository.info()
    with pytest.raises(errors.RateLimited):
        await client.repository.comment(1)
    assert [(at - refused[0]).total_seconds() for at in refused] == [0, 60]
    outcomes = await asyncio.gather(
        *(client.repository.comment(1) for _ in range(100)), return_exceptions=True
    )
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes)
    assert len(refused) == 2
    assert server.seen("GET", r".*/issues/comments/1")[2].at >= until


def test_the_memory_of_answers_is_one_mapping_per_installation() -> None:
    cache = EtagCache(size=2)
    ours, theirs = cache.of("1"), cache.of("2")
    ours["u"] = ('"a"', None, {}, None)
    theirs["u"] = ('"b"', None, {}, None)
    assert (ours["u"][0], theirs["u"][0]) == ('"a"', '"b"')
    assert (list(ours), len(theirs)) == (["u"], 1)
    ours["v"] = ('"c"', None, {}, None)
    assert "u" not in ours or "u" not in theirs
    del ours["v"]
    assert "v" not in ours


def test_every_error_has_a_sentence_a_code_and_no_braces() -> None:
    facts = {
        "found": "a",
        "configured": "b",
        "permissions": "c",
        "until": FakeClock().now(),
        "kind": "primary",
        "tries": 5,
        "reason": "r",
    }
    todo: list[type[errors.GitHubError]] = [errors.GitHubError]
    make: Callable[..., errors.GitHubError]
    while todo:
        make = todo.pop()
        todo += make.__subclasses__()
        problem = make(call="GET /x/{y}", status=418, said="teapot", **facts)
        sentence = str(problem).split(" [")[0]
        assert "{" not in sentence
        assert sentence.endswith(".")
        assert str(problem).endswith("[GET /x/{y}, 418]: teapot")
        assert problem.code == make.__name__
