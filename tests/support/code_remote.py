"""git over smart HTTP on loopback: real bare repositories behind `git http-backend`."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from orchestrator.secret import Secret

TOKEN = "ghs_notARealToken0123456789abcdefCANARY"
ENV = {
    "PATH": os.defpath,
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Mona Lisa",
    "GIT_AUTHOR_EMAIL": "1005+octocat@users.noreply.github.com",
    "GIT_AUTHOR_DATE": "1700000000 +0100",
    "GIT_COMMITTER_NAME": "Mona Lisa",
    "GIT_COMMITTER_EMAIL": "1005+octocat@users.noreply.github.com",
    "GIT_COMMITTER_DATE": "1700000000 +0100",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opens:
    """What a courier is given: a repository and the header that opens it."""

    url: str
    header: Secret


async def git(
    where: Path, *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> str:
    """Plain git, as a person or an agent would run it."""
    return (await git_bytes(where, *arguments, stdin=stdin, env=env)).decode().strip()


async def git_bytes(
    where: Path, *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> bytes:
    process = await asyncio.create_subprocess_exec(
        "git",
        "-C",
        str(where),
        *arguments,
        env=ENV | (env or {}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin)
    assert process.returncode == 0, (arguments, err.decode("utf-8", "replace"))
    return out


Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


class GitServer:
    """`before` and `after` may answer in place of git; `requests` are method and path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: list[str] = []
        self.before: Fault | None = None
        self.after: Fault | None = None
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> GitServer:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def repository(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True)
        await git(path, "init", "-q", "--bare", "--initial-branch=main")
        for key, value in (
            ("http.receivepack", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("receive.shallowUpdate", "false"),
        ):
            await git(path, "config", key, value)
        return path

    def opens(self, name: str, token: str = TOKEN) -> Opens:
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return Opens(url=f"{self.url}/{name}", header=Secret(f"Authorization: Basic {basic}"))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        if base64.b64decode(given or "").decode() != f"x-access-token:{TOKEN}":
            asks = {"WWW-Authenticate": 'Basic realm="test"'}
            return web.Response(status=401, headers=asks)
        if self.before is not None and (answer := await self.before(request)) is not None:
            return answer
        answer = await self._backend(request)
        if self.after is not None and (other := await self.after(request)) is not None:
            return other
        return answer

    async def _backend(self, request: web.Request) -> web.Response:
        body = await request.read()
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env=ENV
            | {
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": request.path,
                "QUERY_STRING": request.query_string,
                "REQUEST_METHOD": request.method,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "test",
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate(body)
        head, _, rest = out.partition(b"\r\n\r\n")
        status, headers = 200, {}
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers[name] = value
        return web.Response(status=status, headers=headers, body=rest)
