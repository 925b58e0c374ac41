"""The other end of our API: what `openinspect run` says to a server, and how it waits."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from orchestrator.secret import Secret

WAITS = (2.0, 5.0, 15.0)
"""Seconds between tries, while the server is away or says that it is later's affair."""
_LOCAL = ("localhost", "127.0.0.1", "::1")
_MOST_WAITED = 120.0

Wait = Callable[[float], Awaitable[None]]


class ClientError(Exception):
    """The server cannot be asked, or said no; `str()` is for whoever typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    session: Mapping[str, Any]
    prompt: str
    decision: str


def server_problem(url: str) -> str:
    """Why a token must not be sent there; empty where it may."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        return f"{url} is not an address such as https://openinspect.example.com"
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        return f"{url} must be https: over http the token could be read on the way"
    return ""


class Client:
    """Use as a context. It follows no redirect: the token goes to the server that was named."""

    def __init__(self, *, server: str, token: Secret, wait: Wait) -> None:
        self._server = server.rstrip("/")
        self._token = token
        self._wait = wait
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=60, connect=10),
            trust_env=server.startswith("https:"),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.close()

    async def start(self, request: Mapping[str, object]) -> Answer:
        """One key for all tries, so whatever gets lost on the way, it is one request."""
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        said = await self._ask("POST", "/api/sessions", json=request, headers=headers)
        return Answer(session=said["session"], prompt=said["prompt"], decision=said["decision"])

    async def session(self, identity: str) -> Mapping[str, Any]:
        return await self._ask("GET", f"/api/sessions/{identity}")

    async def _ask(self, method: str, path: str, **more: Any) -> Mapping[str, Any]:
        for seconds in (*WAITS, None):
            try:
                status, after, body = await self._once(method, path, **more)
            except (aiohttp.ClientError, TimeoutError) as error:
                status, after, body = 0, 0.0, {}
                problem = f"{self._server} does not answer: {error or type(error).__name__}"
            else:
                problem = _said(status, body)
            if status in (200, 201):
                return body
            if status not in (0, 429, 503) or seconds is None:
                raise ClientError(problem)
            await self._wait(min(max(seconds, after), _MOST_WAITED))
        raise AssertionError("unreachable")

    async def _once(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> tuple[int, float, Mapping[str, Any]]:
        bearer = {"Authorization": f"Bearer {self._token.reveal()}"}
        async with self._http.request(
            method,
            self._server + path,
            headers={**(headers or {}), **bearer},
            allow_redirects=False,
            **more,
        ) as answer:
            data = await answer.read()
            try:
                body = json.loads(data)
            except ValueError:
                body = {}
            after = answer.headers.get("Retry-After", "")
            seconds = float(after) if after.isascii() and after.isdigit() else 0.0
            return answer.status, seconds, body if isinstance(body, dict) else {}


def _said(status: int, body: Mapping[str, Any]) -> str:
    detail = body.get("detail")
    if not isinstance(detail, str):
        return f"the server answered {status}, which is no answer of an Open-Inspect server"
    decision = body.get("decision")
    more = f"\n`openinspect explain {decision}` on the server says more." if decision else ""
    return f"{detail}{more}"
