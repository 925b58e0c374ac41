"""A fresh embedded GitHub per test, an App on it, and a plain HTTP client."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from support.published import assert_as_published

from bot.demo.github import App, EmbeddedGitHub, Installation, Person, Repo


class Clock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@dataclass
class Reply:
    status: int
    body: Any
    headers: Mapping[str, str]


class Client:
    """Plain aiohttp with a credential."""

    def __init__(self, gh: EmbeddedGitHub, session: aiohttp.ClientSession) -> None:
        self.gh, self.session, self.token = gh, session, ""

    async def __call__(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> Reply:
        credential = self.token if token is None else token
        sent = {"Accept": "application/vnd.github+json", "User-Agent": "test"}
        if credential:
            sent["Authorization"] = f"Bearer {credential}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith("http") else self.gh.api_url + path
        async with self.session.request(method, url, json=body, headers=sent) as answer:
            raw = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "") and raw
            parsed = await answer.json() if is_json else raw
            return Reply(answer.status, parsed, answer.headers)


@dataclass
class Inbox:
    """A webhook receiver; `status` is what it answers."""

    url: str = ""
    status: int = 202
    got: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)

    @property
    def events(self) -> list[str]:
        return [headers["X-GitHub-Event"] for headers, _ in self.got]


@dataclass
class Stage:
    gh: EmbeddedGitHub
    clock: Clock
    app: App
    repo: Repo
    alice: Person
    installation: Installation
    client: Client
    inbox: Inbox

    def app_jwt(self, **claims: Any) -> str:
        now = int(self.clock.now.timestamp())
        payload = {"iat": now - 60, "exp": now + 540, "iss": self.app.client_id, **claims}
        return jwt.encode(payload, self.app.private_key_pem, algorithm="RS256")

    async def mint(self, **narrowed: Any) -> Reply:
        path = f"/app/installations/{self.installation.id}/access_tokens"
        return await self.client("POST", path, narrowed, token=self.app_jwt())


FILES = {
    "README.md": "# app\n",
    "src/retry.py": "".join(f"line {n}\n" for n in range(1, 21)),
}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """acme/app with a file, octocat who may write, an installed App, a receiver for its hooks."""
    clock, inbox = Clock(), Inbox()

    async def receive(request: web.Request) -> web.Response:
        inbox.got.append((request.headers, await request.read()))
        return web.Response(status=inbox.status, text="noted")

    receiver = web.Application()
    receiver.router.add_post("/hook", receive)
    runner = web.AppRunner(receiver, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    inbox.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        async with (
            EmbeddedGitHub(tmp_path / "github", clock, record=True) as gh,
            aiohttp.ClientSession() as session,
        ):
            app = gh.create_app(webhook_url=inbox.url, webhook_secret="not-a-real-secret")
            alice = gh.create_person("octocat", name="Mona Lisa")
            repo = await gh.create_repository("acme/app", files=FILES)
            installation = gh.install(app, [repo])
            gh.grant(repo, alice, "write")
            await gh.deliver_pending()
            inbox.got.clear()
            client = Client(gh, session)
            client.token = gh.token_for(installation)
            yield Stage(gh, clock, app, repo, alice, installation, client, inbox)
            await gh.deliver_pending()
            assert_as_published(gh)
    finally:
        await runner.cleanup()
