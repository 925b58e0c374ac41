"""One tool call of the agent as it becomes known, and what a person is told of it. Pure."""

from __future__ import annotations

import difflib
import posixpath
from collections import Counter
from collections.abc import Mapping
from typing import Any, get_args

from ..codec import MAX_PATHS, MAX_TAIL
from ..reports import ToolCalled, ToolKind, ToolStatus
from .clipping import clipped, last_lines

_KINDS = frozenset(get_args(ToolKind))
_STATUSES = frozenset(get_args(ToolStatus))
_TITLE = 2 << 10
_PATH = 1 << 10
_EXIT_KEYS = ("exit_code", "exitCode", "exit", "returncode", "code")
_CAREFUL_LINES = 400


class ToolCall:
    """Merges `tool_call` and its `tool_call_update`s; absent fields keep their value."""

    def __init__(self, turn: int, call: str, now: float, workspace: str) -> None:
        self._turn = turn
        self._call = clipped(call, 512)
        self._workspace = workspace
        self._began = now
        self._ended: float | None = None
        self._kind: Any = "other"
        self._title = ""
        self._command = ""
        self._status: Any = "pending"
        self._paths: list[str] = []
        self._exit_code: int | None = None
        self._changed: tuple[int, int] | None = None
        self._written_lines: int | None = None
        self._output = ""

    @property
    def over(self) -> bool:
        return self._status in ("completed", "failed")

    @property
    def title(self) -> str:
        return clipped(self._command or self._title or self._kind, _TITLE)

    def learn(self, update: Mapping[str, object], now: float) -> None:
        if (kind := update.get("kind")) in _KINDS:
            self._kind = kind
        if isinstance(title := update.get("title"), str) and title:
            self._title = title
        if (status := update.get("status")) in _STATUSES:
            self._status = status
            self._ended = now if self.over else None
        self._learn_input(update.get("rawInput"))
        for location in _objects(update.get("locations")):
            self._add_path(location.get("path"))
        self._learn_content(_objects(update.get("content")))
        self._learn_output(update.get("rawOutput"))

    def report(self) -> ToolCalled:
        """The state now. Output is shown of commands and of failures only."""
        shown = self._kind == "execute" or self._status == "failed"
        added, removed = self._changed or (None, None)
        return ToolCalled(
            turn=self._turn,
            call=self._call,
            kind=self._kind,
            title=self.title,
            status=self._status,
            paths=tuple(self._paths),
            exit_code=self._exit_code,
            added=added,
            removed=removed,
            seconds=None if self._ended is None else max(0.0, self._ended - self._began),
            output_tail=last_lines(self._output, limit=MAX_TAIL) if shown else "",
        )

    def _learn_input(self, raw_input: object) -> None:
        if not isinstance(raw_input, dict):
            return
        if self._kind == "execute":
            self._command = _command(raw_input.get("command")) or self._command
        content = raw_input.get("content")
        if self._kind == "edit" and isinstance(content, str):
            self._written_lines = len(content.splitlines())

    def _learn_content(self, content: list[Mapping[str, object]]) -> None:
        texts = []
        changed: list[tuple[int, int]] = []
        for item in content:
            match item:
                case {"type": "diff", "newText": str(new)}:
                    old = item.get("oldText")
                    changed.append(line_changes(old if isinstance(old, str) else "", new))
                    self._add_path(item.get("path"))
                case {"type": "content", "content": {"type": "text", "text": str(text)}}:
                    texts.append(text[-4 * MAX_TAIL :])
        if texts:
            self._output = "\n".join(texts)
        if changed:
            self._changed = (sum(a for a, _ in changed), sum(r for _, r in changed))

    def _learn_output(self, raw_output: object) -> None:
        if isinstance(raw_output, str):
            self._output = raw_output[-4 * MAX_TAIL :]
        if not isinstance(raw_output, dict):
            return
        nested = raw_output.get("metadata")
        places = [raw_output, nested] if isinstance(nested, dict) else [raw_output]
        for place in places:
            for key in _EXIT_KEYS:
                code = place.get(key)
                if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 2**31:
                    self._exit_code = code
            self._learn_change(place)
        for key in ("output", "error", "stdout"):
            if isinstance(text := raw_output.get(key), str) and text:
                self._output = text[-4 * MAX_TAIL :]
                break

    def _learn_change(self, place: Mapping[str, object]) -> None:
        """OpenCode 1.18 counts lines of an edit itself, and says whether a file it wrote is new."""
        match place:
            case {"filediff": {"additions": int(added), "deletions": int(removed)}}:
                if added >= 0 and removed >= 0:
                    self._changed = (added, removed)
            case {"exists": False} if self._written_lines is not None:
                self._changed = (self._written_lines, 0)
            case _:
                pass

    def _add_path(self, path: object) -> None:
        if not isinstance(path, str) or not path or len(self._paths) >= MAX_PATHS:
            return
        shown = clipped(_relative(path, self._workspace), _PATH)
        if shown not in (*self._paths, self._workspace):
            self._paths.append(shown)


def line_changes(old: str, new: str) -> tuple[int, int]:
    """(added, removed) lines; by multiset where the texts are too long to compare in order."""
    before, after = old.splitlines(), new.splitlines()
    while before and after and before[-1] == after[-1]:
        before.pop()
        after.pop()
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    before, after = before[start:], after[start:]
    if max(len(before), len(after)) > _CAREFUL_LINES:
        gone, come = Counter(before), Counter(after)
        return sum((come - gone).values()), sum((gone - come).values())
    added = removed = 0
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            removed += i2 - i1
            added += j2 - j1
    return added, removed


def _relative(path: str, workspace: str) -> str:
    path = posixpath.normpath(path)
    return path.removeprefix(workspace.rstrip("/") + "/")


def _command(value: object) -> str:
    if isinstance(value, list):
        return " ".join(word for word in value if isinstance(word, str))
    return value if isinstance(value, str) else ""


def _objects(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
