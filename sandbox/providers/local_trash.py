"""Removing what a sandbox wrote, in a workshop: its trees may be deep, huge or unreadable."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path

from ..provider import SandboxError
from .local_ground import Ground, last_line


def discard(ground: Ground, path: Path) -> None:
    """Move aside at once, then delete. What a crash leaves in between, `empty` deletes."""
    aside = ground.root / "trash" / f"{path.name.lstrip('.')}.{secrets.token_hex(4)}"
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    _delete(ground, aside)


def empty(ground: Ground) -> None:
    for path in (ground.root / "trash").iterdir():
        _delete(ground, path)


def _delete(ground: Ground, path: Path) -> None:
    if path.is_file():
        path.unlink(missing_ok=True)
        return
    # The sandbox's own directories first, as the sandbox's own uid; the frame around them is ours.
    theirs = [each for each in path.iterdir() if each.is_dir()]
    if theirs:
        binds = [(each, f"/trash/{number}", True) for number, each in enumerate(theirs)]
        command = ["sh", "-c", 'for each in /trash/*; do find "$each" -mindepth 1 -delete; done']
        done = subprocess.run(
            ground.workshop(command, binds=binds),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={},
            check=False,
        )
        if done.returncode != 0:
            raise SandboxError(f"could not be removed: {last_line(done.stderr)}")
    shutil.rmtree(path)
