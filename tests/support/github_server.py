"""A clock that passes when slept on, and a GitHub that answers as a test tells it to."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from orchestrator.github import GitHub, Repository

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
REPOSITORY = 4711
INSTALLATION = 99
APP_ID = 12
BOT_ID = 5150


class FakeClock:
    """Sleeping moves it on at once, and lets everyone else who waits look at it."""

    def __init__(self) -> None:
        self.at = START
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.at + timedelta(seconds=seconds)
        await asyncio.sleep(0)
        self.at = max(self.at, until)

    def pass_(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass(kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    at: datetime


@dataclass(kw_only=True)
class Says:
    """An answer. `action` may do something to the connection instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    action: str = ""


class Server:
    """Answers the next thing it was told for a path, the last one for ever after."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.skew = timedelta(0)
        self.requests: list[Request] = []
        self.told: list[tuple[str, re.Pattern[str], list[Says | Callable[[Request], Says]]]] = []
        self.tokens = 0
        self.root = ""
        self.hang = asyncio.Event()

    def on(self, method: str, path: str, *answers: Says | Callable[[Request], Says]) -> None:
        self.told.insert(0, (method, re.compile(path), list(answers)))

    def seen(self, method: str, path: str) -> list[Request]:
        return [r for r in self.requests if r.method == method and re.fullmatch(path, r.path)]

    def now(self) -> datetime:
        return self.clock.now() + self.skew

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        got = Request(
            method=request.method,
            path=request.rel_url.raw_path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=json.loads(raw) if raw else None,
            at=self.clock.now(),
        )
        self.requests.append(got)
        answer = self._answer(got)
        match answer.action:
            case "drop":
                assert request.transport is not None
                request.transport.abort()
            case "hang":
                await self.hang.wait()
            case "truncate":
                assert request.transport is not None
                broken = web.StreamResponse(
                    status=answer.status, headers={"content-type": "application/json"}
                )
                broken.content_length = 1000
                await broken.prepare(request)
                await broken.write(b'{"id": 1')
                request.transport.close()
                return broken
        headers = {
            "date": format_datetime(self.now(), usegmt=True),
            "content-type": "application/json; charset=utf-8",
            "x-github-request-id": f"REQ{len(self.requests)}",
            **answer.headers,
        }
        data = answer.raw if answer.raw is not None else json.dumps(answer.body).encode()
        if answer.status in (204, 304):
            data = b""
        return web.Response(status=answer.status, body=data, headers=headers)

    def _answer(self, request: Request) -> Says:
        for method, path, answers in self.told:
            if method == request.method and path.fullmatch(request.path) and answers:
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                return answer if isinstance(answer, Says) else answer(request)
        return Says(status=404, body={"message": "Not Found"})

    def mint(self, request: Request) -> Says:
        """Counts, so that every token is another one."""
        self.tokens += 1
        until = self.now() + timedelta(hours=1)
        body = {
            "token": f"ghs_{'A' * 30}{self.tokens:06d}",
            "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "permissions": {"metadata": "read", **request.body["permissions"]},
        }
        ids = request.body.get("repository_ids")
        if ids is not None:
            body["repositories"] = [{"id": id} for id in ids]
        return Says(status=201, body=body)


def repository_body(full_name: str = "acme/app") -> dict[str, Any]:
    return {
        "id": REPOSITORY,
        "full_name": full_name,
        "default_branch": "main",
        "private": True,
        "archived": False,
    }


def comment_body(id: int = 1, body: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "node_id": f"IC_{id}",
        "body": body,
        "user": {"id": BOT_ID, "login": "openinspect[bot]", "type": "Bot"},
        "performed_via_github_app": {"id": APP_ID},
        "created_at": "2026-03-01T11:00:00Z",
        "updated_at": "2026-03-01T11:00:00Z",
        "html_url": f"https://github.test/acme/app/issues/1#issuecomment-{id}",
        **more,
    }


@dataclass(kw_only=True)
class Client:
    github: GitHub
    repository: Repository
    secrets: list[str]
    observed: list[tuple[str, int]]


def claims_of(request: Request, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    token = request.headers["authorization"].removeprefix("Bearer ")
    options: Any = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(token, key.public_key(), algorithms=["RS256"], options=options)
