"""What is ours between a person's comment and the agent: milliseconds from the delivery on.

Server, journal, sandboxes, git and HTTP are real; GitHub is the embedded one, in the same process
and on the same loop, so its own work is in every figure. Baselines come from the same run.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import pytest
from flows.conftest import World, make_world
from flows.model import KEY, Model
from support.sandboxes import needs_bwrap

from bot.demo.github import Comment
from bot.demo.model import ModelServer
from bot.demo.script import Script, Step
from orchestrator.agents import Agents
from orchestrator.session import Session, SessionId
from orchestrator.session.events import (
    Event,
    PromptHanded,
    PromptQueued,
    ReportsReceived,
    SandboxLaunched,
    SandboxReady,
)
from orchestrator.session.values import Plan
from sandbox.provider import Launched
from sandbox.spec import SandboxSpec

from .table import Table

pytestmark = [pytest.mark.bench, pytest.mark.sandboxed, needs_bwrap]

TOOLS = Path(__file__).parents[2] / ".tools"
MODEL = "anthropic/claude-sonnet-4-5"
COLD, WARM, REAL = 15, 18, 3
EYES, STATUS, HANDED = 150, 500, 800
"""Targets in milliseconds; the medians must not pass them."""


class Stopwatch:
    """When each thing of the newest round happened first, in seconds since 1970."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def note(self, what: str) -> None:
        self.at.setdefault(what, time.time())

    def heard(self, events: Sequence[Event]) -> None:
        names = {
            PromptQueued: "queued",
            SandboxLaunched: "launch noted",
            ReportsReceived: "first report",
            SandboxReady: "ready",
            PromptHanded: "handed",
        }
        for event in events:
            if type(event) in names:
                self.note(names[type(event)])

    def between(self, start: str, end: str) -> float:
        return (self.at[end] - self.at[start]) * 1000


class Rounds:
    def __init__(self, world: World) -> None:
        self.world = world
        self.watch = Stopwatch()
        self.sessions: dict[SessionId, Session] = {}
        assert world.server is not None
        assert world.provider is not None
        world.server.engine.listen(self._heard)
        launch = world.provider.launch

        async def timed(spec: SandboxSpec) -> Launched:
            self.watch.note("launch begins")
            launched = await launch(spec)
            self.watch.note("launch ends")
            return launched

        world.provider.launch = timed  # type: ignore[method-assign]

    def _heard(self, session: Session, events: Sequence[Event]) -> None:
        self.sessions[session.id] = session
        self.watch.heard(events)

    async def quiet(self) -> None:
        """Nothing of an earlier round is still under way."""
        await self.world.github.deliver_pending()
        assert self.world.server is not None
        await self.world.server.intake.idle()

    async def ask(self, number: int, text: str) -> Stopwatch:
        """One prompt, until its turn has ended; who answered when is in the watch."""
        world = self.world
        known = self._known(number)
        turns = 0 if known is None else len(known.turns)
        await self.quiet()
        self.watch.at.clear()
        self.watch.note("asked")
        comment = await world.say(f"@openinspect {text}", on=number)
        await asyncio.gather(self._eyes(comment), self._status(number))
        await world.until(lambda: self._ended(number, turns), seconds=120)
        said = (await world.state(number)).turns[-1].said
        if said.replace(".", "").isdigit():
            self.watch.at["at the agent"] = float(said)
        return self.watch

    async def _eyes(self, comment: Comment) -> None:
        await self.world.until(lambda: self.world.github.reactions(comment))
        self.watch.note("eyes")

    async def _status(self, number: int) -> None:
        await self.world.until(lambda: self.world.status(number))
        self.watch.note("status")

    def _known(self, number: int) -> Session | None:
        return self.sessions.get(self.world.session(number))

    def _ended(self, number: int, before: int) -> bool:
        known = self._known(number)
        return known is not None and len(known.turns) > before and known.turn is None

    async def cancel(self, number: int) -> None:
        await self.world.say("@openinspect cancel", on=number)
        await self.world.until(lambda: "**Cancelled" in self.world.status(number))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    os.environ.setdefault("NO_COLOR", "1")
    async with make_world(tmp_path) as made:
        yield made


async def round_trips(world: World, table: Table) -> None:
    """The least that eyes can cost with GitHub here: one POST and one GET over HTTP."""
    number = await world.issue()
    comment = await world.say("hello", on=number)
    headers = {"Authorization": f"Bearer {world.github.personal_token(world.alice)}"}
    at = f"{world.github.api_url}/repos/{world.repo.full_name}/issues"
    taken = []
    async with aiohttp.ClientSession(headers=headers) as session:
        for content in ["+1", "heart", "rocket"] * 7:
            began = time.perf_counter()
            url = f"{at}/comments/{comment.id}/reactions"
            async with session.post(url, json={"content": content}) as answer:
                assert answer.status in (200, 201)
                await answer.read()
            async with session.get(f"{at}/{number}/comments") as answer:
                assert answer.status == 200
                await answer.read()
            taken.append((time.perf_counter() - began) * 1000)
    table.add("baseline: POST a reaction and GET the comments", taken)


