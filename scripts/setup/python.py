"""`.venv`: our dependencies by hash, and ourselves in place."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from ground import ROOT, run, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VENV = ROOT / ".venv"
OLDEST = (3, 11)


def install(*, test: bool) -> None:
    lock = ROOT / ("requirements-dev.lock" if test else "requirements.lock")
    if not is_usable():
        with told("creating .venv"):
            run("creating .venv", [base_python(), "-m", "venv", "--clear", str(VENV)])
    pip = [str(VENV / "bin/python"), "-I", "-m", "pip", "-q", "--disable-pip-version-check"]
    install = [*pip, "install", "--no-input", "--no-deps"]
    stamps = {name: VENV / f".installed-{name}" for name in ("demo", "test", "project")}
    wanted = stamps["test" if test else "demo"]
    # The test lock holds every pin of the other one, so either will do for the demo.
    if not any(is_stamped(stamp, locked) for stamp, locked in acceptable(stamps, test=test)):
        with told("installing Python packages"):
            run(
                "installing Python packages",
                [*install, "--require-hashes", "--only-binary", ":all:", "-r", str(lock)],
            )
        wanted.write_text(digest(lock))
    project = ROOT / "pyproject.toml"
    if not (is_stamped(stamps["project"], project) and (VENV / "bin/openinspect").exists()):
        with told("installing openinspect"):
            run(
                "installing openinspect",
                [*install, "--no-index", "--no-build-isolation", "-e", str(ROOT)],
            )
        stamps["project"].write_text(digest(project))


def acceptable(stamps: Mapping[str, Path], *, test: bool) -> Iterator[tuple[Path, Path]]:
    yield stamps["test"], ROOT / "requirements-dev.lock"
    if not test:
        yield stamps["demo"], ROOT / "requirements.lock"


def base_python() -> str:
    """The interpreter itself, also where an activated virtual environment started us."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def is_usable() -> bool:
    """Made by us, for this folder (its scripts name their own path), by a Python still there."""
    try:
        lines = (VENV / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return False
    settings = dict(line.split(" = ", 1) for line in lines if " = " in line)
    version = tuple(int(part) for part in settings.get("version", "0").split(".")[:2])
    here = settings.get("command", str(VENV)).endswith(str(VENV))
    return here and version >= OLDEST and (VENV / "bin/python").exists()


def digest(path: Path) -> str:
    return hashlib.sha256(str(ROOT).encode() + b"\0" + path.read_bytes()).hexdigest()


def is_stamped(stamp: Path, content: Path) -> bool:
    try:
        return stamp.read_text() == digest(content)
    except OSError:
        return False
