"""Text by others made harmless for GitHub: it reads as it did, but nothing in it acts.

No mention, no link, no image, no reference to an issue, no HTML, no command of another bot.
There is no escape character for a mention; a code span is what GitHub does not look into. So
whatever acts becomes a code span, and no other backtick is left in plain text.
"""

from __future__ import annotations

import re

# What stands before a match may end in its middle: `@a@b` is two mentions once the first is code.
# So nothing here asks what stands before, and every alternative is tried once at each place.
_ACTING = re.compile(
    r"""(?:https?|ftp|ssh|git|file|data|javascript)://?[^\s<>`]+
    |www\.[^\s<>`]+
    |(?:(?<![\w.+-])[\w.+-]++)?@[A-Za-z0-9][\w-]*(?:[/.@][\w-]+)*
    |\#\d+
    |GH-\d+""",
    re.VERBOSE | re.IGNORECASE,
)
_ESCAPED = str.maketrans(
    {
        "\\": "\\\\",
        "`": "&#96;",
        "*": "\\*",
        "[": "\\[",
        "]": "\\]",
        "<": "&lt;",
        "~": "\\~",
        "|": "\\|",
        "$": "&#36;",
    }
)
_ENTITY = re.compile(r"&(?=#?\w{1,32};)")
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LINE_START = re.compile(r"(?P<mark>[#>=:+-]|/(?=[A-Za-z]))|(?P<number>\d{1,9})(?=[.)])")
_COMMAND = re.compile(r"^(?P<space>[ \t>]*)/(?P<word>[A-Za-z][\w-]*)(?=[ \t]|$)", re.MULTILINE)
_BOTS = re.compile(
    r"@(?=(?:dependabot|renovate|mergify|mergifyio|bors|homu|rustbot|rust-timer|rust-log-analyzer"
    r"|k8s-ci-robot|copilot|codex|claude|cursor|cursoragent|coderabbitai|gemini-cli|openhands"
    r"|jules|openswe|opencode|openinspect|sweep-ai|devin-ai-integration|greptileai|sourcery-ai"
    r"|ellipsis-dev|qodo-merge|allcontributors|stale|probot|bot)\b)",
    re.IGNORECASE,
)
_MARKER = re.compile(r"<!--(?=\s*openinspect)", re.IGNORECASE)
_BACKTICKS = re.compile(r"`+")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SPACES = re.compile(r"\s+")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:\[bot\])?")
_LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+#.-]{0,19}")
_ACTIVE_LANGUAGES = frozenset({"mermaid", "geojson", "topojson", "stl", "math", "suggestion"})


def text(said: str) -> str:
    """Plain text inside a line: read as it stands, whatever Markdown would make of it."""
    said = _CONTROL.sub("", said)
    pieces: list[str] = []
    position = 0
    for match in _ACTING.finditer(said):
        pieces += (_plain(said[position : match.start()]), code(match.group()))
        position = match.end()
    return "".join(pieces) + _plain(said[position:])


def _plain(said: str) -> str:
    said = _ENTITY.sub("&amp;", said).translate(_ESCAPED)
    return _UNDERSCORE.sub(r"\\_", said)


def lines(rendered: str) -> str:
    """Lines of rendered inline text that begin nothing: no list, heading, quote or command."""
    return "\n".join(_unstarted(line.strip(" \t")) for line in rendered.split("\n"))


def _unstarted(line: str) -> str:
    start = _LINE_START.match(line)
    if start is None:
        return line
    if start.group("number"):
        return f"{start.group('number')}\\{line[start.end() :]}"
    return "\\" + line


def line(said: str, limit: int) -> str:
    """One line of at most `limit` characters of what was said, rendered as text."""
    return lines(text(cut(_SPACES.sub(" ", said).strip(), limit)))


def code(said: str, limit: int = 200) -> str:
    """A code span. What other bots would take as their command is written with another `@`."""
    said = cut(_SPACES.sub(" ", _CONTROL.sub("", said)).strip(), limit)
    said = _MARKER.sub("<!-", _BOTS.sub("＠", said))
    if not said:
        return "` `"
    longest = max((len(run) for run in _BACKTICKS.findall(said)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if said.startswith("`") or said.endswith("`") else ""
    return f"{fence}{pad}{said}{pad}{fence}"


def fenced(said: str, language: str = "") -> str:
    """A code block whose fence is longer than any in it."""
    said = _MARKER.sub("<!-", _BOTS.sub("＠", _CONTROL.sub("", said.replace("\r", ""))))
    said = _COMMAND.sub(r"\g<space>∕\g<word>", said).rstrip("\n")
    longest = max((len(run) for run in _BACKTICKS.findall(said)), default=0)
    fence = "`" * max(3, longest + 1)
    known = _LANGUAGE.fullmatch(language) and language.lower() not in _ACTIVE_LANGUAGES
    return f"{fence}{language if known else ''}\n{said}\n{fence}"


def without_controls(said: str) -> str:
    """Without what a terminal or a page would act on instead of showing it."""
    return _CONTROL.sub("", said)


def person(login: str) -> str:
    """A mention of somebody who asked; only a real login becomes one."""
    return f"@{login}" if _LOGIN.fullmatch(login) else code("@" + login)


def cut(said: str, limit: int) -> str:
    """At most `limit` characters, cut between words where one ends near, with an ellipsis."""
    if len(said) <= limit:
        return said
    kept = said[: max(0, limit - 1)]
    space = kept.rfind(" ")
    if space > limit * 0.6 and said[len(kept)] != " ":
        kept = kept[:space]
    return kept.rstrip() + "…"