async def shallow_clone(world: World, table: Table) -> None:
    token = world.github.personal_token(world.alice)
    url = world.github.url.replace("://", f"://x-access-token:{token}@")
    taken = []
    for number in range(5):
        began = time.perf_counter()
        clone = await asyncio.create_subprocess_exec(
            *("git", "clone", "-q", "--depth", "1", f"{url}/{world.repo.full_name}.git"),
            str(world.root / f"clone-{number}"),
            stdout=subprocess.DEVNULL,
        )
        assert await clone.wait() == 0
        taken.append((time.perf_counter() - began) * 1000)
    table.add("baseline: git clone --depth 1", taken)


async def open_acp(home: Path, workspace: Path) -> float:
    """The real OpenCode with no sandbox around it: milliseconds until its session is open."""
    agents = Agents(opencode=TOOLS / "bin/opencode", default_model=MODEL)
    program = agents.program(Plan(), None)
    for folder in (home, workspace):
        folder.mkdir()
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(str(TOOLS / "bin/opencode"), "acp"),
        cwd=workspace,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **program.env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for number, (method, params) in enumerate(
            [
                ("initialize", {"protocolVersion": 1, "clientCapabilities": {}}),
                ("session/new", {"cwd": str(workspace), "mcpServers": []}),
            ]
        ):
            asked = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            while json.loads(await process.stdout.readline()).get("id") != number:
                pass
        return (time.perf_counter() - began) * 1000
    finally:
        process.kill()
        await process.wait()


async def test_from_the_delivery_to_the_agent(world: World) -> None:
    await world.start()
    rounds = Rounds(world)
    table = Table("Milliseconds from the delivery (line agent)")
    await round_trips(world, table)
    await shallow_clone(world, table)

    cold: list[dict[str, float]] = []
    for _ in range(COLD):
        number = await world.issue("A thing")
        watch = await rounds.ask(number, "clock")
        cold.append({key: at - watch.at["asked"] for key, at in watch.at.items()})
        await rounds.cancel(number)
    number = await world.issue("Another thing")
    await rounds.ask(number, "clock")
    warm: list[dict[str, float]] = []
    for _ in range(WARM):
        watch = await rounds.ask(number, "clock")
        warm.append({key: at - watch.at["asked"] for key, at in watch.at.items()})

    def span(runs: list[dict[str, float]], start: str | None, end: str) -> list[float]:
        return [(one[end] - (one[start] if start else 0.0)) * 1000 for one in runs]

    every = [*cold, *warm]
    table.add("eyes", span(every, None, "eyes"), EYES)
    table.add("first status comment", span(cold, None, "status"), STATUS)
    table.add("warm: prompt at the waiting agent", span(warm, None, "at the agent"), HANDED)
    table.add("cold: prompt at the agent", span(cold, None, "at the agent"))
    table.add("  delivery to prompt queued", span(cold, None, "queued"))
    table.add("  mirror fetch, start commit", span(cold, "queued", "launch begins"))
    table.add("  sandbox launch", span(cold, "launch begins", "launch ends"))
    table.add("  supervisor, repository, first report", span(cold, "launch ends", "first report"))
    table.add("  agent start, until it is ready", span(cold, "first report", "ready"))
    table.add("  prompt told and at the agent", span(cold, "ready", "at the agent"))
    table.show()
    assert table.missed() == []


@pytest.mark.agent
@pytest.mark.skipif(not (TOOLS / "bin/opencode").exists(), reason="OpenCode is not installed")
async def test_the_cold_path_with_the_real_opencode(world: World) -> None:
    script = Script(turns=(), otherwise=(Step(text="Nothing to do."),))
    async with ModelServer(script, key=KEY) as model:
        config = ".openinspect/config.yml"
        await world.github.push_commit(
            world.repo, branch="main", by=world.alice, files={config: "version: 1\n"}, message="go"
        )
        world.model = Model(url=model.url)
        world.extra = {
            "OPENINSPECT_TOOLS": str(TOOLS),
            "OPENINSPECT_MODEL": MODEL,
        }
        await world.start()
        rounds = Rounds(world)
        runs = []
        for _ in range(REAL):
            number = await world.issue("A thing")
            watch = await rounds.ask(number, "what is this?")
            runs.append(dict(watch.at))
            await rounds.cancel(number)
        await world.stop()
    table = Table("Milliseconds from the delivery (real OpenCode)")
    bare = [
        await open_acp(world.root / f"home-{number}", world.root / f"workspace-{number}")
        for number in range(REAL)
    ]
    table.add("baseline: OpenCode alone, until its session is open", bare)

    def span(start: str, end: str) -> list[float]:
        return [(one[end] - one[start]) * 1000 for one in runs]

    table.add("cold: prompt handed over", span("asked", "handed"))
    table.add("  delivery to prompt queued", span("asked", "queued"))
    table.add("  mirror fetch, start commit", span("queued", "launch begins"))
    table.add("  sandbox launch", span("launch begins", "launch ends"))
    table.add("  supervisor, repository, first report", span("launch ends", "first report"))
    table.add("  agent start, until it is ready", span("first report", "ready"))
    table.add("  prompt told and handed over", span("ready", "handed"))
    table.show()
    assert statistics.median(span("asked", "handed")) < 60_000
