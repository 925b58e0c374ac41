"""A gateway before a real model server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from support.model_upstream import KEY, House, ManualClock, Model, Till

from orchestrator.gateway import Gateway, GatewayLimits, anthropic, model_session, openai, opencode
from orchestrator.secret import Secret


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    model = Model()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{tail:.*}", model.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    model.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield model
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with model_session() as session:
        yield session


@pytest.fixture
async def house(model: Model, session: aiohttp.ClientSession) -> AsyncIterator[House]:
    clock = ManualClock()
    key = Secret(KEY)
    gateway = Gateway(
        session=session,
        upstreams=[
            anthropic(key, model.url),
            openai(key, f"{model.url}/v1"),
            opencode(key, f"{model.url}/zen/v1"),
        ],
        clock=clock,
        limits=GatewayLimits(body=1 << 20),
        jitter=lambda: 0.0,
    )
    house = House(model=model, clock=clock, till=Till(), gateway=gateway, activity=[])
    yield house
    for task in house.tasks:
        task.cancel()
    await asyncio.gather(*house.tasks, return_exceptions=True)
    await gateway.close()
