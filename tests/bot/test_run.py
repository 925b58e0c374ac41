"""`openinspect run` before and around a request: what it refuses, and what it does when the
server is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from bot.cli import main
from bot.client import WAITS, Client, ClientError, server_problem
from orchestrator.secret import Secret

TOKEN = "oi_" + "f" * 43
ANSWER = {
    "session": {"id": "7-41-main-1", "links": {"thread": "https://github.example/x"}},
    "prompt": "api-1",
    "decision": "api-0",
}


@dataclass
class Server:
    """Answers what it is told to, and remembers what it was asked."""

    url: str = ""
    answers: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    waited: list[float] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        self.tokens.add(request.headers.get("Authorization", ""))
        self.asked.append(await request.json())
        status, body, headers = self.answers.pop(0)
        if status == 0:
            assert request.transport is not None
            request.transport.close()
        return web.json_response(body, status=status or 200, headers=headers)

    async def wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    def client(self) -> Client:
        return Client(server=self.url, token=Secret(TOKEN), wait=self.wait)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def test_all_tries_are_one_request(server: Server) -> None:
    server.answers = [
        (503, {"detail": "later"}, {"Retry-After": "12"}),
        (0, {}, {}),
        (429, {"detail": "often"}, {"Retry-After": "99999"}),
        (201, ANSWER, {}),
    ]
    async with server.client() as client:
        answer = await client.start({"prompt": "x"})
    assert answer.prompt == "api-1"
    assert len(server.keys) == 4
    assert len(set(server.keys)) == 1 and len(server.keys[0]) == 32
    assert server.waited == [12.0, WAITS[1], 120.0]
    assert server.tokens == {f"Bearer {TOKEN}"}


async def test_after_the_last_try_it_says_why(server: Server) -> None:
    server.answers = [(503, {"detail": "GitHub is away."}, {})] * (len(WAITS) + 1)
    async with server.client() as client:
        with pytest.raises(ClientError, match="GitHub is away"):
            await client.start({"prompt": "x"})
    assert server.answers == []


async def test_a_refusal_is_told_in_its_words_and_not_repeated(server: Server) -> None:
    server.answers = [(403, {"detail": "write is needed", "decision": "api-9"}, {})]
    async with server.client() as client:
        with pytest.raises(ClientError) as caught:
            await client.start({"prompt": "x"})
    assert "write is needed" in str(caught.value)
    assert "openinspect explain api-9" in str(caught.value)
    assert TOKEN not in str(caught.value)


async def test_the_token_follows_no_redirect(server: Server) -> None:
    server.answers = [(307, {}, {"Location": f"{server.url}/elsewhere"})]
    async with server.client() as client:
        with pytest.raises(ClientError, match="answered 307"):
            await client.start({"prompt": "x"})
    assert len(server.asked) == 1


async def test_nobody_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    async with Client(server="http://127.0.0.1:9", token=Secret(TOKEN), wait=wait) as client:
        with pytest.raises(ClientError, match=r"127\.0\.0\.1:9 does not answer"):
            await client.start({"prompt": "x"})
    assert waited == list(WAITS)


async def test_what_is_typed_is_what_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENINSPECT_TOKEN", TOKEN)
    server.answers = [(201, ANSWER, {})]
    words = ["run", "--repo", "acme/app", "--pull", "#7", "--effort", "high", "do it"]
    words += ["--model", "a/b", "--server", server.url + "/"]
    assert await asyncio.to_thread(main, words) == 0
    assert server.asked == [
        {
            "repository": "acme/app",
            "prompt": "do it",
            "pull_request": 7,
            "model": "a/b",
            "effort": "high",
        }
    ]
    said = capsys.readouterr()
    assert said.out == "Session 7-41-main-1, prompt api-1\nhttps://github.example/x\n"
    assert TOKEN not in said.out + said.err


@pytest.mark.parametrize(
    "words",
    [
        ("--issue", "1"),
        ("--issue", "0", "x"),
        ("--issue", "one", "x"),
        ("--issue", "1", "--pull", "2", "x"),
        ("x",),
        ("--issue", "1", "--effort", "lots", "x"),
    ],
)
def test_wrong_usage_ends_with_2(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--repo", "acme/app", *words])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("token", "words", "said"),
    [
        ("", ("--issue", "1"), "OPENINSPECT_TOKEN is missing"),
        (TOKEN, ("--issue", "new"), "belong together"),
        (TOKEN, ("--issue", "1", "--title", "x"), "belong together"),
        (TOKEN, ("--issue", "1", "--server", "http://example.com"), "must be https"),
        (TOKEN, ("--issue", "1", "--server", "example.com"), "not an address"),
        (TOKEN, ("--issue", "1", "--server", "https://u:p@example.com"), "not an address"),
    ],
)
def test_a_request_that_cannot_be_right_is_not_sent(
    token: str,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENINSPECT_TOKEN", token)
    assert main(["run", "--repo", "acme/app", *words, "x"]) == 2
    assert said in capsys.readouterr().err


def test_plain_http_is_for_this_machine_only() -> None:
    assert server_problem("http://localhost:8080") == ""
    assert server_problem("http://[::1]:8080") == ""
    assert server_problem("https://openinspect.example.com") == ""
    assert "must be https" in server_problem("http://127.0.0.1.example.com")
