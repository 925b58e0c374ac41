"""People's own tools ask through the API: the same road as a mention, with a token to show."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.cli import main
from bot.demo.github import Fault, Person
from orchestrator.apitokens import Scope, TokenRepository
from orchestrator.session.values import Person as Somebody
from orchestrator.session.values import RepositoryId, UserId
from orchestrator.stores.tokenbook import FILE, TokenBook

from .conftest import World, make_world

FIX = "sh: echo fixed > fix.txt && git add -A && git commit -qm 'Fix the thing'\nsay: Fixed it."


@dataclass
class Reply:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def why(self) -> str:
        return str(self.body["detail"])


@dataclass
class Tool:
    """A program of somebody's with a token."""

    world: World
    http: aiohttp.ClientSession
    book: TokenBook
    token: str = ""

    def issue_token(
        self,
        person: Person | None = None,
        *,
        name: str = "ci",
        scopes: tuple[Scope, ...] = tuple(Scope),
        everywhere: bool = False,
        repository: int = 0,
        days: float = 30,
    ) -> str:
        world = self.world
        who = person or world.alice
        repo = TokenRepository(
            id=RepositoryId(repository or world.repo.id), full_name=world.repo.full_name
        )
        _, secret = self.book.create(
            name=name,
            person=Somebody(id=UserId(who.id), login=who.login),
            scopes=frozenset(scopes),
            repositories=None if everywhere else [repo],
            now=world.clock.now(),
            life=timedelta(days=days),
        )
        return secret.reveal()

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes | None = None,
        token: str | None = None,
        **headers: str,
    ) -> Reply:
        sent = {"Authorization": f"Bearer {self.token if token is None else token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        if data is None and body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.http.request(method, self.url + path, data=data, headers=sent) as answer:
            raw = await answer.read()
            body = json.loads(raw) if "json" in answer.content_type else raw
            return Reply(answer.status, body, answer.headers)

    async def ask(self, prompt: str, *, issue: object = 1, **more: Any) -> Reply:
        headers = {k: more.pop(k) for k in ("token", "Idempotency_Key") if k in more}
        body = {"repository": "acme/app", "issue": issue, "prompt": prompt, **more}
        if issue is None:
            del body["issue"]
        return await self("POST", "/api/sessions", body, **headers)

    @property
    def url(self) -> str:
        assert self.world.server is not None
        return f"http://127.0.0.1:{self.world.server.port}"

    async def ended(self, session: str, prompt: str) -> Mapping[str, Any]:
        """The turn of `prompt`, once it is over."""
        async with asyncio.timeout(40):
            while True:
                reply = await self("GET", f"/api/sessions/{session}")
                assert reply.status == 200, reply.body
                for turn in reply.body["turns"]:
                    if turn["prompt"] == prompt and turn["outcome"]:
                        return {**reply.body, "turn": turn}
                await asyncio.sleep(0.25)

    async def record(self, decision: str) -> dict[str, Any]:
        assert self.world.server is not None
        kept = await self.world.server.journal.decision(decision)
        assert kept is not None
        return dict(json.loads(kept.record))

    @property
    def data(self) -> Path:
        return self.world.root / "server"


@contextlib.asynccontextmanager
async def tool_of(world: World) -> AsyncIterator[Tool]:
    book = TokenBook(world.root / "server" / FILE)
    async with aiohttp.ClientSession() as http:
        tool = Tool(world, http, book)
        tool.token = tool.issue_token()
        yield tool
    book.close()


@pytest.fixture
async def tool(world: World) -> AsyncIterator[Tool]:
    async with tool_of(world) as made:
        yield made


async def test_a_request_becomes_a_pull_request_by_the_tokens_person(
    world: World, tool: Tool, capsys: pytest.CaptureFixture[str]
) -> None:
    number = await world.issue("The retry test is flaky")
    reply = await tool.ask(FIX, issue=number)
    assert reply.status == 201, reply.body
    session, prompt = reply.body["session"]["id"], reply.body["prompt"]
    assert session == world.session(number)
    assert reply.headers["Location"] == f"/api/sessions/{session}"
    assert reply.headers["Cache-Control"] == "no-store"

    shown = await tool.ended(session, prompt)
    assert shown["turn"]["outcome"] == "succeeded"
    assert shown["turn"]["author"] == {"login": "alice", "id": world.alice.id}
    assert shown["turn"]["said"] == "Fixed it."
    [pull] = world.github.pulls(world.repo)
    assert shown["pull_request"] == pull.number
    assert shown["links"]["pull_request"].endswith(f"/acme/app/pull/{pull.number}")
    [commit] = [
        c for c in world.github.commits(world.repo, pull.head) if c.title != "Initial commit"
    ]
    assert commit.author.email == f"{world.alice.id}+alice@users.noreply.github.com"

    await world.until_status(number, "Done")
    asked = [c.body for c in world.ours(number) if "asked through the API" in c.body]
    assert len(asked) == 1, "the thread shows who asked, and what, once"
    assert "@alice" in asked[0] and "Fix the thing" in asked[0]
    assert not [e for e in world.github.exchanges if e.path.endswith("/reactions")]

    assert main(["explain", reply.body["decision"], "--data", str(tool.data)]) == 0
    said = capsys.readouterr().out
    assert "(api.created" in said and "→ accepted" in said
    assert "1. token: ok" in said
    assert "asked through the API: ok (with the API token `ci`)" in said
    assert main(["explain", f"acme/app#{number}", "--data", str(tool.data)]) == 0
    assert reply.body["decision"] in capsys.readouterr().out


async def test_the_same_key_is_one_request(world: World, tool: Tool) -> None:
    number = await world.issue()
    same = [tool.ask("say: once", issue=number, Idempotency_Key="build-7") for _ in range(5)]
    replies = await asyncio.gather(*same)
    assert sorted(reply.status for reply in replies) == [200, 200, 200, 200, 201]
    assert len({json.dumps([r.body["prompt"], r.body["decision"]]) for r in replies}) == 1
    assert {r.headers.get("Idempotency-Replayed") for r in replies} == {None, "true"}
    first = replies[0].body
    await tool.ended(first["session"]["id"], first["prompt"])
    again = await tool.ask("say: once", issue=number, key="build-7")
    assert again.status == 200
    quoted = await tool.ask("say: once", issue=number, Idempotency_Key='"build-7"')
    assert quoted.body["prompt"] == first["prompt"]
    state = await world.state(number)
    assert len(state.turns) == 1

    other = await tool.ask("say: something else", issue=number, Idempotency_Key="build-7")
    assert (other.status, other.body["type"]) == (422, "urn:openinspect:problem:key")
    differ = await tool.ask("say: once", issue=number, key="a", Idempotency_Key="b")
    assert differ.status == 400
    theirs = tool.issue_token(world.bob, name="bobs")
    reply = await tool.ask("say: twice", issue=number, Idempotency_Key="build-7", token=theirs)
    assert reply.status == 201, "keys of different tokens have nothing to do with one another"


async def test_a_new_issue_is_opened_once_though_the_answer_was_lost(
    world: World, tool: Tool
) -> None:
    opening = {"method": "POST", "path": r"/repos/acme/app/issues$"}
    world.github.fail(Fault(kind="after_effect_drop", **opening))
    world.github.fail(Fault(kind="hidden_in_listings", delay=10, **opening))
    lost = await tool.ask("say: hello", issue="new", title="From CI", Idempotency_Key="k")
    assert lost.status == 503, lost.body
    assert lost.headers["Retry-After"] == "12"
    early = await tool.ask("say: hello", issue="new", title="From CI", Idempotency_Key="k")
    assert early.status == 503, "it may be there, and listings do not show it yet"
    world.clock.leap(12)
    reply = await tool.ask("say: hello", issue="new", title="From CI", Idempotency_Key="k")
    assert reply.status == 201, reply.body
    shown = await tool.ended(reply.body["session"]["id"], reply.body["prompt"])
    assert shown["title"] == "From CI"
    assert [issue.title for issue in world.repo.issues.values()] == ["From CI"]
    again = await tool.ask("say: hello", issue="new", title="From CI", Idempotency_Key="k")
    assert again.body["session"]["issue"] == shown["issue"]
    body = world.repo.issues[shown["issue"]].body
    assert "Opened for @alice" in body


async def test_a_word_is_no_word_and_an_option_no_option_in_a_prompt(
    world: World, tool: Tool
) -> None:
    number = await world.issue()
    for text in ("stop", "model=x say: hi", "run 3f2a91c0", "@openinspect stop", "> quoted"):
        reply = await tool.ask(text, issue=number)
        assert reply.status == 201, reply.body
        await tool.ended(reply.body["session"]["id"], reply.body["prompt"])
    state = await world.state(number)
    assert [t.prompt.text for t in state.turns] == [
        "stop",
        "model=x say: hi",
        "run 3f2a91c0",
        "@openinspect stop",
        "> quoted",
    ]


async def test_model_and_effort_are_those_of_the_turn(world: World, tool: Tool) -> None:
    number = await world.issue()
    reply = await tool.ask("say: hi", issue=number, model="anthropic/claude-x", effort="high")
    assert reply.status == 201, reply.body
    await tool.ended(reply.body["session"]["id"], reply.body["prompt"])
    [turn] = (await world.state(number)).turns
    assert (turn.prompt.model, turn.prompt.effort) == ("anthropic/claude-x", "high")
    [asked] = [c.body for c in world.ours(number) if "asked through the API" in c.body]
    assert "`anthropic/claude-x`" in asked


async def test_people_steer_in_the_thread_what_was_asked_through_the_api(
    world: World, tool: Tool
) -> None:
    number = await world.issue()
    reply = await tool.ask("sh: true\nwait", issue=number)
    waiting = await tool.ask("say: later", issue=number)
    await world.until(lambda: "- [x] Ran" in world.status(number))
    listed = await tool("GET", "/api/sessions?repository=acme/app")
    assert [one["id"] for one in listed.body["sessions"]] == [world.session(number)]
    assert listed.body["sessions"][0]["waiting"] == [
        {"prompt": waiting.body["prompt"], "author": "alice"}
    ]
    await world.say("@openinspect stop", on=number, by=world.bob)
    shown = await tool.ended(reply.body["session"]["id"], reply.body["prompt"])
    assert shown["turn"]["outcome"] == "stopped"
    shown = await tool.ended(reply.body["session"]["id"], waiting.body["prompt"])
    assert shown["turn"]["said"] == "later"


async def test_who_shows_no_good_token_gets_nowhere(
    world: World, tool: Tool, capsys: pytest.CaptureFixture[str]
) -> None:
    number = await world.issue()
    ended = tool.issue_token(name="ended", days=1)
    revoked = tool.issue_token(name="revoked")
    tool.book.revoke("revoked", world.clock.now())
    known = tool.token
    world.clock.leap(2 * 24 * 3600)
    before = len(world.github.exchanges)
    cases = [
        ("", "An API token is needed"),
        ("oi_" + "A" * 43, "not an API token of this server"),
        ("ghs_" + "A" * 36, "not an API token of this server"),
        (known[:-1], "not an API token of this server"),
        (ended, "This API token ended on"),
        (revoked, "This API token was revoked on"),
    ]
    for token, said in cases:
        reply = await tool.ask("say: hi", issue=number, token=token)
        assert reply.status == 401, token
        if token:
            assert said in reply.why
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert (await tool("GET", "/api/sessions/1-1-main-1", token=token)).status == 401
    basic = await tool("GET", "/api/sessions?repository=acme/app", Authorization=f"Basic {known}")
    assert basic.status == 401
    assert "An API token is needed" in basic.why
    cookie = await tool(
        "POST", "/api/sessions", {}, token=None, Authorization="", Cookie=f"token={known}"
    )
    assert cookie.status == 401, "a browser sends cookies by itself: they count for nothing"
    in_url = await tool("GET", f"/api/sessions?access_token={known}", Authorization="")
    assert in_url.status == 401
    assert len(world.github.exchanges) == before, "GitHub is not asked for strangers"
    assert world.ours(number) == []
    said_anywhere = capsys.readouterr()
    for token in (known, ended, revoked):
        assert token not in said_anywhere.out + said_anywhere.err, "no token is ever logged"


async def test_a_token_is_good_for_its_scopes_and_repositories_only(
    world: World, tool: Tool
) -> None:
    number = await world.issue()
    other = await world.github.create_repository("acme/other", files={"a.txt": "a"})
    world.github.grant(other, world.alice, "admin")
    world.github.install(world.app, [world.repo, other])
    reading = tool.issue_token(name="reading", scopes=(Scope.READ,))
    writing = tool.issue_token(name="writing", scopes=(Scope.WRITE,))

    reply = await tool.ask("say: hi", issue=number, token=reading)
    assert (reply.status, reply.body["type"]) == (403, "urn:openinspect:problem:scope")
    assert 'error="insufficient_scope"' in reply.headers["WWW-Authenticate"]
    assert (await tool.record(reply.body["decision"]))["rule"] == "scope"
    done = await tool.ask("say: hi", issue=number, token=writing)
    assert done.status == 201
    session = done.body["session"]["id"]
    assert (await tool("GET", f"/api/sessions/{session}", token=writing)).status == 403
    assert (await tool("GET", f"/api/sessions/{session}", token=reading)).status == 200

    for name in ("acme/other", "acme/not-installed", "nobody/nothing"):
        reply = await tool.ask("say: hi", repository=name)
        assert (reply.status, reply.body["type"]) == (404, "urn:openinspect:problem:repository")
        assert reply.why.replace(name, "") == (
            " is not a repository that this token may use: it is not among the token's, the App "
            "is not installed there, or the token's person does not see it."
        )
        assert (await tool.record(reply.body["decision"]))["outcome"] == "refused"
        assert (await tool("GET", f"/api/sessions?repository={name}")).status == 404
    foreign = tool.issue_token(name="foreign", repository=other.id)
    for token in (foreign,):
        assert (await tool("GET", f"/api/sessions/{session}", token=token)).status == 404
    for odd in ("1-1-main-1", f"{world.repo.id}-99-main-1", "x", "..%2f..", "1" * 5000):
        assert (await tool("GET", f"/api/sessions/{odd}")).status == 404, odd
    everywhere = tool.issue_token(name="everywhere", everywhere=True)
    assert (await tool("GET", f"/api/sessions/{session}", token=everywhere)).status == 200
    reply = await tool.ask("say: hi", repository="acme/other", issue=9, token=everywhere)
    assert (reply.status, reply.why) == (404, "acme/other has no #9.")


async def test_a_person_may_through_the_api_what_they_may_on_github(
    world: World, tool: Tool
) -> None:
    number = await world.issue()
    reply = await tool.ask(
        "say: hi", issue=number, token=tool.issue_token(world.stranger, name="strangers")
    )
    assert (reply.status, reply.body["type"]) == (403, "urn:openinspect:problem:permission")
    assert "write" in reply.why
    record = await tool.record(reply.body["decision"])
    assert (record["outcome"], record["rule"], record["event"]) == ("refused", "permission", "api")
    assert record["sender"] == {"login": "drive-by", "id": world.stranger.id}

    assert (await tool.ask("say: hi", issue=number)).status == 201
    world.github.grant(world.repo, world.alice, "read")
    world.clock.leap(61)
    reply = await tool.ask("say: hi again", issue=number)
    assert reply.status == 403, "write access was taken away since the token was made"

    world.github.grant(world.repo, world.alice, "write")
    world.clock.leap(61)
    assert (await tool.ask("say: and again", issue=number)).status == 201


async def test_a_login_that_changed_hands_gets_nobody_in(world: World, tool: Tool) -> None:
    number = await world.issue()
    people = world.github.world.people
    del people["alice"]
    world.alice.login = "alice-moved"
    people["alice-moved"] = world.alice
    thief = world.github.create_person("alice")
    world.github.grant(world.repo, thief, "admin")
    world.github.grant(world.repo, world.alice, "none")
    reply = await tool.ask("say: hi", issue=number)
    assert reply.status == 403, "the new owner of the login is somebody else"

    world.github.grant(world.repo, world.alice, "write")
    world.clock.leap(61)
    reply = await tool.ask("say: hi", issue=number)
    assert reply.status == 201, "and the person goes on under another login"
    shown = await tool.ended(reply.body["session"]["id"], reply.body["prompt"])
    assert shown["turn"]["author"] == {"login": "alice-moved", "id": world.alice.id}

    del people["alice-moved"]
    world.clock.leap(61)
    reply = await tool.ask("say: bye", issue=number)
    assert (reply.status, reply.body["type"]) == (403, "urn:openinspect:problem:person")
    session = shown["id"]
    assert (await tool("GET", f"/api/sessions/{session}")).status == 404


async def test_a_body_that_is_none_is_refused_before_github_is_asked(
    world: World, tool: Tool
) -> None:
    before = len(world.github.exchanges)
    large = json.dumps({"repository": "acme/app", "issue": 1, "prompt": "x" * 262_144}).encode()
    reply = await tool("POST", "/api/sessions", data=large)
    assert (reply.status, reply.why) == (413, "A body has at most 262,144 bytes.")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 65_536

    with contextlib.suppress(aiohttp.ClientError):
        async with tool.http.post(
            f"{tool.url}/api/sessions",
            data=endless(),
            headers={
                "Authorization": f"Bearer {tool.token}",
                "Content-Type": "application/json",
            },
        ) as answer:
            assert answer.status == 413
    unknown = await tool.ask("hi", priority="high", promt="x")
    assert unknown.status == 422
    assert [e["pointer"] for e in unknown.body["errors"]] == ["/priority", "/promt"]
    form = await tool("POST", "/api/sessions", data=b"a=b", Content_Type="text/plain")
    assert form.status == 415
    zipped = await tool("POST", "/api/sessions", data=gzip.compress(b"{}"), Content_Encoding="gzip")
    assert zipped.status == 415
    assert (await tool("GET", "/api/sessions")).status == 400
    assert (await tool("GET", "/api/sessions?repository=a/b&repository=c/d")).status == 400
    assert (await tool("DELETE", "/api/sessions/1-1-main-1")).status == 405
    assert len(world.github.exchanges) == before


async def test_what_may_not_be_asked_is_refused_in_the_words_of_the_thread(
    world: World, tool: Tool
) -> None:
    number = await world.issue()
    missing = await tool.ask("say: hi", issue=99)
    assert (missing.status, missing.why) == (404, "acme/app has no #99.")
    wrong = await tool.ask("say: hi", issue=None, pull_request=number)
    assert wrong.why == f"#{number} is an issue: name it as `issue`."
    empty = await tool.ask("  \n", issue=number)
    assert empty.status == 422
    long = await tool.ask("x" * 64_001, issue=number)
    assert long.status == 422
    assert "64,000 is the most" in long.why

    fork = await world.github.create_repository("drive-by/app", files={"a.txt": "a"})
    pull = await world.github.open_pull_request(
        world.repo,
        by=world.stranger,
        head="main",
        base="main",
        title="From afar",
        body="",
        head_repo=fork,
    )
    refused = await tool.ask("stop", issue=None, pull_request=pull.number)
    assert (refused.status, refused.body["type"]) == (403, "urn:openinspect:problem:head")
    wrong = await tool.ask("say: hi", issue=pull.number)
    assert wrong.why == f"#{pull.number} is a pull request: name it as `pull_request`."

    await tool.ask("sh: true\nwait", issue=number)
    for prompt in range(10):
        assert (await tool.ask(f"say: {prompt}", issue=number)).status == 201
    full = await tool.ask("say: too many", issue=number)
    assert (full.status, full.body["type"]) == (409, "urn:openinspect:problem:session")
    assert "10 prompts are waiting" in full.why
    assert (await tool.record(full.body["decision"]))["rule"] == "session"
    await world.say("@openinspect cancel", on=number)
    await world.until(lambda: "**Cancelled" in world.status(number))


async def test_sixty_requests_a_minute_and_no_more(world: World, tool: Tool) -> None:
    for _ in range(60):
        assert (await tool("GET", "/api/sessions")).status == 400
    reply = await tool("GET", "/api/sessions")
    assert reply.status == 429
    assert 0 < int(reply.headers["Retry-After"]) <= 60
    other = tool.issue_token(name="other")
    assert (await tool("GET", "/api/sessions", token=other)).status == 400
    world.clock.leap(61)
    assert (await tool("GET", "/api/sessions")).status == 400


async def test_no_answer_of_github_is_no_permission(world: World, tool: Tool) -> None:
    number = await world.issue()
    await world.github.deliver_pending()
    world.github.fail(
        Fault(kind="html", method="GET", path=r"/permission$", status=500, times=1000)
    )
    async with tool_asking(world, tool.ask("say: hi", issue=number)) as reply:
        assert reply.status == 503
        assert reply.headers["Retry-After"]
    world.github.heal()
    assert world.ours(number) == []
    assert (await world.state(number)).opened is None


@contextlib.asynccontextmanager
async def tool_asking(world: World, asking: Any) -> AsyncIterator[Reply]:
    """While we wait for GitHub, time passes quickly."""
    task = asyncio.ensure_future(asking)
    async with asyncio.timeout(60):
        while not task.done():
            world.clock.leap(30)
            await asyncio.sleep(0.05)
    yield task.result()


async def test_mentions_switched_off_switch_off_the_api_too(tmp_path: Path) -> None:
    config = "triggers:\n  mention:\n    enabled: false\n"
    async with make_world(tmp_path, {".openinspect/config.yml": config}) as world:
        await world.start()
        async with tool_of(world) as tool:
            number = await world.issue()
            reply = await tool.ask("say: hi", issue=number)
            assert reply.status == 403
            record = await tool.record(reply.body["decision"])
            assert record["rules"][-1]["config_line"] == 3


async def test_run_follows_a_turn_to_its_end(
    world: World, tool: Tool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = await world.issue()
    monkeypatch.setattr("bot.commands.run.EVERY_SECONDS", 0.2)

    async def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("OPENINSPECT_TOKEN", tool.token)
        monkeypatch.setenv("OPENINSPECT_SERVER", tool.url)
        capsys.readouterr()
        code = await asyncio.to_thread(main, ["run", "--repo", "acme/app", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    code, out, err = await run("--issue", str(number), "--follow", FIX)
    assert code == 0, err
    assert f"Session {world.session(number)}" in out
    assert f"/acme/app/issues/{number}" in out
    assert "turn 1 · succeeded" in out
    [pull] = world.github.pulls(world.repo)
    assert f"/acme/app/pull/{pull.number}" in out

    code, out, _ = await run("--pull", str(pull.number), "--follow", "die")
    assert code == 1
    assert "failed" in out
    code, out, _ = await run("--issue", "new", "--title", "From a terminal", "say: hi")
    assert code == 0
    [new] = [i for i in world.repo.issues.values() if i.title == "From a terminal"]
    assert f"/issues/{new.number}" in out
    code, _, err = await run("--issue", "99", "say: hi")
    assert code == 1
    assert "acme/app has no #99." in err
    assert "openinspect explain api-" in err
    await tool.ended(world.session(new.number), (await world.state(new.number)).turns[0].prompt.key)
