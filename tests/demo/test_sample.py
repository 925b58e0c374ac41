"""The sample project: small, real, and broken in exactly one place."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.sample_repository import unittest_in

from bot.demo.screenplay import STORY
from bot.demo.script import Edit, Step
from orchestrator.config import RepoConfig, read_config


def edits(turn: int) -> list[Edit]:
    steps = [step for step in STORY.turns[turn].steps if isinstance(step, Step)]
    return [action for step in steps for action in step.actions if isinstance(action, Edit)]


def test_exactly_one_test_fails(sample: Path) -> None:
    done = unittest_in(sample)
    assert done.returncode == 1
    assert "FAILED (failures=1)" in done.stderr
    assert "FAIL: test_no_attempt_starts_after_the_deadline" in done.stderr


def test_the_scripted_edits_fit_and_make_it_pass(sample: Path) -> None:
    for edit in [*edits(0), *edits(1)]:
        file = sample / edit.path
        assert file.read_text().count(edit.old) == 1
        file.write_text(file.read_text().replace(edit.old, edit.new))
    done = unittest_in(sample)
    assert done.returncode == 0, done.stderr
    assert "Ran 20 tests" in done.stderr


def test_its_setup_script_runs(sample: Path) -> None:
    done = subprocess.run(["bash", ".openinspect/setup.sh"], cwd=sample, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_its_configuration_is_accepted(sample: Path) -> None:
    config = read_config((sample / ".openinspect/config.yml").read_bytes())
    assert isinstance(config, RepoConfig), config
