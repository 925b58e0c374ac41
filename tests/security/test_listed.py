"""docs/security.md names a test for every incident and attack, and each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", DOCUMENT)


def names_in(file: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.M))


def test_every_test_that_the_document_names_is_there() -> None:
    assert len(NAMED) > 50
    for path, name in NAMED:
        file = ROOT / path
        assert file.is_file(), path
        assert name in names_in(file), f"{path}::{name}"


def test_every_test_of_this_folder_is_named_in_the_document() -> None:
    for file in (ROOT / "tests/security").glob("test_*.py"):
        if file.name == Path(__file__).name:
            continue
        path = file.relative_to(ROOT).as_posix()
        assert names_in(file) == {name for where, name in NAMED if where == path}, path


def test_every_attack_on_triggers_text_or_configuration_has_a_row() -> None:
    rows = set(re.findall(r"^\| (A-\d\d) \|", DOCUMENT, re.M))
    wanted = [*range(1, 12), *range(27, 34), 53]
    assert rows >= {f"A-{number:02}" for number in wanted}
