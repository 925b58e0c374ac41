"""Arguments of tools, which an agent may get wrong and a hostile one will. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .refusal import ToolRefused

NUMBER_KINDS = ("issue", "pull_request", "comments", "review_comments", "reviews", "files", "diff")
_PAGED = frozenset({"page", "per_page"})
KINDS: dict[str, frozenset[str]] = {
    "issues": frozenset({"state", "text"}) | _PAGED,
    "issue": frozenset({"number"}),
    "pull_request": frozenset({"number"}),
    "comments": frozenset({"number"}) | _PAGED,
    "review_comments": frozenset({"number"}) | _PAGED,
    "reviews": frozenset({"number"}) | _PAGED,
    "files": frozenset({"number"}) | _PAGED,
    "diff": frozenset({"number"}) | _PAGED,
    "commits": frozenset({"number", "ref"}) | _PAGED,
    "checks": frozenset({"number", "ref"}) | _PAGED,
    "check_log": frozenset({"id", "page"}),
}
"""What can be read, and the arguments that each takes beside `kind`."""

PER_PAGE = {"issues": 50, "files": 100, "diff": 20, "commits": 50, "checks": 50}
USUAL_PER_PAGE = 30
STATES = ("open", "closed", "all")
MAX_TITLE = 256
MAX_BODY = 30_000

_REF = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/+#=-]{0,199})")
_NOT_IN_REF = ("..", "//", "/.", ".lock/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAsk:
    """One thing to read. Numbers that were not given, and do not belong to `kind`, are 0."""

    kind: str
    number: int = 0
    ref: str = ""
    id: int = 0
    state: str = "all"
    text: str = ""
    page: int = 1
    per_page: int = USUAL_PER_PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestAsk:
    title: str
    body: str


def read_ask(arguments: Mapping[str, object]) -> ReadAsk:
    """Raises `ToolRefused`."""
    given = {name: value for name, value in arguments.items() if value is not None}
    kind = given.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ToolRefused(f"`kind` is one of {', '.join(KINDS)}.")
    _only(given, KINDS[kind], f"`{kind}`")
    ask = ReadAsk(
        kind=kind,
        number=_whole(given, "number", 2**31 - 1, 0),
        ref=_ref(given),
        id=_whole(given, "id", 2**53, 0),
        state=_state(given),
        text=_text(given, "text", 200) if "text" in given else "",
        page=_whole(given, "page", 1000, 1),
        per_page=_whole(given, "per_page", 100, PER_PAGE.get(kind, USUAL_PER_PAGE)),
    )
    if kind in NUMBER_KINDS and not ask.number:
        raise ToolRefused(f"`{kind}` needs `number`, that of the issue or pull request.")
    if kind in ("commits", "checks") and bool(ask.number) == bool(ask.ref):
        raise ToolRefused(f"`{kind}` needs `number` of a pull request, or `ref`: one of the two.")
    if kind == "check_log" and not ask.id:
        raise ToolRefused("`check_log` needs `id`; `checks` lists them.")
    return ask


def pull_request_ask(arguments: Mapping[str, object]) -> PullRequestAsk:
    """Raises `ToolRefused`. A title is one line."""
    _only(arguments, frozenset({"title", "body"}), "`create_pull_request`")
    title = " ".join(_text(arguments, "title", MAX_TITLE).split())
    if not title:
        raise ToolRefused("`title` says nothing.")
    body = _text(arguments, "body", MAX_BODY) if arguments.get("body") is not None else ""
    return PullRequestAsk(title=title, body=body.strip())


def _only(given: Mapping[str, object], allowed: frozenset[str], what: str) -> None:
    if given.keys() - allowed:
        takes = ", ".join(f"`{name}`" for name in sorted(allowed))
        raise ToolRefused(f"{what} takes {takes} and nothing else.")


def _whole(given: Mapping[str, object], name: str, most: int, default: int) -> int:
    value = given.get(name, default)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or (name in given and not 1 <= value <= most):  # type: ignore[operator]
        raise ToolRefused(f"`{name}` is a whole number from 1 to {most}.")
    assert isinstance(value, int)
    return value


def _text(given: Mapping[str, object], name: str, limit: int) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise ToolRefused(f"`{name}` is a text.")
    if len(value) > limit:
        raise ToolRefused(f"`{name}` is longer than {limit:,} characters.")
    return value.encode("utf-8", "replace").decode("utf-8")


def _state(given: Mapping[str, object]) -> str:
    state = given.get("state", "all")
    if not isinstance(state, str) or state not in STATES:
        raise ToolRefused(f"`state` is one of {', '.join(STATES)}.")
    return state


def _ref(given: Mapping[str, object]) -> str:
    """Names of branches that GitHub would take for something else are not let through."""
    if "ref" not in given:
        return ""
    ref = _text(given, "ref", 200)
    bad = any(part in ref for part in _NOT_IN_REF) or ref.endswith(("/", ".", ".lock"))
    if bad or not _REF.fullmatch(ref):
        raise ToolRefused("`ref` is the id of a commit, or the name of a branch or tag.")
    return ref
