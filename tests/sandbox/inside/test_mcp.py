"""Our tools as an agent meets them: the MCP server it is told of, and the host behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sandbox.commands import MAX_ARGUMENTS, ToolOffer
from sandbox.provider import SandboxGone, StreamReset
from sandbox.reports import AgentReady, AgentSaid
from sandbox.supervisor.mcp import _version

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
ECHO = ToolOffer(name="echo", description="Says it again.", schema=json.dumps(SCHEMA))
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Host:
    """Answers tool streams; a call whose text is `hang` waits for `go`."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any]] = []
        self.running = 0
        self.most = 0
        self.left = asyncio.Event()
        self.go = asyncio.Event()
        self.raw: bytes | None = None

    async def handle(self, stream: Any) -> None:
        body = b""
        while data := await stream.read():
            body += data
        arguments = json.loads(body)
        self.calls.append((stream.meta["tool"], arguments))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if arguments.get("text") == "hang":
                await self._hang(stream)
            elif arguments.get("text") == "reset":
                await stream.reset("no mood")
                return
            answer = {"text": f"again: {arguments.get('text')}", "error": False}
            await stream.write(self.raw if self.raw is not None else json.dumps(answer).encode())
        finally:
            self.running -= 1

    async def _hang(self, stream: Any) -> None:
        try:
            while not self.go.is_set():
                await stream.write(b"")
                await asyncio.sleep(0.01)
        except (StreamReset, SandboxGone):
            self.left.set()
            raise


