"""The real OpenCode behind the real supervisor; only the model's words are scripted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sandbox.reports import AgentReady, Booted

pytestmark = pytest.mark.agent


def opencode() -> Path:
    """The pinned binary: `OPENINSPECT_TOOLS` names the directory that `make setup` fills."""
    tools = Path(os.environ.get("OPENINSPECT_TOOLS", Path(__file__).parents[3] / ".tools"))
    found = sorted(tools.glob("node_modules/opencode-linux-x64*/bin/opencode"))
    if not found:
        pytest.skip("OpenCode is not installed; `make setup` does")
    return found[0]


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

    for numbered in bench.seen:
        print(numbered)
    print(model.heads)
    assert (finished.reason, finished.error) == ("end_turn", "")
