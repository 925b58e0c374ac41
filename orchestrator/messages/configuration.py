"""What holds in this repository, key by key, and where each value comes from."""

from __future__ import annotations

import json

from orchestrator.config import CONFIG_PATH, ConfigProblem, Effective, RepoConfig, effective

from . import inert

_VALUE = 80


def config_words(config: RepoConfig, *, commit: str, problem: ConfigProblem | None) -> str:
    """What `config` answers. `commit` is the default branch's head, at which the file was read;
    with a `problem` there, `config` is an earlier one or the defaults."""
    rows = [_row(one) for one in effective(config)]
    table = "\n".join(["| key | value | from |", "|---|---|---|", *rows])
    parts = [_where(config, commit, problem)]
    if problem is not None:
        parts.append(inert.fenced(problem.explain(), "text"))
    return "\n\n".join([*parts, table])


def _where(config: RepoConfig, commit: str, problem: ConfigProblem | None) -> str:
    at = f" at {commit[:7]}" if commit else ""
    if problem is not None:
        going_on = f"the version at {config.commit[:7]}" if config.commit else "the defaults"
        return f"`{CONFIG_PATH}`{at} has a problem, so {going_on} holds:"
    if not config.commit:
        return f"There is no `{CONFIG_PATH}` on the default branch{at}, so the defaults hold:"
    return f"`{CONFIG_PATH}` of the default branch, last read{at}:"


def _row(one: Effective) -> str:
    source = f"line {one.line}" if one.line is not None else "default"
    shown = one.value if isinstance(one.value, str) else _plain(one.value)
    value = inert.code(shown, _VALUE) if shown else ""
    return f"| `{one.key.path}` | {value.replace('|', chr(92) + '|')} | {source} |"


def _plain(value: bool | int | float | tuple[str, ...] | tuple[int, ...]) -> str:
    if isinstance(value, tuple):
        return json.dumps(list(value), ensure_ascii=False) if value else ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
