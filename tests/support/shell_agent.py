"""An agent that travels in the repository: it runs what follows `RUN:` in a prompt with a shell.

Speaks the Agent Client Protocol over stdio; its answer is JSON: exit code, output, errors.
"""

from __future__ import annotations

AGENT = """
import json, subprocess, sys
def say(**words):
    print(json.dumps({"jsonrpc": "2.0", **words}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    number, method, words = asked.get("id"), asked.get("method"), asked.get("params", {})
    if method == "initialize":
        say(id=number, result={"protocolVersion": 1, "agentCapabilities": {}})
    elif method == "session/new":
        say(id=number, result={"sessionId": "s"})
    elif method == "session/prompt":
        script = "".join(part.get("text", "") for part in words["prompt"])
        script = script.rpartition("RUN:")[2]
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        text = json.dumps([done.returncode, done.stdout, done.stderr])
        content = {"type": "text", "text": text}
        update = {"sessionUpdate": "agent_message_chunk", "content": content}
        say(method="session/update", params={"sessionId": "s", "update": update})
        say(id=number, result={"stopReason": "end_turn"})
    elif number is not None:
        say(id=number, error={"code": -32601, "message": "no such method"})
"""
