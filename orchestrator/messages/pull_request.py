"""Title and body of the pull request that a turn opens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.session.values import Home
from orchestrator.session.view import SessionView, TurnView

from . import figures, inert, steps
from .markdown import open_fence, prose, sentence
from .status import composed

LONGEST_TITLE = 72
_SUMMARY = 15_000
_TEMPLATE = 20_000

_DECORATION = re.compile(r"[`*#>\[\]<|~]+|(?<![A-Za-z0-9])_+|_+(?![A-Za-z0-9])")
_SKIP_CI = re.compile(r"\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]", re.IGNORECASE)
_CLOSING = re.compile(
    r"\b(close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+(?:[\w.-]+/[\w.-]+)?#(\d+)", re.IGNORECASE
)
_PREAMBLE = re.compile(
    r"^(?:i have|i've|i|we have|we've|we|this change|this commit|this pr|now)\s+", re.IGNORECASE
)
_IMPERATIVE = {
    "added": "Add", "adds": "Add", "adding": "Add", "changed": "Change", "changes": "Change",
    "corrected": "Correct", "corrects": "Correct", "created": "Create", "creates": "Create",
    "fixed": "Fix", "fixes": "Fix", "fixing": "Fix", "implemented": "Implement",
    "implements": "Implement", "improved": "Improve", "improves": "Improve", "made": "Make",
    "makes": "Make", "moved": "Move", "moves": "Move", "refactored": "Refactor",
    "removed": "Remove", "removes": "Remove", "renamed": "Rename", "renames": "Rename",
    "replaced": "Replace", "replaces": "Replace", "rewrote": "Rewrite", "rewrites": "Rewrite",
    "updated": "Update", "updates": "Update", "updating": "Update", "wrote": "Write",
    "writes": "Write",
}  # fmt: skip
_VERBS = frozenset(_IMPERATIVE.values()) | {
    "Allow", "Avoid", "Build", "Bump", "Check", "Clean", "Convert", "Delete", "Describe", "Detect",
    "Document", "Drop", "Enable", "Ensure", "Expose", "Extend", "Extract", "Handle", "Keep", "Let",
    "Log", "Migrate", "Port", "Prevent", "Raise", "Read", "Reject", "Report", "Restore", "Return",
    "Revert", "Run", "Set", "Show", "Simplify", "Speed", "Split", "Stop", "Support", "Test", "Use",
    "Validate",
}  # fmt: skip


def pull_request_title(view: SessionView, turn: TurnView, *, commit_subject: str = "") -> str:
    """What changed, imperative, at most 72 characters: the first commit's subject; else the
    first sentence of the summary or of the prompt, if it is imperative; else the issue's title."""
    for candidate, any_verb in (
        (commit_subject, True),
        (_first_sentence(turn.said), False),
        (_first_sentence(turn.prompt), False),
        (view.title, True),
    ):
        title = _titled(candidate)
        if title and (any_verb or title.partition(" ")[0] in _VERBS):
            return title
    return f"Work on issue {view.home_number}"


def _first_sentence(said: str) -> str:
    for line in said.splitlines():
        line = line.strip()
        if line and not line.startswith(("#", "```", "|", "-", "*", ">")):
            return re.split(r"(?<=[.!?])\s", line, maxsplit=1)[0]
    return ""


