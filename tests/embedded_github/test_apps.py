"""App JWTs, installation tokens, and what they may see and do."""

from typing import Any

import jwt
import pytest


async def test_an_app_finds_its_installation_and_gets_a_token(stage: Any) -> None:
    me = await stage.client("GET", "/app", token=stage.app_jwt(iss=str(stage.app.id)))
    assert me.body["slug"] == "openinspect" and me.body["client_id"] == stage.app.client_id
    found = await stage.client("GET", "/repos/acme/app/installation", token=stage.app_jwt())
    assert found.body["id"] == stage.installation.id
    listed = await stage.client("GET", "/app/installations", token=stage.app_jwt())
    assert [i["id"] for i in listed.body] == [stage.installation.id]
    made = await stage.mint(repository_ids=[stage.repo.id], permissions={"issues": "write"})
    assert made.status == 201
    assert made.body["permissions"] == {"issues": "write", "metadata": "read"}
    assert made.body["expires_at"] == "2026-11-24T13:00:00Z"
    token = made.body["token"]
    mine = await stage.client("GET", "/installation/repositories", token=token)
    assert [r["full_name"] for r in mine.body["repositories"]] == ["acme/app"]
    assert (await stage.client("DELETE", "/installation/token", token=token)).status == 204
    gone = await stage.client("GET", "/repos/acme/app", token=token)
    assert gone.status == 401 and gone.body["message"] == "Bad credentials"


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"exp": 601}, "too far in the future"),
        ({"exp": -1}, "must be in the future"),
        ({"iat": 120}, "representing the past"),
        ({"iss": "999"}, "Integration not found"),
    ],
)
async def test_a_wrong_jwt_is_refused(stage: Any, claims: dict[str, Any], says: str) -> None:
    now = int(stage.clock.now.timestamp())
    moved = {k: now + v if isinstance(v, int) else v for k, v in claims.items()}
    if claims == {"exp": 601}:
        moved = {"exp": now + 660}
    refused = await stage.client("GET", "/app", token=stage.app_jwt(**moved))
    assert refused.status == 401 and says in refused.body["message"]


async def test_another_key_or_algorithm_does_not_sign_for_the_app(stage: Any) -> None:
    other = stage.gh.create_app("other")
    now = int(stage.clock.now.timestamp())
    claims = {"iat": now, "exp": now + 60, "iss": stage.app.client_id}
    for key, algorithm in ((other.private_key_pem, "RS256"), ("guess" * 16, "HS256")):
        forged = jwt.encode(claims, key, algorithm=algorithm)
        assert (await stage.client("GET", "/app", token=forged)).status == 401


async def test_a_token_ends_after_an_hour(stage: Any) -> None:
    stage.clock.advance(minutes=59)
    assert (await stage.client("GET", "/repos/acme/app")).status == 200
    stage.clock.advance(minutes=1)
    assert (await stage.client("GET", "/repos/acme/app")).status == 401


async def test_a_token_never_gets_more_than_the_installation_has(stage: Any) -> None:
    assert (await stage.mint(permissions={"administration": "write"})).status == 422
    assert (await stage.mint(permissions={"issues": "admin"})).status == 422
    assert (await stage.mint(repositories=["elsewhere"])).status == 422
    ids = [stage.repo.id] * 501
    assert (await stage.mint(repository_ids=ids)).status == 422


async def test_what_a_narrow_token_cannot_do_or_see(stage: Any) -> None:
    gh = stage.gh
    await gh.create_repository("acme/secret", files={"a": "b"}, private=True)
    await gh.create_repository("acme/open", files={"a": "b"})
    await gh.open_issue(stage.repo, by=stage.alice, title="x")
    token = gh.token_for(stage.installation, permissions={"issues": "read"})

    async def status(method: str, path: str, body: Any = None) -> int:
        return (await stage.client(method, path, body, token=token)).status

    assert await status("GET", "/repos/acme/app/issues/1") == 200
    assert await status("POST", "/repos/acme/app/issues/1/comments", {"body": "x"}) == 403
    assert await status("GET", "/repos/acme/app/contents/README.md") == 403
    assert await status("GET", "/repos/acme/secret") == 404
    assert await status("GET", "/repos/acme/nowhere") == 404
    assert await status("GET", "/repos/acme/open/contents/a") == 200
    assert await status("POST", "/repos/acme/open/issues", {"title": "x"}) == 403
    refused = await stage.client(
        "POST", "/repos/acme/app/issues/1/comments", {"body": "x"}, token=token
    )
    assert refused.body["message"] == "Resource not accessible by integration"
    assert await status("GET", "/app") == 401


