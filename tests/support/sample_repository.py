"""The demo's sample project as a repository of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import bot.demo

SAMPLE = Path(bot.demo.__file__).parent / "sample"


def sample_repository(at: Path) -> Path:
    """One commit on `main`, by a made-up person."""
    shutil.copytree(SAMPLE, at)
    git(at, "init", "-q", "-b", "main")
    git(at, "config", "user.name", "octocat")
    git(at, "config", "user.email", "octocat@users.noreply.github.com")
    git(at, "add", "-A")
    git(at, "commit", "-q", "-m", "Start")
    return at


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=repository, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def unittest_in(repository: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "unittest"], cwd=repository, capture_output=True, text=True
    )