class Client:
    """An MCP client on the process that the agent would start."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.last = 0

    async def send(self, message: Any) -> None:
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        await self.process.stdin.drain()

    async def receive(self) -> Any:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            line = await self.process.stdout.readline()
        assert line, "the server has ended"
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    async def begin(self, method: str, **params: Any) -> int:
        self.last += 1
        await self.send({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params})
        return self.last

    async def ask(self, method: str, **params: Any) -> Any:
        number = await self.begin(method, **params)
        answer = await self.receive()
        assert answer["id"] == number
        return answer.get("result", answer.get("error"))

    async def say(self, text: str) -> Any:
        return await self.ask("tools/call", name="echo", arguments={"text": text})


Start = Callable[..., Any]


@pytest.fixture
async def start(bench) -> AsyncIterator[Start]:
    """Boots with tools on offer, and starts MCP clients from what the agent was told."""
    async with contextlib.AsyncExitStack() as stack:
        entries: list[Any] = []

        async def begin(host: Host, *options: str, tools: Any = (ECHO,)) -> Any:
            commit = bench.make_repository()
            await bench.start(*options)
            link = await bench.attach(handlers={"tool": host.handle})
            await link.send(bench.boot(commit, tools=tools))
            await bench.until_kind(link, AgentReady)
            await bench.turn(link, 1, "servers")
            [said] = bench.reports(AgentSaid)
            entries.extend(json.loads(said.text))
            return link

        async def client() -> Client:
            [entry] = entries
            assert entry["name"] == "openinspect"
            process = await asyncio.create_subprocess_exec(
                entry["command"],
                *entry["args"],
                env={one["name"]: one["value"] for one in entry["env"]},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 20,
            )

            async def end() -> None:
                if process.returncode is None:
                    process.kill()
                await process.wait()
                transport = process._transport
                transport.close()

            stack.push_async_callback(end)
            return Client(process)

        yield begin, client, entries


async def test_a_client_of_today_lists_and_calls(start):
    begin, connect, _ = start
    host = Host()
    await begin(host)
    client = await connect()
    hello = await client.ask(
        "initialize",
        protocolVersion="2025-11-25",
        capabilities={},
        clientInfo={"name": "c", "version": "1"},
    )
    assert hello == {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "openinspect", "version": "1"},
    }
    await client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert await client.ask("ping") == {}
    assert await client.ask("tools/list") == {
        "tools": [{"name": "echo", "description": "Says it again.", "inputSchema": SCHEMA}]
    }
    assert await client.say("é") == {
        "content": [{"type": "text", "text": "again: é"}],
        "isError": False,
    }
    assert host.calls == [("echo", {"text": "é"})]


async def test_a_client_without_handshake_is_served_by_each_request_alone(start):
    begin, connect, _ = start
    await begin(Host())
    client = await connect()
    found = await client.ask("server/discover", _meta=MODERN)
    assert found["supportedVersions"] == ["2026-07-28"]
    assert (found["resultType"], found["cacheScope"]) == ("complete", "private")
    listed = await client.ask("tools/list", _meta=MODERN)
    assert [tool["name"] for tool in listed["tools"]] == ["echo"]
    assert listed["ttlMs"] > 0
    called = await client.ask("tools/call", name="echo", arguments={"text": "x"}, _meta=MODERN)
    assert (called["resultType"], called["content"][0]["text"]) == ("complete", "again: x")
    old = {**MODERN, "io.modelcontextprotocol/protocolVersion": "1900-01-01"}
    refused = await client.ask("tools/list", _meta=old)
    assert refused["code"] == -32022
    assert refused["data"] == {"supported": ["2026-07-28"], "requested": "1900-01-01"}


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2024-11-05"),
        ("2030-01-01", "2025-11-25"),
        ("1.0", "2025-11-25"),
        (None, "2025-11-25"),
    ],
)
def test_versions_are_agreed_on(asked, spoken):
    assert _version(asked) == spoken


async def test_no_tools_no_server(start):
    begin, _, entries = start
    await begin(Host(), tools=())
    assert entries == []


async def test_what_is_no_request_is_refused_and_the_next_one_served(start):
    begin, connect, _ = start
    await begin(Host())
    client = await connect()
    for line, code in (
        (b"{", -32700),
        (b"[1]", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b'{"id":true,"method":"ping"}', -32600),
        (b'{"id":1.5,"method":"ping"}', -32600),
        (b'{"id":null,"method":"ping"}', -32600),
    ):
        await client.send(line)
        answer = await client.receive()
        assert (answer["id"], answer["error"]["code"]) == (None, code), line
    for line in (b"", b'{"method":"notifications/other"}', b'{"id":3,"result":{}}', b"   "):
        await client.send(line)
    for method, params, code in (
        ("resources/list", {}, -32601),
        ("tools/call", {"name": "rm", "arguments": {}}, -32602),
        ("tools/call", {"name": ["echo"], "arguments": {}}, -32602),
        ("tools/call", {"name": "echo", "arguments": "text"}, -32602),
        ("tools/call", {}, -32602),
    ):
        assert (await client.ask(method, **params))["code"] == code
    await client.send({"jsonrpc": "2.0", "id": "a", "method": "ping", "params": [1]})
    assert (await client.receive()) == {"jsonrpc": "2.0", "id": "a", "result": {}}


async def test_arguments_that_are_too_large_never_leave(start):
    begin, connect, _ = start
    host = Host()
    await begin(host)
    client = await connect()
    fits = await client.say("x" * (MAX_ARGUMENTS - 100))
    assert fits["isError"] is False or "too large" in fits["content"][0]["text"]
    assert len(host.calls) == 1
    refused = await client.say("x" * 10_000_000)
    assert refused["isError"] and "larger than 256 KiB" in refused["content"][0]["text"]
    await client.send(b'{"id":9,"x":"' + b"x" * 13_000_000 + b'"}')
    assert (await client.receive())["error"]["message"] == "this message is too long"
    assert (await client.ask("ping")) == {}
    assert len(host.calls) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nothing",
        b'{"text":"x"}',
        b'{"text":1,"error":false}',
        b'{"text":"\\ud800","error":false}',
        b'{"text":"' + b"x" * 300_000 + b'","error":false}',
    ],
)
async def test_an_answer_that_makes_no_sense_is_an_error_in_words(start, raw):
    begin, connect, _ = start
    host = Host()
    host.raw = raw
    await begin(host)
    client = await connect()
    answer = await client.say("x")
    assert answer["isError"] and "cannot be read" in answer["content"][0]["text"]


async def test_a_reset_is_told(start):
    begin, connect, _ = start
    await begin(Host())
    answer = await (await connect()).say("reset")
    assert answer["isError"] and "no mood" in answer["content"][0]["text"]


async def test_eight_at_once_and_at_most_sixty_four_wait(start):
    begin, connect, _ = start
    host = Host()
    await begin(host)
    client = await connect()
    for _ in range(70):
        await client.begin("tools/call", name="echo", arguments={"text": "hang"})
    refused = [await client.receive() for _ in range(6)]
    assert [answer["error"]["message"] for answer in refused] == ["at most 64 calls at once"] * 6
    while host.running < 8:
        await asyncio.sleep(0.01)
    host.go.set()
    answers = [await client.receive() for _ in range(64)]
    assert {answer["id"] for answer in answers} == set(range(1, 65))
    assert host.most == 8


async def test_a_cancelled_call_ends_outside_and_is_not_answered(start):
    begin, connect, _ = start
    host = Host()
    await begin(host)
    client = await connect()
    number = await client.begin("tools/call", name="echo", arguments={"text": "hang"})
    while not host.running:
        await asyncio.sleep(0.01)
    cancelled = {"method": "notifications/cancelled", "params": {"requestId": number}}
    await client.send({"jsonrpc": "2.0", **cancelled})
    await asyncio.wait_for(host.left.wait(), 10)
    assert await client.ask("ping") == {}


async def test_a_client_that_leaves_ends_its_calls_and_its_process(start):
    begin, connect, _ = start
    host = Host()
    await begin(host)
    client = await connect()
    await client.begin("tools/call", name="echo", arguments={"text": "hang"})
    while not host.running:
        await asyncio.sleep(0.01)
    client.process.stdin.close()
    assert await asyncio.wait_for(client.process.wait(), 10) == 0
    await asyncio.wait_for(host.left.wait(), 10)


async def test_nobody_there_is_said_and_the_next_host_answers(start, bench):
    begin, connect, _ = start
    host = Host()
    link = await begin(host, "--patience-seconds", "0.3")
    client = await connect()
    await link.close()
    answer = await client.say("x")
    assert answer["isError"] and "nobody is there" in answer["content"][0]["text"]
    await bench.attach(handlers={"tool": host.handle})
    assert (await client.say("y"))["content"][0]["text"] == "again: y"


async def test_a_call_whose_host_went_away_is_made_again(start, bench):
    begin, connect, _ = start
    first, second = Host(), Host()
    await begin(first)
    client = await connect()
    second.go.set()
    number = await client.begin("tools/call", name="echo", arguments={"text": "hang"})
    while not first.running:
        await asyncio.sleep(0.01)
    await bench.attach(handlers={"tool": second.handle})
    answer = await client.receive()
    assert (answer["id"], answer["result"]["content"][0]["text"]) == (number, "again: hang")
    assert second.calls == first.calls


async def test_a_crowd_of_clients_is_turned_away(start):
    begin, connect, _ = start
    await begin(Host())
    clients = [await connect() for _ in range(16)]
    for client in clients:
        assert await client.ask("ping") == {}
    late = await connect()
    assert await asyncio.wait_for(late.process.wait(), 10) == 0
    clients[0].process.stdin.close()
    await clients[0].process.wait()
    assert await clients[1].ask("ping") == {}


async def test_a_session_taken_up_again_has_the_tools_too(start, bench):
    begin, _, _ = start
    link = await begin(Host())
    await bench.turn(link, 2, "die 3")
    await bench.turn(link, 3, "servers")
    assert bench.reports(AgentReady)[-1].resumed
    first, *_, last = bench.reports(AgentSaid)
    assert first.text == last.text != "[]"