def _titled(said: str) -> str:
    said = " ".join(inert.without_controls(said[:1000]).split())
    said = _CLOSING.sub(r"\1 issue \2", _SKIP_CI.sub("", said))
    said = _DECORATION.sub("", said).replace("@", "＠")
    said = _PREAMBLE.sub("", said).strip(" .:;,-–—")
    if not said:
        return ""
    first, space, rest = said.partition(" ")
    said = _IMPERATIVE.get(first.lower(), first) + space + rest
    return inert.cut(said[0].upper() + said[1:], LONGEST_TITLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The repository's pull request template, from the base branch."""

    text: str


def pull_request_body(
    view: SessionView,
    turn: TurnView,
    *,
    marker: str,
    asked_at: str = "",
    template: Template | None = None,
) -> str:
    """Why, what, how it was checked; who asked in the last line. `asked_at` is the URL of what
    asked. A template's own headings are used where they fit, and kept where they do not."""
    summary = prose(turn.said, _SUMMARY) if turn.said.strip() else ""
    summary = summary or f"Asked for: {sentence(turn.prompt, 1000)}"
    checked = _checked(turn)
    closing = _closing(view)
    if template is not None and template.text.strip():
        parts = [_filled(template.text, summary, checked, closing)]
    else:
        parts = [summary, f"**Checked**\n\n{checked}", _look_first(turn), closing]
    return composed([*parts, f"<sub>{_provenance(view, turn, asked_at)}</sub>"], marker)


def _checked(turn: TurnView) -> str:
    ran = steps.commands_run(turn.steps)
    if not ran:
        return "Nothing was run to check it."
    lines = [f"- {inert.code(command, 120)} {ended}" for command, ended in ran[-10:]]
    if len(ran) > 10:
        lines.insert(0, f"- {len(ran) - 10} commands before these")
    return "\n".join(lines)


def _look_first(turn: TurnView) -> str:
    files = turn.work.files if turn.work is not None else ()
    if not files:
        return ""
    largest = sorted(files, key=lambda f: (-(f.added + f.removed), f.path))[:3]
    named = [
        f"{inert.code(f.path, 120)} ({figures.lines_changed(f.added, f.removed)})" for f in largest
    ]
    return f"**Look first at** {figures.listed(named)}"


def _closing(view: SessionView) -> str:
    """Merging closes the issue only where the work was asked for in that issue."""
    word = "Fixes" if view.home is Home.ISSUE else "Refs"
    return f"{word} #{view.home_number}"


def _provenance(view: SessionView, turn: TurnView, asked_at: str) -> str:
    where = f"[#{view.home_number}]({asked_at})" if _ours(asked_at) else f"#{view.home_number}"
    facts = [
        f"Asked by {inert.person(turn.author.login)} in {where}",
        f"session {inert.code(view.id)}",
        f"turn {turn.number}",
    ]
    if view.model:
        facts.append(inert.code(view.model, 100))
    facts.append(figures.money(turn.usage.microdollars))
    return " · ".join(facts)


def _ours(url: str) -> bool:
    return bool(re.fullmatch(r"https?://[\w.:-]+/[\w./#?=&-]*", url))


_HEADING = re.compile(r"^(?:#{1,6}[ \t]+(?P<hash>.+?)[ \t#]*|\*\*(?P<bold>[^*\n]+)\*\*[ \t:]*)$")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_SLOTS = (
    ("closing", re.compile(r"issue|ticket|fixes|closes|related|reference", re.IGNORECASE)),
    ("checked", re.compile(r"test|verif|check(?!list)|\bqa\b|validat", re.IGNORECASE)),
    ("summary", re.compile(
        r"what|why|describ|descript|summary|overview|change|proposed|motivation|context",
        re.IGNORECASE,
    )),
)  # fmt: skip


def _filled(template: str, summary: str, checked: str, closing: str) -> str:
    """The template without its comments, each of our parts below the first heading for it."""
    text = _COMMENT.sub("", template.replace("\r\n", "\n")[:_TEMPLATE])
    waiting = {"summary": summary, "checked": checked, "closing": closing}
    out: list[str] = []
    for line in text.split("\n"):
        out.append(line.rstrip())
        heading = _HEADING.match(line.strip())
        if heading is None:
            continue
        title = heading.group("hash") or heading.group("bold")
        for slot, pattern in _SLOTS:
            if slot in waiting and pattern.search(title):
                out += ["", waiting.pop(slot), ""]
                break
    if fence := open_fence(text):
        out.append(fence)
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()
    before = waiting.pop("summary", "")
    if "checked" in waiting:
        waiting["checked"] = f"**Checked**\n\n{checked}"
    after = [waiting[slot] for slot in ("checked", "closing") if slot in waiting]
    return "\n\n".join(part for part in (before, body, *after) if part)
