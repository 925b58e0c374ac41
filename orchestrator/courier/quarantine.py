"""Where a pack from a sandbox is opened: a throw-away bare repository beside the mirror.

The pack is bounded while it comes, then `git index-pack --strict` checks every object by the
rules of `git fsck --strict` and that nothing it refers to is missing; fetching from a bundle, as
was measured, would not refuse a tree with `.GIT/config` in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from .errors import CourierRefused, GitError, GitFailed
from .hostgit import HostGit
from .mirror import Mirror
from .packscan import PackLimits, PackScanner

IMPORT_SECONDS = 600.0

_REASONS = {
    "hasDotgit": "a file or folder is named like git's own (`.git`)",
    "hasDotdot": "a path has `..` in it",
    "hasDot": "a path has `.` in it",
    "fullPathname": "a file name has a slash in it",
    "nullSha1": "it refers to nothing",
    "treeNotSorted": "a tree is not in order",
    "duplicateEntries": "a name appears twice in one folder",
    "gitmodules": "`.gitmodules` is not one that git accepts",
    "nulInCommit": "a commit message has a NUL in it",
    "nulInHeader": "a commit has a NUL in it",
    "multipleAuthors": "a commit has more than one author line",
    "badFilemode": "a file has a mode that git does not know",
    "appears twice": "the same object came twice",
    "gitattributes": "`.gitattributes` is not one that git accepts",
}
_ALSO_ERRORS = "badFilemode=error,gitmodulesParse=error"
"""What git would only warn about, and what no git writes by itself."""
_INCOMPLETE = ("did not receive expected object", "unresolved delta", "missing", "not exist")


@contextlib.asynccontextmanager
async def quarantine(mirror: Mirror) -> AsyncIterator[Quarantine]:
    """A fresh one, removed at the end."""
    room = Path(tempfile.mkdtemp(prefix="quarantine-", dir=mirror.path.parent))
    try:
        yield await _made(room / "repository.git", mirror)
    finally:
        await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)


async def _made(path: Path, mirror: Mirror) -> Quarantine:
    git = mirror.git
    await git.run("init", "--quiet", "--bare", "--template=", "--initial-branch=nothing", str(path))
    (path / "objects" / "info").mkdir(parents=True, exist_ok=True)
    objects = str(mirror.path / "objects")
    (path / "objects" / "info" / "alternates").write_text(f"{objects}\n", "utf-8")
    shallow = mirror.shallow()
    if shallow:
        (path / "shallow").write_text("".join(f"{c}\n" for c in shallow), "ascii")
    return Quarantine(path, git)


class Quarantine:
    def __init__(self, path: Path, git: HostGit) -> None:
        self.path = path
        self.git = git

    async def take_in(self, pack: AsyncIterator[bytes], limits: PackLimits) -> None:
        """Raises `CourierRefused` for a pack that is too large, damaged or not allowed."""
        scanner = PackScanner(limits)

        async def scanned() -> AsyncIterator[bytes]:
            async for chunk in pack:
                await asyncio.to_thread(scanner.feed, chunk)
                yield chunk
            scanner.finish()

        try:
            await self.git.run(
                "index-pack", f"--strict={_ALSO_ERRORS}", "--fix-thin", "--stdin", "--threads=1",
                f"--max-input-size={limits.pack}",
                repository=self.path, stdin=scanned(), seconds=IMPORT_SECONDS,
            )  # fmt: skip
        except GitFailed as error:
            raise CourierRefused(_in_words(error.words)) from error
        except GitError as error:
            raise CourierRefused("The work could not be unpacked in time.") from error

    async def run(self, *arguments: str, stdin: bytes = b"", most: int = 64 << 20) -> bytes:
        done = await self.git.run(
            *arguments, repository=self.path, stdin=stdin, most=most, seconds=120
        )
        return done.out

    async def sizes(self, names: list[str]) -> list[tuple[str, str, int]]:
        """(object id, type, bytes) of each; type `missing` and size 0 where there is none."""
        asked = "".join(f"{name}\n" for name in names).encode()
        listing = (await self.run("cat-file", "--batch-check", stdin=asked)).decode().splitlines()
        found = []
        for line in listing:
            parts = line.split(" ")
            whole = len(parts) == 3 and parts[2].isdigit()
            found.append((parts[0], parts[1], int(parts[2])) if whole else ("", "missing", 0))
        return found

    async def contents(self, object_ids: list[str]) -> list[bytes]:
        """Whole objects, in the order asked; their sizes must have been looked at before."""
        asked = "".join(f"{id}\n" for id in object_ids).encode()
        data = await self.run("cat-file", "--batch", stdin=asked)
        found, at = [], 0
        for _ in object_ids:
            end = data.index(b"\n", at)
            size = int(data[at:end].split(b" ")[2])
            found.append(data[end + 1 : end + 1 + size])
            at = end + 1 + size + 1
        return found


def _in_words(said: str) -> str:
    for name, reason in _REASONS.items():
        if name.lower() in said.lower():
            return f"The work is not taken: {reason}."
    if any(sign in said for sign in _INCOMPLETE):
        return "The work is not taken: it refers to git objects that did not come with it."
    last = said.splitlines()[-1][:200] if said else "git could not read it"
    return f"The work is not taken: {last}"
