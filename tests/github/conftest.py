"""The client under test, and the server it talks to."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.github_server import (
    APP_ID,
    INSTALLATION,
    REPOSITORY,
    Client,
    FakeClock,
    Says,
    Server,
    repository_body,
)

from orchestrator.github import AppIdentity, Endpoints, GitHub
from orchestrator.secret import Secret


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[Server]:
    server = Server(clock)
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
    server.on("POST", r"/api/v3/app/installations/\d+/access_tokens", server.mint)
    server.on("GET", rf"/api/v3/repositories/{REPOSITORY}", Says(body=repository_body()))
    yield server
    server.hang.set()
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def client(
    server: Server, clock: FakeClock, session: aiohttp.ClientSession, pem: str
) -> Client:
    secrets: list[str] = []
    observed: list[tuple[str, int]] = []
    github = GitHub(
        endpoints=Endpoints(
            api_url=f"{server.root}/api/v3",
            graphql_url=f"{server.root}/api/graphql",
            server_url=server.root,
        ),
        identity=AppIdentity(
            app_id=APP_ID, client_id="Iv1.client", private_key=Secret(pem), slug="openinspect"
        ),
        session=session,
        clock=clock,
        on_secret=secrets.append,
        observe=lambda template, status, seconds: observed.append((template, status)),
        chance=random.Random(1),
        timeout=aiohttp.ClientTimeout(total=0.5, connect=0.4),
    )
    repository = github.repository(
        installation=INSTALLATION, repository=REPOSITORY, full_name="acme/app"
    )
    return Client(github=github, repository=repository, secrets=secrets, observed=observed)
