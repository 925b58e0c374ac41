"""Tokens: cut to one repository and the rights of an operation, renewed in time, given back."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from support.github_server import (
    APP_ID,
    INSTALLATION,
    REPOSITORY,
    Client,
    FakeClock,
    Request,
    Says,
    Server,
    claims_of,
    comment_body,
)

from orchestrator.github import AppIdentity, Endpoints, GitHub, errors
from orchestrator.github import tokens as tokens_module
from orchestrator.github.grants import METADATA, READ_CODE, Scope, grant
from orchestrator.github.tokens import Token, Tokens, basic_credentials
from orchestrator.secret import Secret

MINT = r"/api/v3/app/installations/99/access_tokens"
COMMENT = r"/api/v3/repos/acme/app/issues/comments/1"
SCOPE = Scope(installation=INSTALLATION, repository=REPOSITORY, grant=READ_CODE)
LONG = "ghs_12_" + "e" * 30 + "-_." + "f" * 120 + "." + "g" * 340 + "-_"
SHORT = "ghs_" + "a1B2" * 9


async def test_a_token_is_for_one_repository_and_what_the_call_needs(
    client: Client, server: Server
) -> None:
    server.on("GET", COMMENT, Says(body=comment_body()))
    await client.repository.comment(1)
    await client.repository.info()
    asked = [request.body for request in server.seen("POST", MINT)]
    assert asked == [
        {
            "permissions": {"issues": "read", "pull_requests": "read"},
            "repository_ids": [REPOSITORY],
        },
        {"permissions": {"metadata": "read"}, "repository_ids": [REPOSITORY]},
    ]


async def test_it_is_made_once_for_however_many_ask(client: Client, server: Server) -> None:
    server.on("GET", COMMENT, Says(body=comment_body()))
    await asyncio.gather(*(client.repository.comment(1) for _ in range(50)))
    assert len(server.seen("POST", MINT)) == 1


async def test_it_is_renewed_five_minutes_before_its_end(
    client: Client, server: Server, clock: FakeClock
) -> None:
    async def minted() -> int:
        await client.repository.git_credentials(write=False)
        return len([r for r in server.seen("POST", MINT) if "contents" in r.body["permissions"]])

    assert await minted() == 1
    clock.pass_(minutes=54, seconds=59)
    assert await minted() == 1
    clock.pass_(seconds=1)
    assert await minted() == 2


@pytest.mark.parametrize("skew", [-600, -120, 120, 600])
async def test_a_clock_that_is_ten_minutes_off_does_no_harm(
    client: Client, server: Server, key: rsa.RSAPrivateKey, skew: int
) -> None:
    """GitHub refuses what is not of its time; its answer tells the time."""
    server.skew = timedelta(seconds=skew)

    def strict(request: Request) -> Says:
        claims, now = claims_of(request, key), server.now().timestamp()
        if not claims["iat"] <= now < claims["exp"] <= now + 600:
            return Says(status=401, body={"message": "'Expiration time' claim ('exp')"})
        return server.mint(request)

    server.on("POST", MINT, strict)
    server.on("GET", COMMENT, Says(body=comment_body()))
    assert await client.repository.comment(1) is not None
    asked = len(server.seen("POST", MINT))
    await client.repository.branch_head("main")
    assert len(server.seen("POST", MINT)) == asked + 1, "learned, so accepted at once"


async def test_the_jwt(client: Client, server: Server, key: rsa.RSAPrivateKey) -> None:
    server.on("GET", "/api/v3/repos/acme/app/installation", Says(body={"id": 5}))
    assert await client.github.installation_of("acme/app") == 5
    now = int(server.now().timestamp())
    claims = claims_of(server.requests[-1], key)
    assert claims == {"iss": "Iv1.client", "iat": now - 60, "exp": now + 480}


async def test_the_jwt_is_used_again_while_it_is_good(
    client: Client, server: Server, clock: FakeClock
) -> None:
    def shown() -> int:
        return len({request.headers["authorization"] for request in server.requests})

    await client.github.installation_of("a/b")
    clock.pass_(minutes=5)
    await client.github.installation_of("a/b")
    assert shown() == 1
    clock.pass_(minutes=1)
    await client.github.installation_of("a/b")
    assert shown() == 2


async def test_a_jwt_that_is_refused_again_is_a_set_up_mistake(
    client: Client, server: Server
) -> None:
    server.on("GET", "/api/v3/app", Says(status=401, body={"message": "Integration not found"}))
    with pytest.raises(errors.BadCredentials, match="private key"):
        await client.github.verify_app()
    assert len(server.requests) == 2


@pytest.mark.parametrize("token", [SHORT, LONG], ids=["short", "long"])
async def test_both_shapes_are_opaque(client: Client, server: Server, token: str) -> None:
    def answer(request: Request) -> Says:
        made = server.mint(request)
        made.body["token"] = token
        return made

    server.on("POST", MINT, answer)
    server.on("GET", COMMENT, Says(body=comment_body()))
    await client.repository.comment(1)
    assert server.requests[-1].headers["authorization"] == f"Bearer {token}"
    assert token in client.secrets


async def test_every_live_token_is_told_to_the_redactor(client: Client, server: Server) -> None:
    server.on("GET", COMMENT, Says(body=comment_body()))
    await client.repository.comment(1)
    git = await client.repository.git_credentials(write=True)
    for request in server.requests:
        assert request.headers["authorization"].removeprefix("Bearer ") in client.secrets
    assert git.header.reveal().removeprefix("Authorization: Basic ") in client.secrets


@pytest.mark.parametrize(
    "changes",
    [
        {"permissions": {"contents": "write", "metadata": "read"}},
        {"permissions": {"contents": "read", "administration": "write"}},
        {"repositories": [{"id": REPOSITORY}, {"id": 2}]},
        {"repositories": []},
        {"token": ""},
        {"token": None},
        {"expires_at": "soon"},
        {"permissions": []},
    ],
)
async def test_a_token_that_is_not_what_was_asked_for_is_not_used(
    client: Client, server: Server, changes: dict[str, Any]
) -> None:
    def answer(request: Request) -> Says:
        made = server.mint(request)
        return Says(status=201, body={**made.body, **changes})

    server.on("POST", MINT, answer)
    with pytest.raises(errors.BadAnswer):
        await client.github._tokens.token(SCOPE)


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (404, "Not Found", errors.NotInstalled),
        (403, "This installation has been suspended", errors.Suspended),
        (
            422,
            "The permissions requested are not granted to this installation.",
            errors.PermissionMissing,
        ),
        (
            422,
            "There is at least one repository that does not exist or is not accessible.",
            errors.NotInstalled,
        ),
    ],
)
async def test_why_there_is_no_token(
    client: Client, server: Server, status: int, message: str, error: type[Exception]
) -> None:
    server.on("POST", MINT, Says(status=status, body={"message": message}))
    with pytest.raises(error):
        await client.repository.branch_head("main")


async def test_a_missing_permission_is_named(client: Client, server: Server) -> None:
    server.on(
        "POST",
        MINT,
        Says(status=422, body={"message": "The permissions requested are not granted"}),
    )
    with pytest.raises(errors.PermissionMissing, match="contents:read"):
        await client.repository.branch_head("main")


async def test_they_are_given_back_at_the_end(client: Client, server: Server) -> None:
    server.on("DELETE", "/api/v3/installation/token", Says(status=500), Says(status=204))
    server.on("GET", COMMENT, Says(body=comment_body()))
    await client.repository.comment(1)
    used = {r.headers["authorization"] for r in server.seen("GET", ".*")}
    await client.github.close()
    returned = server.seen("DELETE", "/api/v3/installation/token")
    assert {request.headers["authorization"] for request in returned} == used
    await client.github.close()
    assert len(server.seen("DELETE", "/api/v3/installation/token")) == len(returned)


async def test_the_end_does_not_wait_for_a_github_that_is_away(
    client: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "CLOSE_SECONDS", 0.1)
    server.on("DELETE", "/api/v3/installation/token", Says(action="hang"))
    await client.repository.git_credentials(write=False)
    async with asyncio.timeout(2):
        await client.github.close()


async def test_one_who_gives_up_does_not_take_the_token_from_the_others(clock: FakeClock) -> None:
    made, going = asyncio.Event(), asyncio.Event()

    async def mint(scope: Scope) -> Token:
        going.set()
        await made.wait()
        return Token(secret=Secret(SHORT), expires_at=clock.now() + timedelta(hours=1))

    tokens = Tokens(mint=mint, revoke=ignored, clock=clock, on_secret=lambda text: None)
    impatient = asyncio.create_task(tokens.token(SCOPE))
    patient = asyncio.create_task(tokens.token(SCOPE))
    await going.wait()
    impatient.cancel()
    made.set()
    assert (await patient).secret == Secret(SHORT)
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_failure_is_told_to_all_and_then_tried_anew(clock: FakeClock) -> None:
    asked = 0

    async def mint(scope: Scope) -> Token:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise errors.Unavailable(tries=5)

    tokens = Tokens(mint=mint, revoke=ignored, clock=clock, on_secret=lambda text: None)
    outcomes = await asyncio.gather(
        *(tokens.token(SCOPE) for _ in range(5)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [errors.Unavailable] * 5
    assert asked == 1
    with pytest.raises(errors.Unavailable):
        await tokens.token(SCOPE)
    assert asked == 2


async def test_the_old_one_being_refused_late_does_not_drop_the_new_one(clock: FakeClock) -> None:
    count = 0

    async def mint(scope: Scope) -> Token:
        nonlocal count
        count += 1
        secret = Secret(f"ghs_{count:036d}")
        return Token(secret=secret, expires_at=clock.now() + timedelta(hours=1))

    tokens = Tokens(mint=mint, revoke=ignored, clock=clock, on_secret=lambda text: None)
    old = (await tokens.token(SCOPE)).secret
    tokens.refused(SCOPE, old)
    new = (await tokens.token(SCOPE)).secret
    tokens.refused(SCOPE, old)
    assert (await tokens.token(SCOPE)).secret == new != old
    tokens.forget(INSTALLATION)
    assert (await tokens.token(SCOPE)).secret not in (old, new)


async def ignored(secret: Secret) -> None:
    return None


async def test_git_gets_a_token_in_its_environment(client: Client, server: Server) -> None:
    git = await client.repository.git_credentials(write=True, workflows=True)
    minted = server.seen("POST", MINT)[-1]
    assert minted.body["permissions"] == {"contents": "write", "workflows": "write"}
    assert "x-github-stateless-s2s-token" not in minted.headers
    assert git.url == f"{server.root}/acme/app.git"
    variables = git.environment(("core.hooksPath", "/dev/null"))
    assert variables["GIT_CONFIG_COUNT"] == "2"
    assert variables["GIT_CONFIG_KEY_0"] == f"http.{server.root}/acme/app.git.extraheader"
    assert variables["GIT_CONFIG_KEY_1"] == "core.hooksPath"
    assert variables["GIT_TERMINAL_PROMPT"] == "0"
    name, _, value = variables["GIT_CONFIG_VALUE_0"].partition(": ")
    assert name == "Authorization"
    user, _, password = base64.b64decode(value.removeprefix("Basic ")).decode().partition(":")
    assert user == "x-access-token"
    assert password in client.secrets


async def test_the_older_kind_of_token_can_be_asked_for(client: Client, server: Server) -> None:
    """A stopgap, should private git refuse the newer kind."""
    await client.repository.git_credentials(write=False, opaque=True)
    assert server.seen("POST", MINT)[-1].headers["x-github-stateless-s2s-token"] == "disabled"


def test_scopes_are_equal_by_what_they_allow() -> None:
    one = Scope(installation=1, repository=2, grant=grant(a="read", b="write"))
    assert one == Scope(installation=1, repository=2, grant=grant(b="write", a="read"))
    assert one != Scope(installation=1, repository=2, grant=METADATA)
    assert str(one) == "repository 2, a: read, b: write"


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"],
)
async def test_an_unreadable_private_key_is_said_at_once(
    session: Any, clock: FakeClock, text: str
) -> None:
    identity = AppIdentity(app_id=APP_ID, client_id=None, private_key=Secret(text), slug="x")
    with pytest.raises(errors.PrivateKeyUnreadable, match="PEM") as raised:
        GitHub(
            endpoints=Endpoints(),
            identity=identity,
            session=session,
            clock=clock,
            on_secret=lambda text: None,
        )
    assert raised.value.__context__ is None


def test_basic_credentials() -> None:
    assert basic_credentials(Secret("t")).reveal() == base64.b64encode(b"x-access-token:t").decode()
