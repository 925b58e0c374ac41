"""How much disk a sandbox uses, measured on a tree whose owner may be working against us."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .local_ground import Ground

_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    mib: float
    files: int


def usage(ground: Ground, folders: list[Path]) -> Usage:
    """Blocks and entries below `folders`.

    Read directly, through descriptors and without following links, which costs milliseconds.
    A tree that cannot be read so (a directory of mode 000, very deep nesting) is measured by
    `du` in a workshop instead.
    """
    seen: set[int] = set()
    blocks = files = 0
    for folder in folders:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        try:
            found = _walk(descriptor, seen, _DEEPEST)
        except (PermissionError, _TooDeep):
            found = _by_du(ground, folder)
        finally:
            os.close(descriptor)
        blocks, files = blocks + found[0], files + found[1]
    return Usage(mib=blocks / 2048, files=files)


class _TooDeep(Exception):
    pass


def _walk(descriptor: int, seen: set[int], deeper: int) -> tuple[int, int]:
    if deeper == 0:
        raise _TooDeep
    blocks = files = 0
    with os.scandir(descriptor) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            files += 1
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                if found.st_ino in seen:
                    continue
                seen.add(found.st_ino)
            blocks += found.st_blocks
            if stat.S_ISDIR(found.st_mode):
                try:
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                    below = os.open(entry.name, flags, dir_fd=descriptor)
                except (FileNotFoundError, NotADirectoryError):
                    continue
                try:
                    more = _walk(below, seen, deeper - 1)
                finally:
                    os.close(below)
                blocks, files = blocks + more[0], files + more[1]
    return blocks, files


def _by_du(ground: Ground, folder: Path) -> tuple[int, int]:
    script = "cd /measured; du -sx --block-size=512 . | cut -f1; du -sx --inodes . | cut -f1"
    done = subprocess.run(
        ground.workshop(["sh", "-c", script], binds=[(folder, "/measured", False)]),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={},
        check=False,
    )
    words = done.stdout.split()
    return (int(words[0]), int(words[1])) if len(words) == 2 else (0, 0)
