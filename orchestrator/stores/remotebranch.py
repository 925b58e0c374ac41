"""One branch of a remote repository and our bare copy of it: fetch, compare-and-swap, tidy."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pygit2
import structlog

from orchestrator.courier.errors import GitError, GitFailed
from orchestrator.courier.hostgit import HostGit, Remote

from .record import RecordUnavailable

log = structlog.get_logger(__name__)
TIP: Final = "refs/openinspect/tip"
"""What the branch was when it was last seen: a rewritten branch shows even after a restart."""
FETCHED: Final = "refs/openinspect/fetched"
FETCH_SECONDS: Final = 120.0
PUSH_SECONDS: Final = 120.0
TIDY_SECONDS: Final = 600.0


class Lost(Exception):
    """The push did not go in, or it is not known whether it did. `race` where the branch had
    moved, which is nobody's fault."""

    def __init__(self, why: str, *, race: bool) -> None:
        super().__init__(why)
        self.race = race


class RemoteBranch:
    def __init__(
        self, folder: Path, remote: Callable[[], Awaitable[Remote]], git: HostGit, branch: str
    ) -> None:
        self._folder = folder
        self._remote = remote
        self._git = git
        self._ref = f"refs/heads/{branch}"

    def open(self, *, anew: bool = False) -> pygit2.Repository:
        """Our copy; made anew where it is missing, broken, or known to be broken. All of it can
        be fetched again. Blocks: call it in a thread."""
        if self._folder.exists() and not anew:
            try:
                return _opened(self._folder)
            except (pygit2.GitError, KeyError, ValueError) as error:
                log.warning("state copy is broken, fetching it anew", reason=str(error))
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._folder.mkdir(parents=True, mode=0o700)
        return pygit2.init_repository(str(self._folder), bare=True)

    async def fetch(self, *, whole: bool) -> bool:
        """Bring the branch here, as `FETCHED`. False where the remote has no such branch.

        Only the newest commit, unless `whole`: then everything since what is here already.
        """
        remote = await self._remote()
        depth = () if whole else ("--depth=1",)
        try:
            await self._git.run(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                *depth,
                remote.url,
                f"+{self._ref}:{FETCHED}",
                repository=self._folder,
                remote=remote,
                seconds=FETCH_SECONDS,
            )
        except GitFailed as failed:
            if "couldn't find remote ref" in failed.words:
                return False
            raise RecordUnavailable(str(failed)) from failed
        except GitError as error:
            raise RecordUnavailable(str(error)) from error
        return True

    async def push(self, commit: pygit2.Oid, onto: pygit2.Oid | None) -> None:
        """Move the branch from `onto` (None: from not being there) to `commit`, or raise `Lost`."""
        remote = await self._remote()
        expected = str(onto) if onto is not None else ""
        try:
            await self._git.run(
                "push",
                "--no-verify",
                f"--force-with-lease={self._ref}:{expected}",
                remote.url,
                f"{commit}:{self._ref}",
                repository=self._folder,
                remote=remote,
                seconds=PUSH_SECONDS,
            )
        except GitFailed as failed:
            raise Lost(_why(failed.words), race=_is_race(failed.words)) from failed
        except GitError as error:
            raise Lost(str(error), race=False) from error

    async def tidy(self) -> None:
        """Pack what has piled up in our copy. Failing does no harm."""
        try:
            await self._git.run(
                *("-c", "gc.auto=2000", "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet"),
                repository=self._folder,
                seconds=TIDY_SECONDS,
            )
        except GitError as error:
            log.warning("state copy not packed", reason=str(error))


def _opened(folder: Path) -> pygit2.Repository:
    repository = pygit2.Repository(str(folder), pygit2.enums.RepositoryOpenFlag.BARE)
    repository.lookup_reference("HEAD")
    tip = tip_of(repository)
    if tip is not None:
        repository[tip].peel(pygit2.Tree)
    return repository


def tip_of(repository: pygit2.Repository, name: str = TIP) -> pygit2.Oid | None:
    found = repository.references.get(name)
    target = found.target if found is not None else None
    return target if isinstance(target, pygit2.Oid) else None


_RACES = (
    "stale info",
    "fetch first",
    "non-fast-forward",
    "incorrect old value",
    "cannot lock ref",
    "reference already exists",
    "failed to update ref",
)
"""How git and GitHub say that the ref is not where it was thought to be."""


def _is_race(words: str) -> bool:
    return any(race in words for race in _RACES)


def _why(words: str) -> str:
    """The line that tells people something, such as a branch rule that forbids us."""
    telling = [line for line in words.splitlines() if line.startswith(("remote:", "fatal:", "!"))]
    return " / ".join(telling)[:500] or words[:500]
