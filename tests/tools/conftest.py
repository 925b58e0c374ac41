"""A session in the middle of a turn, the tools that answer it, and a GitHub that says anything."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.collecting import End
from support.github_server import INSTALLATION, REPOSITORY, Client, FakeClock, Says, Server

from orchestrator.access import Access
from orchestrator.engine import Engine
from orchestrator.outgoing import Outgoing
from orchestrator.session import Session
from orchestrator.session.commands import AddPrompt, NoteHanded, NoteLaunched, NoteReady, Opening
from orchestrator.session.values import (
    Home,
    Person,
    Plan,
    Prompt,
    PromptKey,
    RepositoryId,
    SessionId,
    Source,
    SourceKind,
    UserId,
    session_id,
)
from orchestrator.stores.memory import MemoryStore
from orchestrator.tools import Tools

from ..github.conftest import client, clock, key, pem, server, session

__all__ = ["client", "clock", "key", "pem", "server", "session"]

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SESSION: SessionId = session_id(RepositoryId(REPOSITORY), 41)
CANARY = "a-canary-that-stands-for-a-model-key"


def prompt(number: int) -> AddPrompt:
    return AddPrompt(
        at=START,
        prompt=Prompt(
            key=PromptKey(f"comment-{number}"),
            author=Person(id=UserId(1), login="alice"),
            text="fix it",
            source=Source(
                kind=SourceKind.ISSUE_COMMENT,
                id=number,
                thread=41,
                updated_at=START,
                sha256="0" * 64,
                url="",
            ),
        ),
        opening=Opening(
            repository="acme/app",
            home=Home.ISSUE,
            title="Flaky",
            branch="openinspect/41-flaky",
            public=False,
            plan=Plan(base_branch="main"),
        ),
    )


@dataclass(kw_only=True)
class Desk:
    """What a sandbox says to the tools of `SESSION`, and what it hears."""

    engine: Engine
    tools: Tools
    server: Server
    clock: FakeClock
    handle: Callable[[Any], Awaitable[None]] = field(init=False)

    def __post_init__(self) -> None:
        self.handle = self.tools.handler_for(SESSION)

    async def say(self, meta: Any, body: bytes) -> tuple[str, bool]:
        inside, outside = End(meta), End(meta)
        inside.other, outside.other = outside, inside
        await inside.write(body)
        await inside.close()
        await self.handle(outside)
        await outside.close()
        answer = b""
        while data := await inside.read():
            answer += data
        said = json.loads(answer)
        assert said.keys() == {"text", "error"}
        assert len(answer) <= 256 << 10
        return said["text"], said["error"]

    async def call(self, tool: str, **arguments: Any) -> tuple[str, bool]:
        return await self.say({"tool": tool}, json.dumps(arguments).encode())

    async def read(self, **arguments: Any) -> str:
        text, error = await self.call("github_read", **arguments)
        assert not error, text
        return text

    async def state(self) -> Session:
        return await self.engine.get(SESSION)

    def on(self, path: str, body: Any, **more: Any) -> None:
        self.server.on("GET", f"/api/v3/repos/acme/app{path}", Says(body=body, **more))

    def may_write(self, login: str, id: int) -> None:
        user = {"id": id, "permissions": {"push": True, "admin": False}}
        answer = {"permission": "write", "role_name": "write", "user": user}
        self.on(f"/collaborators/{login}/permission", answer)


@pytest.fixture
async def idle(
    client: Client,
    server: Server,
    clock: FakeClock,
    session: aiohttp.ClientSession,
    tmp_path: Path,
) -> Desk:
    """Nothing has been asked of the session yet."""
    access = Access(client.github, tmp_path / "repositories.json")
    access.learn(RepositoryId(REPOSITORY), "acme/app", INSTALLATION)
    engine = Engine(MemoryStore())
    tools = Tools(
        engine=engine,
        access=access,
        clean=Outgoing([CANARY]).clean,
        app_id=12,
        clock=clock,
    )
    return Desk(engine=engine, tools=tools, server=server, clock=clock)


@pytest.fixture
async def desk(idle: Desk) -> Desk:
    """The agent has the prompt of turn 1."""
    for command in (
        prompt(1),
        NoteLaunched(
            at=START,
            launch=1,
            sandbox="sb-1",
            workspace_present=True,
            restored=False,
            base="a" * 40,
            note="",
            seconds=0.1,
        ),
        NoteReady(
            at=START, launch=1, agent="agent", agent_session="acp-1", resumed=False, seconds=1
        ),
        NoteHanded(at=START, turn=1, launch=1),
    ):
        await idle.engine.tell(SESSION, command)
    return idle


def person(login: str, id: int, type: str = "User") -> dict[str, Any]:
    return {"login": login, "id": id, "type": type}


def comment(id: int, body: str, by: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "node_id": f"IC_{id}",
        "body": body,
        "user": by,
        "created_at": "2026-03-01T11:00:00Z",
        "updated_at": "2026-03-01T11:00:00Z",
        "html_url": "https://github.test/x",
        **more,
    }
