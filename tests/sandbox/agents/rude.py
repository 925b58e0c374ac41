"""An agent that speaks ACP badly, in the way its first argument names. Standard library only."""

from __future__ import annotations

import json
import os
import sys
import time

WAY = sys.argv[1]
out = sys.stdout.buffer
session = "rude"


def say(data: bytes) -> None:
    out.write(data)
    out.flush()


def message(**fields: object) -> None:
    say(json.dumps({"jsonrpc": "2.0", **fields}).encode() + b"\n")


def update(**fields: object) -> None:
    message(method="session/update", params={"sessionId": session, "update": fields})


def chunk(text: str) -> None:
    update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": text})


if WAY == "exits":
    print("no licence found", file=sys.stderr)
    sys.exit(7)
if WAY == "silent":
    time.sleep(1000)
if WAY == "closes":
    os.close(1)
    time.sleep(1000)

for line in sys.stdin.buffer:
    asked = json.loads(line)
    number, method = asked.get("id"), asked.get("method")
    if method == "initialize":
        if WAY == "garbage":
            say(b"Welcome to the agent!\n\x00\xff\xfe\n{\n[]\n42\n\n" + b'{"jsonrpc":"2.0"}\n')
        version = 99 if WAY == "version" else 1
        caps = {"loadSession": WAY in ("dies-loading", "load-fails")}
        message(id=number, result={"protocolVersion": version, "agentCapabilities": caps})
    elif method == "session/load":
        if WAY == "dies-loading":
            sys.exit(9)
        message(id=number, error={"code": -32603, "message": "corrupt"})
    elif method == "session/new":
        if WAY == "no-session":
            message(id=number, error={"code": -32000, "message": "authentication required"})
        else:
            message(id=number, result={"sessionId": session})
    elif method == "session/cancel":
        pass
    elif method == "session/prompt":
        if WAY == "never":
            continue
        if WAY == "unasked":
            message(id=number + 50, result={"stopReason": "end_turn"})
            message(id="text", result={})
            message(id=None, result={})
            message(id=1, result={"late": True})
        if WAY == "unknown":
            message(method="session/party", params={"a": 1})
            session = "another"
            chunk("of a session that is not ours")
            session = "rude"
            message(method="session/update")
            message(method="session/update", params={"sessionId": session, "update": 4})
            update(sessionUpdate="hologram", content=1)
            update(sessionUpdate="tool_call")
            update(sessionUpdate="tool_call", toolCallId=7, title=8)
            update(sessionUpdate="tool_call", toolCallId="t", kind="hack", status="x", title=[])
            update(sessionUpdate="tool_call_update", toolCallId="t", content="?", locations=3)
            update(sessionUpdate="agent_message_chunk", content="text")
            update(sessionUpdate="plan", entries={"a": 1})
        if WAY == "requests":
            for name in (
                "fs/read_text_file",
                "terminal/create",
                "x/y",
                "session/request_permission",
            ):
                message(id=name, method=name, params={})
                chunk(json.dumps(json.loads(sys.stdin.buffer.readline())["error"]["code"]) + " ")
        if WAY == "huge":
            part = b"x" * (1 << 20)
            say(b'{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"rude","x":"')
            for _ in range(100):
                say(part)
            say(b'"}}\n')
            chunk("after the flood")
        if WAY == "huge-answer":
            say(b'{"jsonrpc":"2.0","id":%d,"result":{"x":"' % number + b"x" * (9 << 20) + b'"}}\n')
            continue
        if WAY == "no-newline":
            chunk("said")
            say(json.dumps({"id": number, "result": {"stopReason": "end_turn"}}).encode())
            sys.exit(0)
        if WAY == "surrogates":
            say(
                b'{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"rude","update":'
                b'{"sessionUpdate":"agent_message_chunk","content":'
                b'{"type":"text","text":"a\\ud800b"}}}}\n'
            )
        if WAY == "late":
            chunk("before ")
            message(id=number, result={"stopReason": "end_turn"})
            chunk("and after")
            continue
        if WAY == "reason":
            message(id=number, result={"stopReason": "tired"})
            continue
        if WAY == "leaves":
            os.system("sleep 1000 & echo $! > child.pid")
            os._exit(3)
        if WAY == "killed":
            print("Killed by the test", file=sys.stderr, flush=True)
            os.kill(os.getpid(), 9)
        message(id=number, result={"stopReason": "end_turn"})
    elif number is not None and method is not None:
        message(id=number, error={"code": -32601, "message": "no"})
