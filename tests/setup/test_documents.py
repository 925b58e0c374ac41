"""What the documents say is there, is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli import WORDS
from bot.metrics import Metrics
from bot.settings import ALL, CLIENT

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_map_names_files_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for path in re.findall(r"`((?:bot|orchestrator|sandbox|tests|docs)/[\w/.]*)`", text):
        assert (ROOT / path).exists(), path


def test_every_setting_that_is_named_exists() -> None:
    known = {setting.name for setting in (*ALL, *CLIENT)}
    for document in DOCUMENTS:
        named = re.findall(
            r"\b((?:GITHUB_APP|GITHUB_WEBHOOK|OPENINSPECT|ANTHROPIC|OPENAI|OPENCODE)_[A-Z_]+)\b",
            document.read_text(),
        )
        for name in named:
            # What a sandbox is told is no setting of the server.
            assert name in known or name == "OPENINSPECT_BOOT_MODE", f"{document.name}: {name}"


def test_every_command_is_documented_and_the_other_way_round() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    listed = re.findall(r"^\| `openinspect (\w+)", text, re.MULTILINE)
    assert sorted(listed) == sorted(WORDS)
    for document in DOCUMENTS:
        for word in re.findall(r"`openinspect (\w+)", document.read_text()):
            assert word in listed or word == "action", f"{document.name}: {word}"


def test_every_metric_is_documented_and_the_other_way_round() -> None:
    exposed = {
        line.split()[2]
        for line in Metrics().text()[0].decode().splitlines()
        if line.startswith("# TYPE") and not line.split()[2].endswith("_created")
    }
    text = (ROOT / "docs/operations.md").read_text()
    assert set(re.findall(r"^\| `(openinspect_\w+)", text, re.MULTILINE)) == exposed


def test_what_can_be_said_is_what_is_understood() -> None:
    from orchestrator.triggers.words import WordName

    said = re.findall(r"^\| `/openinspect (\w+)", (ROOT / "docs/guide.md").read_text(), re.M)
    assert sorted(said) == sorted([*WordName, "run"])


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/workflows/*.yml")), ids=lambda p: p.name)
def test_workflows_may_do_little_and_pin_what_they_use(path: Path) -> None:
    workflow: dict[str, Any] = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
            assert "${{" not in step.get("run", ""), "a text of somebody's would become a script"
