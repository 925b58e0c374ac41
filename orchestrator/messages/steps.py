"""What was done, step by step: the short list people see, and the folded log of all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestrator.session.values import Step, StepKind, StepStatus

from . import figures, inert
from .markdown import sentence

SHOWN = 8
_LOG_CHARACTERS = 20_000
_TAIL_CHARACTERS = 600
_TITLE = 160


def checklist(steps: Sequence[Step], now: datetime | None) -> list[str]:
    """The newest lines of what was done. With `now`, a running step is live; without, it ended."""
    groups = list(_groups(steps))
    shown = groups[-SHOWN:]
    lines = [_line(group, now) for group in shown]
    hidden = len(steps) - sum(len(group) for group in shown)
    if hidden:
        lines.insert(0, f"- [x] {figures.count(hidden, 'earlier step')}")
    return lines


def _groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Reads and searches that follow one another are one line; so are edits of one file."""
    group: list[Step] = []
    for step in steps:
        if group and _joins(group[-1], step):
            group.append(step)
            continue
        if group:
            yield group
        group = [step]
    if group:
        yield group


def _joins(before: Step, step: Step) -> bool:
    if before.status is not StepStatus.DONE or step.status is not StepStatus.DONE:
        return False
    if before.kind is not step.kind:
        return False
    if step.kind in (StepKind.READ, StepKind.SEARCH):
        return True
    return step.kind is StepKind.EDIT and bool(step.paths) and step.paths == before.paths


def _line(group: list[Step], now: datetime | None) -> str:
    last = group[-1]
    live = last.status is StepStatus.RUNNING and now is not None
    box = "[ ]" if live else "[x]"
    return f"- {box} {_words(group, live=live)}{_after(group, now if live else None)}"


def _words(group: list[Step], *, live: bool) -> str:
    last = group[-1]
    match last.kind:
        case StepKind.READ:
            return f"{'Reading' if live else 'Read'} {_things(group)}"
        case StepKind.EDIT:
            return f"{'Editing' if live else 'Edited'} {_things(group)}"
        case StepKind.SEARCH:
            if len(group) > 1:
                return f"Searched {len(group)} times"
            return f"{'Searching' if live else 'Searched'} {_titled(last, 'the files')}"
        case StepKind.RUN:
            return f"{'Running' if live else 'Ran'} {_titled(last, 'a command')}"
        case StepKind.SCRIPT:
            return inert.code(last.title, _TITLE)
        case StepKind.OTHER:
            return sentence(last.title, _TITLE) or "A step"


def _things(group: list[Step]) -> str:
    paths = list(dict.fromkeys(path for step in group for path in step.paths))
    if not paths:
        return _titled(group[-1], "a file")
    return figures.listed([inert.code(path, 100) for path in paths], 2)


_TOOLS = frozenset(
    {"bash", "edit", "execute", "glob", "grep", "list", "ls", "multiedit", "patch", "read", "run",
     "search", "shell", "terminal", "write"}
)  # fmt: skip
"""Names of tools, which agents send as a call's title until its arguments are known."""


def _titled(step: Step, otherwise: str) -> str:
    title = step.title.strip()
    if not title or title.lower() in _TOOLS | {str(step.kind)}:
        return otherwise
    return inert.code(title, _TITLE)


def _after(group: list[Step], now: datetime | None) -> str:
    last = group[-1]
    if now is not None:
        return f" ({figures.between(last.at, now)})"
    words = ""
    if last.kind is StepKind.EDIT:
        known = [step for step in group if step.added is not None or step.removed is not None]
        if known:
            added = sum(step.added or 0 for step in known)
            removed = sum(step.removed or 0 for step in known)
            words = f" ({figures.lines_changed(added, removed)})"
    if last.kind in (StepKind.RUN, StepKind.SCRIPT) and last.seconds is not None:
        words += f" {figures.duration(last.seconds)}"
    if last.exit_code:
        words += f", exit code {last.exit_code}"
    elif last.status is StepStatus.FAILED:
        words += ", failed"
    elif last.status is StepStatus.RUNNING:
        words += ", not finished"
    return words


def activity(steps: Sequence[Step], total: int) -> str:
    """All steps that are kept, folded, with the last lines of what failed; empty for none."""
    if not steps:
        return ""
    entries = [_entry(step) for step in steps]
    kept: list[str] = []
    size = 0
    for entry in reversed(entries):
        if size + len(entry) > _LOG_CHARACTERS:
            break
        kept.insert(0, entry)
        size += len(entry) + 1
    total = max(total, len(steps))
    left_out = total - len(kept)
    note = f"{figures.count(left_out, 'earlier step')} not shown\n" if left_out else ""
    log = inert.fenced(note + "\n".join(kept), "text")
    summary = f"Activity, {figures.count(total, 'step')}"
    return f"<details><summary>{summary}</summary>\n\n{log}\n\n</details>"


_SIGNS = {StepStatus.DONE: "ok", StepStatus.FAILED: "!!", StepStatus.RUNNING: ".."}


def _entry(step: Step) -> str:
    title = inert.cut(" ".join(step.title.split()), 300)
    facts = [
        "" if step.exit_code is None else f"exit {step.exit_code}",
        figures.lines_changed(step.added, step.removed),
        "" if step.seconds is None else figures.duration(step.seconds),
    ]
    told = ", ".join(fact for fact in facts if fact)
    head = f"{step.at:%H:%M:%S} {_SIGNS[step.status]} {step.kind}: {title}"
    head = f"{head} ({told})" if told else head
    if step.status is not StepStatus.FAILED or not step.tail.strip():
        return head
    tail = step.tail.strip("\n")[-_TAIL_CHARACTERS:]
    return "\n".join([head, *(f"    {line}" for line in tail.split("\n"))])


def commands_run(steps: Sequence[Step]) -> list[tuple[str, str]]:
    """Commands with how they ended, as run: the newest outcome of each, in order. What only
    looked at git or made the commits says nothing of how the work was checked."""
    found: dict[str, str] = {}
    for step in steps:
        if step.kind is not StepKind.RUN or step.status is StepStatus.RUNNING:
            continue
        if _only_git(step.title) or step.title.strip().lower() in _TOOLS:
            continue
        if step.exit_code is None:
            ended = "failed" if step.status is StepStatus.FAILED else "ended"
        else:
            ended = "passed" if step.exit_code == 0 else f"exit code {step.exit_code}"
        found.pop(step.title, None)
        found[step.title] = ended
    return list(found.items())


_CHAINED = re.compile(r"&&|\|\||[;|\n]")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_GIT = frozenset(
    {"add", "branch", "checkout", "commit", "config", "diff", "fetch", "log", "ls-files", "rebase",
     "restore", "rev-parse", "show", "stash", "status", "switch"}
)  # fmt: skip


def _only_git(command: str) -> bool:
    """`git add -A && git commit -m "..."`, and nothing else in the same line."""
    if "git" not in command or "$(" in command or "`" in command:
        return False
    parts = [part.split() for part in _CHAINED.split(_QUOTED.sub("", command))]
    return all(_is_git(words) for words in parts if words)


def _is_git(words: list[str]) -> bool:
    if words[0] == "cd":
        return len(words) <= 2
    if words[0] != "git":
        return False
    rest = iter(words[1:])
    for word in rest:
        if word in ("-c", "-C"):
            next(rest, "")
        elif not word.startswith("-"):
            return word in _GIT
    return False
