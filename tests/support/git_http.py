"""A bare repository over smart HTTP: `git http-backend` behind aiohttp, with a door that shuts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pygit2
from aiohttp import web

from orchestrator.secret import Secret

PASSWORD = "not-a-secret"


@dataclass
class GitServer:
    """`lose` answers are cut off after the work was done, `status` is said instead of working."""

    folder: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)
    status: int = 0
    lose: int = 0

    @property
    def header(self) -> Secret:
        return Secret(f"Authorization: Bearer {PASSWORD}")

    async def remote(self) -> GitServer:
        return self

    @property
    def repository(self) -> pygit2.Repository:
        return pygit2.Repository(str(self.folder))

    def hook(self, name: str, script: str) -> None:
        path = self.folder / "hooks" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        if request.headers.get("Authorization") != f"Bearer {PASSWORD}":
            return web.Response(status=401)
        if self.status:
            return web.Response(status=self.status)
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "app",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        backend = await asyncio.create_subprocess_exec(
            *("git", "http-backend"),
            env=env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await backend.communicate(await request.read())
        if self.lose and "git-receive-pack" in request.path:
            self.lose -= 1
            assert request.transport is not None
            request.transport.abort()
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=body)


@asynccontextmanager
async def git_server(folder: Path) -> AsyncIterator[GitServer]:
    """Serves a new bare repository in `folder`."""
    server = GitServer(folder / "app.git")
    repository = pygit2.init_repository(str(server.folder), bare=True)
    repository.config["http.receivepack"] = True
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/app.git"
    try:
        yield server
    finally:
        await runner.cleanup()
