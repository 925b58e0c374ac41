"""Set-up, as a newcomer meets it: what it says where it cannot go on, and what it pins."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
VERSION = '[ "$1" = --version ] && echo bubblewrap 0.8.0 && exit'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout with what set-up reads and nothing installed."""
    shutil.copytree(ROOT / "tools", tmp_path / "clone/tools")
    shutil.copytree(ROOT / "scripts", tmp_path / "clone/scripts")
    return tmp_path / "clone"


def setup(clone: Path, programs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-E", "-s", "scripts/setup", *arguments],
        cwd=clone,
        env={"PATH": str(programs), "HOME": str(clone)},
        capture_output=True,
        text=True,
    )


def program(folder: Path, name: str, script: str = "exit 0") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_missing_programs_are_named_in_the_line_to_type(clone: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    program(programs, "git")
    done = setup(clone, programs, "demo")
    assert done.returncode == 1
    sudo = "" if os.geteuid() == 0 else "sudo "
    assert done.stderr == (
        f"setup: missing on this system; type: {sudo}apt-get install -y bubblewrap zstd tar npm\n"
    )


def test_a_refused_sandbox_is_said_with_the_reason(clone: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # root tries as another user, who has to get there
        for name in ("git", "zstd", "tar", "npm"):
            program(Path(folder), name)
        program(Path(folder), "bwrap", f"{VERSION}; echo 'No permissions' >&2; exit 1")
        done = setup(clone, Path(folder), "demo")
    assert done.returncode == 1
    assert "cannot make a sandbox here (No permissions)" in done.stderr
    assert not (clone / ".venv").exists(), "nothing is installed where no demo could run"


def test_an_old_bubblewrap_is_said(clone: Path, tmp_path: Path) -> None:
    for name in ("git", "zstd", "tar", "npm"):
        program(tmp_path / "programs", name)
    program(tmp_path / "programs", "bwrap", "echo bubblewrap 0.6.1")
    done = setup(clone, tmp_path / "programs", "demo")
    assert done.returncode == 1
    assert "bubblewrap 0.6 is too old, 0.8 is needed" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs system packages")
def test_root_has_them_installed_and_sees_why_if_that_fails(clone: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    for name in ("git", "zstd", "tar"):
        program(programs, name)
    for name in ("env", "touch"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    lines = f"echo $DEBIAN_FRONTEND $* >> {tmp_path}/asked; echo 'E: no such package'"
    program(programs, "apt-get", f'{lines}; test "$2" != install')
    done = setup(clone, programs, "demo")
    assert (tmp_path / "asked").read_text() == (
        "noninteractive -q update\n"
        "noninteractive -q install -y --no-install-recommends bubblewrap npm\n"
    )
    assert done.returncode == 1
    assert "    E: no such package\nsetup: apt-get install failed (exit 1)" in done.stderr


def wish(clone: Path, programs: Path) -> str:
    """What the step that wishes for ripgrep says."""
    (clone / ".tools").mkdir(exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-E", "-s", "-c"),
            "import sys; sys.path.insert(0, 'scripts/setup')\n"
            "import system; system.wish_for_ripgrep()",
        ],
        cwd=clone,
        env={"PATH": str(programs), "HOME": str(clone)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_ripgrep_is_wished_for_once(clone: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    program(programs, "git")
    assert "better with ripgrep; type: " in wish(clone, programs)
    assert wish(clone, programs) == ""


def test_ripgrep_that_is_there_is_not_spoken_of(clone: Path, tmp_path: Path) -> None:
    program(tmp_path / "programs", "rg")
    assert wish(clone, tmp_path / "programs") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs system packages")
@pytest.mark.parametrize("works", [True, False])
def test_root_has_ripgrep_installed_or_goes_on_without(
    clone: Path, tmp_path: Path, works: bool
) -> None:
    programs = tmp_path / "programs"
    program(programs, "apt-get", f"echo $* >> {tmp_path}/asked; exit {0 if works else 1}")
    (programs / "env").symlink_to("/usr/bin/env")
    said = wish(clone, programs)
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("-q update\n")
    assert ("install -y --no-install-recommends ripgrep" in asked) is works
    assert ("type: apt-get install -y ripgrep" in said) is not works


def test_a_wrong_word_is_refused(clone: Path, tmp_path: Path) -> None:
    done = setup(clone, tmp_path, "everything")
    assert (done.returncode, done.stdout) == (2, "")


def test_an_old_python_says_which_one_is_needed(clone: Path) -> None:
    as_old = (
        "import runpy, sys; sys.version_info = (3, 9, 2); "
        "runpy.run_path('scripts/setup', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-E", "-s", "-c", as_old],
        cwd=clone,
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("setup: Python 3.11 or newer is needed")


def lock(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize(
    "name",
    [
        "requirements.lock",
        "requirements-dev.lock",
        "scripts/third-party.lock",
        "tools/package-lock.json",
    ],
)
def test_locks_name_no_host(name: str) -> None:
    assert "://" not in lock(name)


def test_every_pin_has_a_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "scripts/third-party.lock"):
        pins = lock(name)[re.search(r"^[a-z]", lock(name), re.M).start() :]  # type: ignore[union-attr]
        for entry in re.split(r"\n(?=[a-zA-Z])", pins):
            assert re.match(r"[\w.-]+==\S+", entry), entry
            assert "--hash=sha256:" in entry, entry
    packages: dict[str, Any] = json.loads(lock("tools/package-lock.json"))["packages"]
    assert all(one["integrity"].startswith("sha512-") for key, one in packages.items() if key)


def test_the_test_lock_holds_every_pin_of_the_other() -> None:
    """So a checkout that was set up for the tests is set up for the demo."""
    pins = [
        set(re.findall(r"^[\w.-]+==\S+", lock(name), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    ]
    assert pins[0] < pins[1]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_the_locks_hold_all_that_the_project_asks_for(name: str) -> None:
    """A dependency added to pyproject.toml without `make lock` would be missing after set-up."""
    project = tomllib.loads(lock("pyproject.toml"))["project"]
    asked: list[str] = project["dependencies"]
    if name == "requirements-dev.lock":
        asked = [*asked, *project["optional-dependencies"]["dev"]]
    wanted = {re.split(r"[^\w.-]", one)[0].lower() for one in asked}
    assert wanted <= {one.lower() for one in re.findall(r"^([\w.-]+)==", lock(name), re.M)}
