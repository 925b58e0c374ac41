"""The real OpenCode in a real sandbox: no network, our tools, and ripgrep of the system's."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.sandboxes import Silence, needs_bwrap

from orchestrator.agents import Agents, CustomModel
from orchestrator.session.values import Plan
from orchestrator.tools.words import GITHUB_READ
from sandbox.commands import Boot, GitIdentity, Prompt
from sandbox.providers.local import LocalProvider
from sandbox.reports import AgentReady, ToolCalled, TurnFinished
from sandbox.spec import Checkout, Resources, SandboxSpec

from ..inside.test_supervisor_opencode import Model, call, opencode

pytestmark = [
    pytest.mark.agent,
    pytest.mark.sandboxed,
    needs_bwrap,
    pytest.mark.skipif(not shutil.which("rg"), reason="`make setup` installs ripgrep for root"),
]
SECONDS = 150.0


async def until_report(link: Any, kind: type, seen: list[Any]) -> Any:
    async with asyncio.timeout(SECONDS):
        async for numbered in link.reports():
            seen.append(numbered.report)
            if isinstance(numbered.report, kind):
                return numbered.report
    raise AssertionError


async def test_it_greps_and_asks_github_through_us(tmp_path: Path, checkout: Checkout) -> None:
    agents = Agents(
        opencode=opencode(),
        default_model="ours/scripted",
        custom_models={"ours/scripted": CustomModel()},
    )
    model = Model(
        call("grep", pattern="TWO ="),
        call("openinspect_github_read", kind="issue", number=7),
        {"content": "Both found."},
    )
    asked: list[Any] = []

    async def answer(stream: Any) -> None:
        body = b""
        while data := await stream.read():
            body += data
        asked.append((stream.meta["tool"], json.loads(body)))
        await stream.write(json.dumps({"text": "Issue #7: a zebra.", "error": False}).encode())

    provider = LocalProvider(tmp_path / "sandboxes", tools=None, log=Silence())
    launched = await provider.launch(
        SandboxSpec(
            name="session-1",
            tags={"made-by": "tests"},
            checkout=checkout,
            resources=Resources(memory_mib=3072),
            programs=agents.programs(Plan()),
        )
    )
    try:
        link = await provider.attach(
            launched.id, epoch=1, after=0, handlers={"http": model.handle, "tool": answer}
        )
        program = agents.program(Plan(), None)
        await link.send(
            Boot(
                mode="fresh",
                branch="openinspect/1",
                commit=checkout.commit,
                agent=program,
                tools=(GITHUB_READ,),
            )
        )
        seen: list[Any] = []
        await until_report(link, AgentReady, seen)
        author = GitIdentity(name="Alice", email="1+alice@users.noreply.github.com")
        await link.send(Prompt(turn=1, text="find two, and read issue 7", author=author))
        finished = await until_report(link, TurnFinished, seen)
        await link.close()
    finally:
        await provider.terminate(launched.id)
        await provider.close()

    assert (finished.reason, finished.error) == ("end_turn", "")
    calls = {r.call: r for r in seen if isinstance(r, ToolCalled)}
    assert [c.status for c in calls.values()] == ["completed", "completed"], calls
    assert asked == [("github_read", {"kind": "issue", "number": 7})]
    told = json.dumps(model.requests[-1]["messages"])
    assert "src/two.py" in told and "Issue #7: a zebra." in told
