"""Warm checkouts: one immutable working tree per repository and commit, shared by sandboxes.

Git runs in a workshop, never on the host, because the tree it writes is what strangers committed.
Objects come by alternates from the mirror, so a checkout costs its files only. Every file gets
the commit's own date and the index is refreshed after that: a sandbox's first `git status` then
compares dates instead of contents, and no later edit can have the same date by accident.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..provider import LaunchRefused, SandboxError
from ..spec import Checkout
from .local_ground import Ground, last_line
from .local_mounts import OBJECTS, WORKSPACE
from .local_registry import Registry
from .local_trash import discard

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_INSIDE_ID = 1000
_SHALLOW = "/opt/openinspect/mirror/shallow"
_BUILD = r"""
set -eu
commit=$1 objects=$2 shallow=$3 format=$4
git init -q --template= --object-format="$format" -b main .
mkdir -p .git/objects/info
printf '%s\n' "$objects" > .git/objects/info/alternates
if [ -s "$shallow" ]; then cat "$shallow" > .git/shallow; fi
git config gc.auto 0
git -c checkout.workers=0 -c advice.detachedHead=false checkout -q --detach "$commit"
now=$(date +%s) date=$(git show -s --format=%ct "$commit")
if [ "$date" -gt $((now - 60)) ]; then date=$((now - 60)); fi
if [ "$date" -lt 86400 ]; then date=86400; fi
git ls-files -z | xargs -0 -r touch -h -c -d "@$date" --
git update-index -q --refresh
"""
_COPY = """
set -eu
cp -a --reflink=auto /lower/. /workspace/
git update-index -q --refresh
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    key: str
    tree: Path
    objects: Path


class Checkouts:
    def __init__(self, ground: Ground, registry: Registry) -> None:
        self._ground = ground
        self._registry = registry
        self._root = ground.root / "warm"

    @contextlib.contextmanager
    def held(self, checkout: Checkout) -> Iterator[Warm]:
        """The warm checkout, made if need be, safe from removal while the block runs."""
        if not _COMMIT.fullmatch(checkout.commit):
            raise LaunchRefused(f"not a commit: {checkout.commit!r}")
        mirror = checkout.mirror.resolve()
        if not (mirror / "objects").is_dir():
            raise LaunchRefused(f"no bare repository at {mirror}")
        key = hashlib.sha256(f"{mirror}\0{checkout.commit}".encode()).hexdigest()[:32]
        with self._registry.locked("warm", key, shared=True):
            if not (self._root / key).exists():
                with self._registry.locked("build", key):
                    if not (self._root / key).exists():
                        self._build(key, mirror, checkout.commit)
            os.utime(self._root / key / "warm.json")
            yield self._warm(key)

    @contextlib.contextmanager
    def kept(self, key: str) -> Iterator[Warm | None]:
        """The warm checkout of a snapshot; None where it or its mirror is gone."""
        with self._registry.locked("warm", key, shared=True):
            warm = self._warm(key) if (self._root / key / "warm.json").exists() else None
            yield warm if warm is not None and warm.objects.is_dir() else None

    def copy(self, warm: Warm, target: Path) -> None:
        """For machines without overlayfs. Never hard links: an edit would show in every sandbox."""
        self._run(
            ["sh", "-c", f"cd {WORKSPACE}; {_COPY}"],
            [
                (warm.tree, "/lower", False),
                (target, WORKSPACE, True),
                (warm.objects, OBJECTS, False),
            ],
        )

    def prune(self, *, keep: int, used: Callable[[], set[str]]) -> None:
        """Remove the checkouts that nothing uses, except the `keep` last used."""
        idle = [path for path in self._root.iterdir() if path.name not in used()]
        idle.sort(key=_last_use, reverse=True)
        for path in idle[keep:]:
            with self._registry.locked("warm", path.name, wait=False) as locked:
                if locked and path.name not in used():
                    discard(self._ground, path)

    def _warm(self, key: str) -> Warm:
        words = json.loads((self._root / key / "warm.json").read_text())
        return Warm(key=key, tree=self._root / key / "tree", objects=Path(words["objects"]))

    def _build(self, key: str, mirror: Path, commit: str) -> None:
        growing = self._root / f".{key}.{os.getpid()}.{time.monotonic_ns()}"
        growing.mkdir(mode=0o700)
        try:
            self._ground.make_directory(growing / "tree")
            binds = [
                (growing / "tree", WORKSPACE, True),
                (mirror / "objects", OBJECTS, False),
            ]
            if (mirror / "shallow").exists():
                binds.append((mirror / "shallow", _SHALLOW, False))
            form = "sha1" if len(commit) == 40 else "sha256"
            script = f"cd {WORKSPACE}; {_BUILD}"
            self._run(["sh", "-c", script, "build", commit, OBJECTS, _SHALLOW, form], binds)
            words = {"objects": str(mirror / "objects"), "commit": commit}
            (growing / "warm.json").write_text(json.dumps(words))
            growing.rename(self._root / key)
        except BaseException:
            discard(self._ground, growing)
            raise

    def _run(self, command: list[str], binds: list[tuple[Path, str, bool]]) -> None:
        done = subprocess.run(
            self._ground.workshop(command, binds=binds, inside_id=_INSIDE_ID),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={},
            check=False,
        )
        if done.returncode != 0:
            raise SandboxError(f"the checkout could not be made: {last_line(done.stderr)}")


def _last_use(path: Path) -> float:
    try:
        return (path / "warm.json").stat().st_mtime
    except FileNotFoundError:
        return 0.0