async def test_both_shapes_of_tokens(stage: Any) -> None:
    short = (await stage.mint()).body["token"]
    assert short.startswith("ghs_") and len(short) == 40
    stage.app.long_tokens = True
    long = (await stage.mint()).body["token"]
    assert long.startswith(f"ghs_{stage.app.id}_") and long.count(".") == 2 and len(long) > 450
    assert (await stage.client("GET", "/repos/acme/app", token=long)).status == 200


async def test_permissions_of_people(stage: Any) -> None:
    gh, alice = stage.gh, stage.alice
    path = "/repos/acme/app/collaborators/octocat/permission"
    for level, folded, push in (
        ("admin", "admin", True),
        ("maintain", "write", True),
        ("write", "write", True),
        ("triage", "read", False),
        ("read", "read", False),
    ):
        gh.grant(stage.repo, alice, level)
        got = (await stage.client("GET", path)).body
        assert (got["permission"], got["role_name"]) == (folded, level)
        assert got["user"]["permissions"]["push"] is push and got["user"]["id"] == alice.id
    gh.grant(stage.repo, alice, "write", role_name="reviewer-plus")
    assert (await stage.client("GET", path)).body["role_name"] == "reviewer-plus"
    gh.create_person("drive-by")
    stranger = await stage.client("GET", "/repos/acme/app/collaborators/drive-by/permission")
    assert stranger.body["permission"] == "read"
    unknown = await stage.client("GET", "/repos/acme/app/collaborators/nobody/permission")
    assert unknown.status == 404


async def test_uninstalling_ends_its_tokens(stage: Any) -> None:
    stage.gh.uninstall(stage.installation)
    assert (await stage.client("GET", "/repos/acme/app")).status == 401
    assert (await stage.mint()).status == 404
    await stage.gh.deliver_pending()
    assert stage.inbox.events == ["installation"]


async def test_adding_and_removing_repositories_is_announced(stage: Any) -> None:
    second = await stage.gh.create_repository("acme/second", files={"a": "b"})
    stage.gh.install(stage.app, [second])
    stage.gh.uninstall(stage.installation, [second])
    await stage.gh.deliver_pending()
    assert stage.inbox.events == ["installation_repositories"] * 2


async def test_the_small_routes(stage: Any) -> None:
    call = stage.client
    assert (await call("GET", f"/repositories/{stage.repo.id}")).body["full_name"] == "acme/app"
    assert (await call("GET", "/repositories/1")).status == 404
    assert (await call("GET", "/users/octocat")).body["id"] == stage.alice.id
    assert (await call("GET", "/users/openinspect[bot]")).body["type"] == "Bot"
    assert (await call("GET", f"/user/{stage.alice.id}")).body["login"] == "octocat"
    assert (await call("GET", "/rate_limit")).body["resources"]["core"]["limit"] == 5_000
    assert (await call("GET", "/meta")).status == 200
    assert (await call("GET", "/repos/acme/app/rules/branches/any/thing")).body == []
    assert (await call("GET", "/app/hook/config", token=stage.app_jwt())).body["url"]
    assert (await call("GET", "/user")).status == 403
    token = stage.gh.personal_token(stage.alice)
    assert (await call("GET", "/user", token=token)).body["login"] == "octocat"
    made = await call("POST", "/repos/acme/app/issues", {"title": "By hand"}, token=token)
    assert made.body["performed_via_github_app"] is None
    no_agent = await call("GET", "/rate_limit", User_Agent="")
    assert no_agent.status == 403


async def test_the_hourly_limit_can_be_enforced(stage: Any) -> None:
    stage.gh.rest.enforce_limits = True
    stage.gh.rest.spend(stage.installation, 4_999)
    last = await stage.client("GET", "/repos/acme/app")
    assert (last.status, last.headers["X-RateLimit-Remaining"]) == (200, "0")
    refused = await stage.client("GET", "/repos/acme/app")
    assert refused.status == 403 and refused.headers["X-RateLimit-Remaining"] == "0"
    stage.clock.advance(hours=1)
    token = stage.gh.token_for(stage.installation)
    assert (await stage.client("GET", "/repos/acme/app", token=token)).status == 200
