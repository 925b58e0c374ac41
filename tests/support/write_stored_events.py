"""Write a stored example of every event whose present shape has none: run it as a script.

Files that exist are never touched: what was ever stored must read for ever. A field that was
added makes another file of the same version, `<name>.v1.2.json`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NewType

from orchestrator.codec import STORED, decode, encode

FOLDER = Path(__file__).parent.parent / "stored_events"
TEXTS = {
    "key": "comment-987",
    "prompt": "comment-987",
    "session": "7001-41-main-1",
    "repository": "acme/app",
    "login": "octocat",
    "name": "The Octocat",
    "branch": "openinspect/41-flaky-retry",
    "base_branch": "main",
    "default_branch": "main",
    "branch_prefix": "openinspect/",
    "head": "3f2a91c0" * 5,
    "base": "2a3b4c5d" * 5,
    "config_commit": "9e107d9d" * 5,
    "sha256": "ab" * 32,
    "url": "https://github.example/acme/app/issues/41#issuecomment-987",
    "pull_request": "draft",
    "path": "src/retry.py",
    "text": "fix the flaky retry test – bitte",
}


def example(hint: Any, name: str) -> Any:
    if isinstance(hint, NewType):
        return example(hint.__supertype__, name)
    if hint is datetime:
        return datetime(2026, 11, 24, 14, 2, 11, 250_000, tzinfo=UTC)
    if hint is bool:
        return True
    if hint is int:
        return 41
    if hint is float:
        return 2.5
    if hint is str:
        return TEXTS.get(name, f"some {name}")
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        values = {field: example(part, field) for field, part in hints.items()}
        return typing.cast(type[Any], hint)(**values)
    args = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return args[0]
    if typing.get_origin(hint) is tuple:
        return (example(args[0], name),)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return example(next(a for a in args if a is not types.NoneType), name)
    raise TypeError(f"no example of {hint}")


def files_of(name: str, version: int) -> list[Path]:
    """Oldest shape first: `name.v1.json`, `name.v1.2.json`, ..."""
    first = FOLDER / f"{name}.v{version}.json"
    later = sorted(FOLDER.glob(f"{name}.v{version}.*.json"), key=lambda f: int(f.suffixes[1][1:]))
    return [first, *later] if first.exists() else []


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, (version, cls) in STORED.items():
        present = files_of(name, version)
        if present and encode(decode(line_of(present[-1]))) == line_of(present[-1]):
            continue
        number = f".{len(present) + 1}" if present else ""
        file = FOLDER / f"{name}.v{version}{number}.json"
        file.write_text(encode(example(cls, name)) + "\n")
        print(f"wrote {file.name}: read it before you commit it")


def line_of(file: Path) -> str:
    return file.read_text().removesuffix("\n")


if __name__ == "__main__":
    main()
