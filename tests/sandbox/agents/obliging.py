"""A well-behaved ACP agent on the official package, told by the prompt what to do.

Each line of the prompt is one step: `say TEXT`, `write PATH TEXT`, `edit PATH TEXT`, `run COMMAND`,
`plan A | B`, `wait` (until cancelled), `permission`, `fs`, `many N`, `die CODE`, `stderr TEXT`,
`mute` (end without a word), `model`, `tools N`, `servers` (MCP servers it was told of).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import acp
from acp import schema
from acp.helpers import (
    plan_entry,
    start_tool_call,
    text_block,
    tool_content,
    tool_diff_content,
    update_agent_message,
    update_plan,
    update_tool_call,
)


def select(
    name: str, category: str, current: str, *values: str
) -> schema.SessionConfigOptionSelect:
    return schema.SessionConfigOptionSelect(
        id=name,
        name=name,
        category=category,
        type="select",
        current_value=current,
        options=[schema.SessionConfigSelectOption(value=v, name=v) for v in values],
    )


class Obliging(acp.Agent):
    def __init__(self) -> None:
        self.client: Any = None
        self.store = Path(os.environ["HOME"]) / ".obliging"
        self.store.mkdir(exist_ok=True)
        self.cancelled = asyncio.Event()
        self.calls = 0
        self.chosen = {"model": "test/small", "effort": "low"}
        self.choices: list[str] = []
        self.servers: list[Any] = []

    def on_connect(self, conn: Any) -> None:
        self.client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        return schema.InitializeResponse(
            protocol_version=protocol_version,
            agent_capabilities=schema.AgentCapabilities(load_session=True),
            agent_info=schema.Implementation(name="obliging", version="1.0"),
        )

    def options(self) -> list[Any]:
        return [
            select("model", "model", self.chosen["model"], "test/small", "test/large"),
            select("effort", "thought_level", self.chosen["effort"], "low", "high"),
        ]

    async def new_session(
        self, cwd: str, mcp_servers: Any = None, **_: Any
    ) -> schema.NewSessionResponse:
        self.servers = mcp_servers or []
        name = f"session-{len(list(self.store.iterdir())) + 1}"
        (self.store / name).write_text(cwd)
        return schema.NewSessionResponse(session_id=name, config_options=self.options())

    async def load_session(
        self, cwd: str, session_id: str, mcp_servers: Any = None, **_: Any
    ) -> schema.LoadSessionResponse:
        self.servers = mcp_servers or []
        if not (self.store / session_id).exists():
            raise acp.RequestError.resource_not_found(session_id)
        for _ in range(3):
            await self.client.session_update(session_id, update_agent_message(text_block("old ")))
        return schema.LoadSessionResponse(config_options=self.options())

    async def set_config_option(
        self, config_id: str, session_id: str, value: Any, **_: Any
    ) -> schema.SetSessionConfigOptionResponse:
        self.chosen[config_id] = value
        self.choices.append(f"{config_id}={value}")
        return schema.SetSessionConfigOptionResponse(config_options=self.options())

    async def cancel(self, session_id: str, **_: Any) -> None:
        self.cancelled.set()

    async def prompt(self, session_id: str, prompt: list[Any], **_: Any) -> schema.PromptResponse:
        self.cancelled.clear()
        for line in prompt[0].text.splitlines():
            word, _, rest = line.partition(" ")
            reason = await getattr(self, f"do_{word}")(session_id, rest)
            if reason:
                return schema.PromptResponse(stop_reason=reason)
        return schema.PromptResponse(stop_reason="end_turn")

    async def update(self, session: str, update: Any) -> None:
        await self.client.session_update(session, update)

    async def do_say(self, session: str, text: str) -> None:
        await self.update(session, update_agent_message(text_block(text)))

    async def do_many(self, session: str, count: str) -> None:
        for number in range(int(count)):
            await self.update(session, update_agent_message(text_block(f"{number} ")))

    async def do_tools(self, session: str, count: str) -> None:
        for number in range(int(count)):
            call = await self.begin(session, f"tool {number}", "other")
            await self.end(session, call)

    async def do_plan(self, session: str, entries: str) -> None:
        steps = [plan_entry(text.strip(), status="pending") for text in entries.split("|")]
        await self.update(session, update_plan(steps))

    async def do_model(self, session: str, _: str) -> None:
        await self.do_say(session, " ".join(self.choices))

    async def do_servers(self, session: str, _: str) -> None:
        servers = [server.model_dump(mode="json") for server in self.servers]
        await self.do_say(session, json.dumps(servers))

    async def do_env(self, session: str, _: str) -> None:
        await self.do_say(session, json.dumps(dict(os.environ)))

    async def do_stderr(self, session: str, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    async def do_die(self, session: str, code: str) -> None:
        os._exit(int(code))

    async def do_mute(self, session: str, _: str) -> str:
        return "end_turn"

    async def do_refuse(self, session: str, _: str) -> str:
        return "refusal"

    async def do_fail(self, session: str, text: str) -> None:
        raise acp.RequestError(-32000, text)

    async def do_wait(self, session: str, _: str) -> str:
        await self.cancelled.wait()
        return "cancelled"

    async def do_stubborn(self, session: str, _: str) -> None:
        await asyncio.Event().wait()

    async def do_permission(self, session: str, _: str) -> None:
        options = [
            schema.PermissionOption(option_id="no", name="No", kind="reject_once"),
            schema.PermissionOption(option_id="yes", name="Yes", kind="allow_once"),
        ]
        call = schema.ToolCallUpdate(tool_call_id="p", title="may I")
        answer = await self.client.request_permission(
            session_id=session, tool_call=call, options=options
        )
        await self.do_say(session, f"permission: {answer.outcome.option_id}")

    async def do_fs(self, session: str, path: str) -> None:
        try:
            await self.client.read_text_file(session_id=session, path=path)
        except acp.RequestError as error:
            await self.do_say(session, f"fs: {error.code}")

    async def do_write(self, session: str, rest: str) -> None:
        name, _, text = rest.partition(" ")
        path = Path.cwd() / name
        old = path.read_text() if path.exists() else None
        call = await self.begin(session, f"Write {name}", "edit", path)
        path.write_text(text.replace("\\n", "\n"))
        diff = tool_diff_content(str(path), path.read_text(), old)
        await self.end(session, call, content=[diff])

    async def do_run(self, session: str, command: str) -> None:
        call = await self.begin(session, "Run a command", "execute", raw_input={"command": command})
        process = await asyncio.create_subprocess_shell(
            command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        text = out.decode(errors="replace")
        await self.end(
            session,
            call,
            status="failed" if process.returncode else "completed",
            content=[tool_content(text_block(text))],
            raw_output={"output": text, "metadata": {"exit": process.returncode}},
        )

    async def begin(
        self, session: str, title: str, kind: Any, path: Path | None = None, **more: Any
    ) -> str:
        self.calls += 1
        call = f"call-{self.calls}"
        locations = [schema.ToolCallLocation(path=str(path))] if path else None
        await self.update(
            session,
            start_tool_call(
                call, title, kind=kind, status="in_progress", locations=locations, **more
            ),
        )
        return call

    async def end(self, session: str, call: str, status: Any = "completed", **more: Any) -> None:
        await self.update(session, update_tool_call(call, status=status, **more))


asyncio.run(acp.run_agent(Obliging()))
