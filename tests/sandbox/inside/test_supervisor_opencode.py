"""The real OpenCode behind the real supervisor; only the model's words are scripted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sandbox.commands import Prompt, StopTurn
from sandbox.reports import AgentReady, AgentSaid, Booted, ToolCalled, TurnFinished, Warned

pytestmark = pytest.mark.agent


def opencode() -> Path:
    """The pinned binary: `OPENINSPECT_TOOLS` names the directory that `make setup` fills."""
    tools = Path(os.environ.get("OPENINSPECT_TOOLS", Path(__file__).parents[3] / ".tools"))
    found = tools / "bin" / "opencode"
    assert found.exists(), "OpenCode is not installed; `make setup` does"
    return found.resolve()


def environment(gateway: str) -> dict[str, str]:
    """What OpenCode needs to use the gateway and nothing else."""
    config = {
        "autoupdate": False,
        "share": "disabled",
        "permission": "allow",
        "enabled_providers": ["gateway"],
        "model": "gateway/scripted",
        "small_model": "gateway/scripted",
        "provider": {
            "gateway": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Gateway",
                "options": {"baseURL": f"{gateway}/openai/v1", "apiKey": "none"},
                "models": {
                    "scripted": {"limit": {"context": 100_000, "output": 8000}},
                    "thinker": {"reasoning": True},
                },
            }
        },
    }
    return {
        "OPENCODE_CONFIG_CONTENT": json.dumps(config),
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    }


class Model:
    """Chat completions over the wire: one scripted answer per request that offers tools."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.heads: list[dict[str, Any]] = []

    async def handle(self, stream: Any) -> None:
        body = b""
        while data := await stream.read():
            body += data
        asked = json.loads(body)
        self.heads.append(dict(stream.meta))
        self.requests.append(asked)
        delta = self.answers.pop(0) if asked.get("tools") else {"content": "A title"}
        head = {"status": 200, "headers": [["content-type", "text/event-stream"]]}
        await stream.write(json.dumps(head).encode() + b"\n")
        for piece, reason in (
            ({"role": "assistant", **delta}, None),
            ({}, "tool_calls" if "tool_calls" in delta else "stop"),
        ):
            event = {
                "id": "x",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": asked["model"],
                "choices": [{"index": 0, "delta": piece, "finish_reason": reason}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            }
            await stream.write(f"data: {json.dumps(event)}\n\n".encode())
        await stream.write(b"data: [DONE]\n\n")


def call(name: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {
        "tool_calls": [{"index": 0, "id": f"c-{name}", "type": "function", "function": function}]
    }


async def test_opencode_writes_and_commits(bench, git):
    binary = opencode()
    commit = bench.make_repository()
    model = Model(
        call("write", filePath=str(bench.workspace / "fix.txt"), content="fixed\nwell\n"),
        call("bash", command="git add -A && git commit -qm fix && echo ok", description="Commit"),
        {"content": "Fixed it."},
    )
    await bench.start()
    link = await bench.attach(handlers={"http": model.handle})
    gateway = f"http://127.0.0.1:{link.gateway_port}"
    program = {"command": (str(binary), "acp"), "env": environment(gateway)}
    await link.send(bench.boot(commit, program=program))
    await bench.until_kind(link, Booted)
    ready = await bench.until_kind(link, AgentReady, patience=120)
    assert ready.name == "OpenCode"

    finished = await bench.turn(link, 1, "fix it", patience=120)

    assert (finished.reason, finished.error, finished.produced) == ("end_turn", "", True)
    write, run = {call.call: call for call in bench.reports(ToolCalled)}.values()
    assert (write.kind, write.status, write.paths) == ("edit", "completed", ("fix.txt",))
    assert (write.added, write.removed) == (2, 0)
    assert (run.kind, run.exit_code, run.output_tail) == ("execute", 0, "ok")
    assert run.title == "git add -A && git commit -qm fix && echo ok"
    assert [said.text for said in bench.reports(AgentSaid)] == ["Fixed it."]
    author = git(bench.workspace, "log", "-1", "--format=%an %ae")
    assert author == "Alice 1+alice@users.noreply.github.com"
    assert model.heads[0]["path"] == "/openai/v1/chat/completions"
    assert {asked["model"] for asked in model.requests} == {"scripted"}
    assert bench.reports(Warned) == []


async def test_opencode_is_stopped_in_a_model_call_and_takes_its_session_up_again(bench):
    commit = bench.make_repository()
    model = Model({"content": "I remember."})
    asked = asyncio.Event()
    left = asyncio.Event()

    async def hang(stream: Any) -> None:
        if b'"tools"' not in await first(stream):
            await stream.reset("no title")
            return
        asked.set()
        try:
            while True:
                await stream.write(b"")
                await asyncio.sleep(0.01)
        finally:
            left.set()

    async def handle(stream: Any) -> None:
        await (model.handle if left.is_set() else hang)(stream)

    await bench.start()
    link = await bench.attach(handlers={"http": handle})
    gateway = f"http://127.0.0.1:{link.gateway_port}"
    program = {"command": (str(opencode()), "acp"), "env": environment(gateway)}
    await link.send(bench.boot(commit, program=program))
    ready = await bench.until_kind(link, AgentReady, patience=120)
    await link.send(Prompt(turn=1, text="the word is zebra", author=bench.alice))
    await asyncio.wait_for(asked.wait(), 60)
    await link.send(StopTurn(turn=1))
    assert (await bench.until_kind(link, TurnFinished)).reason == "cancelled"
    await asyncio.wait_for(left.wait(), 10)

    for pid in children_of(bench.process.pid):  # the agent dies between turns
        os.kill(pid, signal.SIGKILL)
    while children_of(bench.process.pid):
        await asyncio.sleep(0.01)
    finished = await bench.turn(link, 2, "go on", patience=120)
    assert finished.reason == "end_turn"
    again = bench.reports(AgentReady)[-1]
    assert (again.session, again.resumed) == (ready.session, True)
    assert "zebra" in json.dumps(model.requests[-1]["messages"])
    assert [said.text for said in bench.reports(AgentSaid) if said.turn == 2] == ["I remember."]


async def first(stream: Any) -> bytes:
    body = b""
    while data := await stream.read():
        body += data
    return body


def children_of(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
