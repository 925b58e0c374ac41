"""A small coding agent that speaks the Agent Client Protocol, standard library only.

It lives in the test repository and does what the prompt's own lines say:

    sh: <command>      run a command in the workspace and report it as a tool call
    say: <text>        say something
    wait               stay silent until it is cancelled
    deaf               stay silent, whatever happens
    show-prompt        say the whole prompt
    die                exit at once
    model: <text>      ask the model through the gateway and say what it answered
    tool: <name> <json>  call a tool of the MCP server it was given and say what it answered
    flood: <name> <n> <json>  call it so often and say how many answers were errors
    clock              say when this prompt came, in seconds since 1970
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

LOCK = threading.Lock()
CANCELLED = threading.Event()
COUNT = 0
SERVERS = []


def send(message):
    with LOCK:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def update(session, **fields):
    params = {"sessionId": session, "update": fields}
    send({"method": "session/update", "params": params})


def say(session, text):
    content = {"type": "text", "text": text}
    update(session, sessionUpdate="agent_message_chunk", content=content)


def run(session, command):
    global COUNT
    COUNT += 1
    call = f"call-{os.getpid()}-{COUNT}"
    update(
        session,
        sessionUpdate="tool_call",
        toolCallId=call,
        title=command,
        kind="execute",
        status="in_progress",
        rawInput={"command": command},
    )
    done = subprocess.run(command, shell=True, capture_output=True, text=True, errors="replace")
    output = (done.stdout + done.stderr)[-4000:]
    update(
        session,
        sessionUpdate="tool_call_update",
        toolCallId=call,
        status="completed" if done.returncode == 0 else "failed",
        content=[{"type": "content", "content": {"type": "text", "text": output}}],
        rawOutput={"exit_code": done.returncode, "output": output},
    )
    return output


def ask_model(text):
    base = os.environ["ANTHROPIC_BASE_URL"]
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": text}],
    }
    request = urllib.request.Request(
        f"{base}/v1/messages",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json", "anthropic-version": "2023-06-01"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["content"][0]["text"]
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}: {error.read().decode()[:300]}"


class Mcp:
    """The first MCP server of the session, spoken to over its standard streams."""

    def __init__(self):
        server = SERVERS[0]
        self.process = subprocess.Popen(
            [server["command"], *server["args"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.last = 0
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}}
        self.ask("initialize", hello | {"clientInfo": {"name": "line-agent", "version": "1"}})

    def ask(self, method, params):
        self.last += 1
        message = {"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def call(self, name, arguments):
        answer = self.ask("tools/call", {"name": name, "arguments": arguments})
        if "error" in answer:
            return "error: " + answer["error"]["message"], True
        result = answer["result"]
        return result["content"][0]["text"], result["isError"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def use_tool(session, rest):
    name, _, arguments = rest.partition(" ")
    mcp = Mcp()
    text, failed = mcp.call(name, json.loads(arguments))
    mcp.close()
    say(session, f"{'refused' if failed else 'told'}: {text}\n")


def flood(session, rest):
    name, count, arguments = rest.split(" ", 2)
    mcp = Mcp()
    answers = [mcp.call(name, json.loads(arguments)) for _ in range(int(count))]
    mcp.close()
    failed = [text for text, failed in answers if failed]
    say(session, f"{len(failed)} of {count} failed, the last with: {failed[-1]}\n")


def prompt(identifier, params):
    came = time.time()
    session = params["sessionId"]
    CANCELLED.clear()
    text = "\n".join(block.get("text", "") for block in params["prompt"])
    asked = text.split("asks:", 1)[-1].split("This was asked on", 1)[0]
    for line in asked.splitlines():
        word, _, rest = line.strip().partition(": ")
        if word == "sh":
            run(session, rest)
        elif word == "say":
            say(session, rest)
        elif word == "model":
            say(session, ask_model(rest))
        elif word == "tool":
            use_tool(session, rest)
        elif word == "flood":
            flood(session, rest)
        elif word == "show-prompt":
            say(session, text)
        elif word == "clock":
            say(session, f"{came:.6f}")
        elif word == "wait":
            CANCELLED.wait()
        elif word == "deaf":
            threading.Event().wait()
        elif word == "die":
            os._exit(3)
        if CANCELLED.is_set():
            send({"id": identifier, "result": {"stopReason": "cancelled"}})
            return
    send({"id": identifier, "result": {"stopReason": "end_turn"}})


def answer(identifier, method, params):
    match method:
        case "initialize":
            return {
                "protocolVersion": 1,
                "agentCapabilities": {"loadSession": True},
                "agentInfo": {"name": "line-agent", "version": "1"},
                "authMethods": [],
            }
        case "session/new":
            SERVERS[:] = params["mcpServers"]
            return {"sessionId": f"session-{os.getpid()}"}
        case "session/load":
            SERVERS[:] = params["mcpServers"]
            return {}
        case _:
            return {}


def main():
    for line in sys.stdin:
        message = json.loads(line)
        method, identifier = message.get("method"), message.get("id")
        params = message.get("params", {})
        if method == "session/cancel":
            CANCELLED.set()
        elif method == "session/prompt":
            threading.Thread(target=prompt, args=(identifier, params), daemon=True).start()
        elif method == "session/load" and Path("~/forgetful").expanduser().exists():
            send({"id": identifier, "error": {"code": -32002, "message": "no such session"}})
        elif identifier is not None and method is not None:
            send({"id": identifier, "result": answer(identifier, method, params)})


if __name__ == "__main__":
    main()
