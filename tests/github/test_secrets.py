"""No credential shows, however a call ends and however its error is looked at."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from support.github_server import Client, Request, Says, Server

from orchestrator.github import Endpoints, errors
from orchestrator.github.errors import said_safely
from orchestrator.secret import Secret

CANARY = "ghs_CANARYcanaryCANARYcanaryCANARY0123ab"
LONG_CANARY = "ghs_12_eyJhbGciOiJSUzI1NiJ9." + "CANARY-_" * 20 + "." + "canary-_" * 40
COMMENT = r"/api/v3/repos/acme/app/issues/comments/1"
COMMENTS = r"/api/v3/repos/acme/app/issues/7/comments"


def everything_of(problem: BaseException) -> str:
    """The error as a logger, debugger or crash reporter may show it, with all it is chained to:
    text, attributes, and the local variables of every frame but this test's own."""
    shown, seen, todo = io.StringIO(), set[int](), [problem]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        todo += [e for e in (one.__cause__, one.__context__) if e is not None]
        print(repr(one), str(one), one.args, vars(one), file=shown)
        print("".join(traceback.format_exception(one)), file=shown)
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "tests" not in Path(frame.f_code.co_filename).parts:
                for name, value in frame.f_locals.items():
                    print(frame.f_code.co_qualname, name, repr(value), file=shown)
    return shown.getvalue()


def echo(request: Request) -> Says:
    """What a broken proxy does: it sends the request back."""
    page = f"<pre>{json.dumps(request.headers)}</pre>".encode()
    return Says(status=502, raw=page, headers={"content-type": "text/html"})


def echo_refusal(status: int) -> Any:
    def answer(request: Request) -> Says:
        words = f"you sent {request.headers['authorization']}"
        body = {"message": words, "errors": [{"message": words, "code": words}]}
        return Says(status=status, body=body)

    return answer


def echo_wrong(request: Request) -> Says:
    return Says(status=200, body={"id": request.headers["authorization"]})


def echo_broken(request: Request) -> Says:
    return Says(status=200, raw=json.dumps(request.headers).encode()[:-1])


ENDS: list[Any] = [
    *(echo_refusal(status) for status in (400, 401, 403, 404, 409, 410, 418, 422, 429, 451, 500)),
    echo,
    echo_wrong,
    echo_broken,
    Says(action="drop"),
    Says(action="truncate"),
    Says(status=302, headers={"location": "http://evil.test/"}),
    Says(status=302, headers={"location": COMMENT}),
    Says(status=200, headers={"x": "y"}, raw=b"\xff"),
    Says(status=203),
]


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged, by us and by the libraries."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=stream))
    yield stream
    logging.getLogger().removeHandler(handler)
    structlog.reset_defaults()


@pytest.mark.parametrize("canary", [CANARY, LONG_CANARY], ids=["short", "long"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: getattr(end, "action", None) or None)
async def test_a_token_shows_in_no_error_and_no_log(
    client: Client, server: Server, logged: io.StringIO, method: str, end: Any, canary: str
) -> None:
    def mint(request: Request) -> Says:
        made = server.mint(request)
        made.body["token"] = canary
        return made

    server.on("POST", r"/api/v3/app/installations/\d+/access_tokens", mint)
    server.on(method, COMMENT if method == "GET" else COMMENTS, end)
    with pytest.raises(errors.GitHubError) as raised:
        if method == "GET":
            found = await client.repository.comment(1)
            assert found is None, "a 404 is no error here"
            raise errors.NotFound
        await client.repository.create_comment(7, "x")
    shown = everything_of(raised.value) + logged.getvalue()
    assert canary not in shown
    assert canary[:24] not in shown
    assert any(r.headers.get("authorization") == f"Bearer {canary}" for r in server.requests)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: getattr(end, "action", None) or None)
async def test_nor_does_the_jwt_or_the_private_key(
    client: Client, server: Server, pem: str, logged: io.StringIO, end: Any
) -> None:
    server.on("POST", r"/api/v3/app/installations/\d+/access_tokens", end)
    with pytest.raises(errors.GitHubError) as raised:
        await client.repository.create_comment(7, "x")
    shown = everything_of(raised.value) + logged.getvalue()
    for request in server.requests:
        assert request.headers["authorization"].removeprefix("Bearer ") not in shown
    assert not any(line in shown for line in pem.splitlines()[1:-1])


async def test_nor_where_no_answer_comes(client: Client, server: Server) -> None:
    client.github._line.timeout = aiohttp.ClientTimeout(total=0.1)
    server.on("GET", COMMENT, Says(action="hang"))
    with pytest.raises(errors.GitHubError) as raised:
        await client.repository.comment(1)
    shown = everything_of(raised.value)
    assert not any(secret in shown for secret in client.secrets)


@pytest.mark.parametrize(
    ("url", "error"),
    [("http://no-such-host.invalid", errors.Unreachable), ("https://127.0.0.1:1", None)],
)
async def test_nor_where_there_is_no_connection(
    client: Client, url: str, error: type[Exception] | None
) -> None:
    client.github._line.endpoints = Endpoints(api_url=url, graphql_url=url, server_url=url)
    with pytest.raises(error or errors.Unreachable) as raised:
        await client.github.installation_of("acme/app")
    shown = everything_of(raised.value)
    assert client.secrets
    assert not any(secret in shown for secret in client.secrets)


def test_what_github_says_is_cut_and_cleaned() -> None:
    assert said_safely("line one\r\nline\x1b[31m two\u2028end") == "line one line [31m two end"
    assert len(said_safely("x" * 1000)) == 300
    assert said_safely("a" * 290 + " " + CANARY) == "a" * 290 + " ***"
    for secret in (CANARY, LONG_CANARY, "gho_" + "a" * 36, "github_pat_" + "1a_" * 20):
        assert said_safely(f"see {secret}, please") in ("see ***, please", "see *** please")
    assert said_safely("Authorization: Basic eDphYmNkZWZnaGlqa2xt") == "Authorization: ***"
    harmless = "Validation Failed: body is too long (maximum is 65536 characters)"
    assert said_safely(harmless) == harmless


def test_a_secret_hides_from_everything_but_reveal() -> None:
    @dataclasses.dataclass(frozen=True)
    class Holder:
        token: Secret

    secret = Secret(CANARY)
    holder = Holder(token=secret)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", repr(holder), f"{[secret]}"]
    shown += [
        repr(dataclasses.asdict(holder)),
        repr(copy.deepcopy(holder)),
        repr(copy.copy(secret)),
    ]
    assert not any(CANARY in text for text in shown)
    assert secret.reveal() == CANARY
    for write in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            write(secret)
    with pytest.raises(AttributeError):
        secret.value = "x"  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        vars(secret)


@given(st.text(), st.text())
def test_secrets_are_equal_by_what_they_hold(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) == (one == other)
    assert hash(Secret(one)) == hash(Secret(one))
    assert Secret(one) != one
    assert bool(Secret(one)) == bool(one)


async def test_nothing_of_ours_sits_in_the_sessions_headers(
    client: Client, server: Server, session: aiohttp.ClientSession
) -> None:
    server.on("GET", COMMENT, Says(status=404))
    await client.repository.comment(1)
    assert "authorization" not in {name.lower() for name in session.headers}
