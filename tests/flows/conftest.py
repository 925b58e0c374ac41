"""The whole product on one machine, as a test tells it: people write, and the bot answers.

The server, its journal, the sandboxes, git and the HTTP in between are real. GitHub is embedded,
and the agent is `agent.py` in the test repository, which does what its prompt says line by line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from support.hurried_clock import HurriedClock
from support.published import assert_as_published

from bot import settings as deployment
from bot.app import Parts, Server
from bot.demo.github import App, Comment, EmbeddedGitHub, Person, Repo
from bot.deployment import secrets_of
from orchestrator.outgoing import Outgoing
from orchestrator.session import Session, SessionId, pending
from orchestrator.session.values import RepositoryId, session_id
from sandbox.providers.local import LocalProvider

from .model import KEY, Model, serving

HERE = Path(__file__).parent
SECRET = "an-obviously-fake-webhook-secret"
STATE_KEY = "an-obviously-fake-state-key-of-32-characters"

CONFIG = """\
agent:
  command: [python3, /workspace/agent.py]
"""
FILES = {
    "README.md": "# A test repository\n",
    "agent.py": (HERE / "agent.py").read_text(encoding="utf-8"),
    ".openinspect/config.yml": CONFIG,
}


@dataclass(kw_only=True)
class World:
    """One GitHub, one App, one repository, one server, and the people who use them."""

    root: Path
    github: EmbeddedGitHub
    app: App
    repo: Repo
    alice: Person
    bob: Person
    stranger: Person
    model: Model
    extra: dict[str, str] = field(default_factory=dict)
    clock: HurriedClock
    server: Server | None = None
    provider: LocalProvider | None = None
    outgoing: Outgoing | None = None

    async def start(self) -> Server:
        """A server on this world's disk; an earlier one must have been closed or killed."""
        values = {
            "GITHUB_APP_ID": str(self.app.id),
            "GITHUB_APP_PRIVATE_KEY": self.app.private_key_pem,
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_GRAPHQL_URL": self.github.graphql_url,
            "GITHUB_SERVER_URL": self.github.url,
            "OPENINSPECT_DATA": str(self.root / "server"),
            "OPENINSPECT_PORT": "0",
            "OPENINSPECT_STATE_KEY": STATE_KEY,
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": self.model.url,
            "GITHUB_CREATES_PER_MINUTE": "100000",
            "GITHUB_CREATES_PER_HOUR": "1000000",
            **self.extra,
        }
        settings = deployment.parse(values)
        self.provider = LocalProvider(
            self.root / "server" / "sandboxes", tools=None, log=structlog.get_logger()
        )
        self.outgoing = Outgoing(secrets_of(settings))
        self.server = Server(
            settings, self.outgoing, Parts(clock=self.clock, provider=self.provider)
        )
        await self.server.start()
        self.github.set_webhook(
            self.app, f"http://127.0.0.1:{self.server.port}/webhooks/github", SECRET
        )
        return self.server

    async def stop(self) -> None:
        """Close the server as SIGTERM would; its sandboxes live on."""
        if self.server is not None:
            await self.server.close()
            self.server = None
        if self.provider is not None:
            await self.provider.close()
            self.provider = None

    async def say(self, text: str, *, on: int, by: Person | None = None) -> Comment:
        return await self.github.comment(self.repo, on, by=by or self.alice, body=text)

    async def issue(self, title: str = "Something is broken", body: str = "Please look.") -> int:
        issue = await self.github.open_issue(self.repo, by=self.alice, title=title, body=body)
        return issue.number

    def session(self, number: int, generation: int = 1) -> SessionId:
        return session_id(RepositoryId(self.repo.id), number, generation=generation)

    async def state(self, number: int, generation: int = 1) -> Session:
        assert self.server is not None
        return await self.server.engine.get(self.session(number, generation))

    def ours(self, number: int) -> list[Comment]:
        """Comments of our App on a thread."""
        return [c for c in self.github.comments(self.repo, number) if c.app is self.app]

    def status(self, number: int) -> str:
        """The status comment as it reads now; empty while there is none."""
        found = [c.body for c in self.ours(number) if "effect=status" in c.body]
        assert len(found) <= 1, "more than one status comment"
        return found[0] if found else ""

    async def until(self, condition: Callable[[], object], seconds: float = 40.0) -> None:
        await self.github.wait_for(condition, timeout=seconds)

    async def until_status(self, number: int, word: str, seconds: float = 40.0) -> str:
        await self.until(lambda: f"**{word}" in self.status(number), seconds)
        return self.status(number)

    async def at_rest(self, number: int, generation: int = 1, seconds: float = 60.0) -> Session:
        """No turn runs or waits, and every effect that was tried has come to its end."""
        async with asyncio.timeout(seconds):
            while True:
                s = await self.state(number, generation)
                idle = s.opened is not None and s.turn is None and not s.waiting
                if idle and all(a.settled for a in s.attempts.values()):
                    owed = pending(s, self.clock.now())
                    if not owed:
                        return s
                await asyncio.sleep(0.02)

    async def until_state(
        self, number: int, condition: Callable[[Session], object], seconds: float = 30.0
    ) -> Session:
        async with asyncio.timeout(seconds):
            while not condition(s := await self.state(number)):
                await asyncio.sleep(0.02)
            return s

    async def quiet(self) -> None:
        """Everything that has happened so far has been delivered and decided."""
        assert self.server is not None
        await self.github.deliver_pending()
        await self.server.intake.idle()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        await made.start()
        yield made


@contextlib.asynccontextmanager
async def make_world(
    root: Path, files: dict[str, str] | None = None, *, rate: float = 1.0
) -> AsyncIterator[World]:
    """Everything but the server, which the test starts; nothing is left behind.

    What was said between us and GitHub in a story that ends well is held against what GitHub
    publishes. `rate` hurries our clock and GitHub's, not that of the sandboxes.
    """
    os.chmod(root, 0o755)  # noqa: PTH101 - sandboxes run as another user
    clock = HurriedClock(rate)
    async with (
        EmbeddedGitHub(root / "github", clock.now, record=True) as github,
        serving() as model,
    ):
        app = github.create_app(webhook_secret=SECRET)
        alice = github.create_person("alice", name="Alice Liddell")
        bob = github.create_person("bob")
        stranger = github.create_person("drive-by")
        repo = await github.create_repository("acme/app", files=FILES | (files or {}))
        github.install(app, [repo])
        github.grant(repo, alice, "write")
        github.grant(repo, bob, "maintain")
        made = World(
            root=root,
            github=github,
            app=app,
            repo=repo,
            alice=alice,
            bob=bob,
            stranger=stranger,
            clock=clock,
            model=model,
        )
        try:
            yield made
            await made.stop()
            await github.deliver_pending()
            assert github.unhandled == []
            assert_as_published(github)
        finally:
            await made.stop()
            sweeper = LocalProvider(
                root / "server" / "sandboxes", tools=None, log=structlog.get_logger()
            )
            for info in await sweeper.list({}):
                await sweeper.terminate(info.id)
            await sweeper.close()
