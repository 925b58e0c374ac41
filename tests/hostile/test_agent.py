"""The same attempts by the agent itself, over the whole road: launch, boot, prompt, turn."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support import attempts_credentials, attempts_escape, attempts_network
from support.cell import Cell, Outcome, outcome_of, program_of
from support.sandboxes import Silence, make_mirror, needs_bwrap
from support.shell_agent import AGENT

from sandbox.commands import AgentProgram, Boot, GitIdentity, Prompt
from sandbox.provider import Link
from sandbox.providers.local import LocalProvider
from sandbox.reports import AgentReady, AgentSaid, TurnFinished
from sandbox.spec import Resources, SandboxSpec

pytestmark = [pytest.mark.sandboxed, needs_bwrap]

MALLORY = GitIdentity(name="Mallory", email="2+mallory@users.noreply.github.com")
PATIENCE = 90
KINDS = {
    "credentials": attempts_credentials.ATTEMPTS,
    "network": attempts_network.ATTEMPTS,
    "escape": attempts_escape.ATTEMPTS,
}
SLOW = {"tcp to every port of loopback", "programs that know better", "the ways to root"}


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[Link]:
    """An agent that does what it is told, in a sandbox as a session gets it."""
    checkout = make_mirror(tmp_path / "repository", {"agent.py": AGENT})
    provider = LocalProvider(tmp_path / "sandboxes", tools=None, log=Silence())
    resources = Resources(memory_mib=512, disk_mib=512, processes=128)
    spec = SandboxSpec(name="session", tags={}, checkout=checkout, resources=resources)
    launched = await provider.launch(spec)
    link = await provider.attach(launched.id, epoch=1, after=0, handlers={})
    command = AgentProgram(command=("python3", "agent.py"))
    boot = Boot(mode="fresh", branch="openinspect/1", commit=checkout.commit, agent=command)
    await link.send(boot)
    async with asyncio.timeout(PATIENCE):
        async for numbered in link.reports():
            if isinstance(numbered.report, AgentReady):
                break
    yield link
    await link.close()
    await provider.terminate(launched.id)
    await provider.close()


async def told(link: Link, turn: int, body: str, facts: dict[str, object]) -> Outcome:
    words = shlex.quote(json.dumps(facts))
    script = f"python3 - {words} <<'THE_END'\n{program_of(body)}\nTHE_END"
    await link.send(Prompt(turn=turn, text=f"RUN:{script}", author=MALLORY))
    said = ""
    async with asyncio.timeout(PATIENCE):
        async for numbered in link.reports():
            if isinstance(numbered.report, AgentSaid):
                said += numbered.report.text
            if isinstance(numbered.report, TurnFinished):
                break
    return outcome_of(tuple(json.loads(said)))


@pytest.mark.parametrize("kind", KINDS)
async def test_the_agent_itself_gets_nowhere_either(link: Link, cell: Cell, kind: str) -> None:
    facts = {**cell.facts, "real": "supervisor.pyz"}
    attempts = {name: body for name, body in KINDS[kind].items() if name not in SLOW}
    before = len(cell.sink.heard)
    reached = {}
    for turn, (name, body) in enumerate(attempts.items(), start=1):
        outcome = await told(link, turn, body, facts)
        if outcome.reached:
            reached[name] = outcome.reached
    assert reached == {}
    assert cell.sink.heard[before:] == []
