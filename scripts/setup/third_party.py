"""`.tools/third-party`: a published package and the wheels its tests need, all by hash.

A flow test fixes a bug in it with no network, so they are fetched here beforehand.
"""

from __future__ import annotations

import hashlib
import shutil

import npm
from ground import ROOT, TOOLS, run, told
from python import VENV

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

LOCK = ROOT / "scripts/third-party.lock"


def fetched() -> Path:
    """Where they go: another lock, another folder."""
    return TOOLS / f"third-party-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"


def fetch() -> None:
    target = fetched()
    if not target.exists():
        fresh = TOOLS / ".new-third-party"
        if fresh.exists():
            shutil.rmtree(fresh)
        pip = [str(VENV / "bin/python"), "-I", "-m", "pip", "-q", "--disable-pip-version-check"]
        # Without build isolation: what would build the package is pinned in .venv already.
        flags = ["--no-input", "--no-deps", "--no-build-isolation", "--require-hashes"]
        with told("fetching a third-party package for its test"):
            command = [*pip, "download", *flags, "-d", str(fresh), "-r", str(LOCK)]
            run("fetching a third-party package", command)
        fresh.rename(target)
    npm.link(TOOLS / "third-party", target)
