"""A scripted action in terms of the tools that an agent offers.

OpenCode calls its tools `bash`, `read`, `edit`, `write` with `filePath`, `oldString` and so on;
Claude Code `Bash`, `Read`, ... with `file_path`; others offer a shell only. The request lists
them, so a script is written once.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from .script import Action, Conversation, Edit, Read, Run, Write

SHELLS = ("bash", "Bash", "shell", "exec_command")
READERS = ("read", "Read", "read_file")
EDITORS = ("edit", "Edit", "str_replace")
WRITERS = ("write", "Write", "write_file")

ARGUMENTS: Mapping[str, Sequence[str]] = {
    "command": ("command", "cmd"),
    "why": ("description", "justification"),
    "path": ("filePath", "file_path", "path"),
    "old": ("oldString", "old_string", "old"),
    "new": ("newString", "new_string", "new"),
    "content": ("content", "text"),
}
"""What each argument of ours is called by the agents we know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    id: str
    name: str
    arguments: Mapping[str, str]


class NoSuchTool(Exception):
    """The agent offers no tool with which this could be done."""


def calls_for(actions: Sequence[Action], conversation: Conversation) -> tuple[ToolCall, ...]:
    first = conversation.calls + 1
    return tuple(
        call_for(action, conversation, f"call_{number}")
        for number, action in enumerate(actions, first)
    )


def call_for(action: Action, conversation: Conversation, id_: str) -> ToolCall:
    match action:
        case Run(command=command, why=why):
            return shell_call(command, why, conversation, id_)
        case Read(path=path):
            name = offered(READERS, conversation)
            given = {"path": absolute(path, conversation)}
            instead = f"cat {shlex.quote(path)}"
        case Edit(path=path, old=old, new=new):
            name = offered(EDITORS, conversation)
            given = {"path": absolute(path, conversation), "old": old, "new": new}
            instead = python_command(REPLACE, path, old, new)
        case Write(path=path, content=content):
            name = offered(WRITERS, conversation)
            given = {"path": absolute(path, conversation), "content": content}
            instead = python_command(STORE, path, content)
        case _:
            assert_never(action)
    if name is None:
        return shell_call(instead, "", conversation, id_)
    return ToolCall(id=id_, name=name, arguments=named(given, conversation.tools[name]))


def shell_call(command: str, why: str, conversation: Conversation, id_: str) -> ToolCall:
    name = offered(SHELLS, conversation)
    if name is None:
        raise NoSuchTool(f"no shell among {', '.join(conversation.tools)}")
    given = {"command": command, "why": why or command.splitlines()[0]}
    return ToolCall(id=id_, name=name, arguments=named(given, conversation.tools[name]))


def offered(names: Sequence[str], conversation: Conversation) -> str | None:
    return next((name for name in names if name in conversation.tools), None)


def named(given: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    """Our arguments under the tool's own names; what it does not know is left out."""
    arguments = {}
    for ours, value in given.items():
        theirs = next((name for name in ARGUMENTS[ours] if name in known), None)
        if theirs is not None:
            arguments[theirs] = value
    return arguments


def absolute(path: str, conversation: Conversation) -> str:
    """OpenCode wants absolute paths, and tells the model where it works."""
    found = re.search(r"Working directory: (\S+)", conversation.system)
    return f"{found[1] if found else '/workspace'}/{path}"


REPLACE = "import sys, pathlib; f, a, b = sys.argv[1:]; p = pathlib.Path(f); " + (
    "s = p.read_text(); assert s.count(a) == 1, 'not found once'; p.write_text(s.replace(a, b))"
)
STORE = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"


def python_command(program: str, *arguments: str) -> str:
    return shlex.join(["python3", "-c", program, *arguments])
