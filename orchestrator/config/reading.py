"""Configuration bytes to `RepoConfig`, or the problems in them. Never half of each."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from .fitting import Unfit, fitting, kind_of
from .keys import KEYS, Value
from .problem import ConfigProblem
from .repo_config import RepoConfig, config_of
from .tree import Mapping, Node, Place, Scalar, Unreadable, tree

_BY_PATH = {key.path: key for key in KEYS}
_GROUPS = {key.path[:dot] for key in KEYS for dot, letter in enumerate(key.path) if letter == "."}
_MOST_PROBLEMS = 50


def read_config(data: bytes, *, commit: str = "") -> RepoConfig | ConfigProblem:
    """The configuration, or the first thing that is wrong with it."""
    values, lines, problems = _read(data)
    return problems[0] if problems else config_of(values, lines=lines, commit=commit)


def config_problems(data: bytes) -> tuple[ConfigProblem, ...]:
    """All that is wrong, in the order of the file; for `openinspect lint`."""
    return tuple(_read(data)[2])


def _read(data: bytes) -> tuple[dict[str, Value], dict[str, int], list[ConfigProblem]]:
    values: dict[str, Value] = {}
    lines: dict[str, int] = {}
    try:
        root = tree(data)
    except Unreadable as unreadable:
        return values, lines, [unreadable.problem]
    problems: list[ConfigProblem] = []
    if root is not None:
        for found in _group(root, ""):
            if isinstance(found, ConfigProblem):
                problems.append(found)
                if len(problems) == _MOST_PROBLEMS:
                    break
            else:
                path, place, value = found
                values[path], lines[path] = value, place.line
    return values, lines, problems


def _group(node: Node, path: str) -> Iterator[ConfigProblem | tuple[str, Place, Value]]:
    if isinstance(node, Scalar) and node.value is None:
        return
    if not isinstance(node, Mapping):
        message = f"must hold keys, not {kind_of(node)}"
        hint = f"allowed: {', '.join(_children(path))}"
        if isinstance(node, Scalar) and ":" in str(node.value):
            hint = f"write `key: value`, with a space after the colon; {hint}"
        yield _problem(node.place, path, message, hint)
        return
    for name, place, inner in node.items:
        full = f"{path}.{name}" if path else name
        if full in _GROUPS:
            yield from _group(inner, full)
        elif full in _BY_PATH:
            try:
                yield full, place, fitting(inner, _BY_PATH[full])
            except Unfit as unfit:
                yield _problem(unfit.place, full, unfit.message, unfit.hint)
        else:
            yield _problem(place, full, "unknown key", _nearest(name, path))


def _children(path: str) -> list[str]:
    depth = path.count(".") + 1 if path else 0
    within = [key.path for key in KEYS if not path or key.path.startswith(path + ".")]
    return list(dict.fromkeys(inner.split(".")[depth] for inner in within))


def _nearest(name: str, path: str) -> str:
    """A sibling that is spelt alike, else where the key really belongs, then what is allowed."""
    siblings = _children(path)
    known = f"allowed: {', '.join(siblings)}"
    close = get_close_matches(name.lower().replace("-", "_")[:100], siblings, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`? {known}"
    elsewhere = [key.path for key in KEYS if key.path.rpartition(".")[2] == name]
    return f"did you mean `{elsewhere[0]}`? {known}" if elsewhere else known


def _problem(place: Place, key: str, message: str, hint: str) -> ConfigProblem:
    shown = key if len(key) <= 120 else key[:117] + "..."
    return ConfigProblem(
        line=place.line, column=place.column, key=shown, message=message, hint=hint
    )
