"""The real OpenCode uses the tools it is offered, and finds text with ripgrep."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from sandbox.commands import ToolOffer
from sandbox.reports import AgentReady, ToolCalled

from .test_supervisor_opencode import Model, call, environment, opencode

pytestmark = pytest.mark.agent

SCHEMA = {
    "type": "object",
    "properties": {"kind": {"type": "string", "enum": ["issue"]}, "number": {"type": "integer"}},
    "required": ["kind"],
    "additionalProperties": False,
}
READ = ToolOffer(name="github_read", description="Read it.", schema=json.dumps(SCHEMA))


async def ready(bench: Any, model: Model, files: dict[str, str], **handlers: Any) -> Any:
    binary = opencode()
    commit = bench.make_repository(files)
    await bench.start()
    link = await bench.attach(handlers={"http": model.handle, **handlers})
    gateway = f"http://127.0.0.1:{link.gateway_port}"
    program = {"command": (str(binary), "acp"), "env": environment(gateway)}
    await link.send(bench.boot(commit, program=program, tools=(READ,)))
    await bench.until_kind(link, AgentReady, patience=120)
    return link


async def test_opencode_offers_our_tool_to_the_model_and_calls_it(bench):
    asked: list[Any] = []

    async def answer(stream: Any) -> None:
        body = b""
        while data := await stream.read():
            body += data
        asked.append((stream.meta["tool"], json.loads(body)))
        await stream.write(json.dumps({"text": "Issue #7 says zebra.", "error": False}).encode())

    model = Model(
        call("openinspect_github_read", kind="issue", number=7), {"content": "It says zebra."}
    )
    link = await ready(bench, model, {}, tool=answer)
    finished = await bench.turn(link, 1, "what does issue 7 say?", patience=120)
    assert (finished.reason, finished.error) == ("end_turn", "")
    assert asked == [("github_read", {"kind": "issue", "number": 7})]
    offered = {tool["function"]["name"]: tool["function"] for tool in model.requests[-1]["tools"]}
    ours = offered["openinspect_github_read"]
    assert ours["description"] == "Read it."
    assert ours["parameters"]["properties"]["kind"]["enum"] == ["issue"]
    assert "Issue #7 says zebra." in json.dumps(model.requests[-1]["messages"])
    [done] = {report.call: report for report in bench.reports(ToolCalled)}.values()
    assert (done.status, done.title) == ("completed", "openinspect_github_read")


async def test_opencode_greps(bench):
    if not shutil.which("rg"):
        pytest.skip("ripgrep is not installed; `make setup` does it for root")
    model = Model(call("grep", pattern="zeb.a"), {"content": "Found it."})
    link = await ready(bench, model, {"src/animals.py": "ZOO = ['zebra']\n"})
    await bench.turn(link, 1, "where is the zebra?", patience=120)
    [done] = {report.call: report for report in bench.reports(ToolCalled)}.values()
    assert done.status == "completed", done
    assert "animals.py" in json.dumps(model.requests[-1]["messages"])
