"""The state branch of each repository: one store each, made when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestrator.access import Access
from orchestrator.courier.hostgit import HostGit, Remote
from orchestrator.github.errors import GitHubError
from orchestrator.ports import Clock
from orchestrator.session.values import RepositoryId

from .branch import BranchStore
from .chain import Keys
from .record import RecordUnavailable


class Branches:
    """`keys` chain the segments; `clean` takes secrets out of what is written."""

    def __init__(
        self,
        *,
        root: Path,
        access: Access,
        git: HostGit,
        keys: Keys,
        clean: Callable[[str], str],
        author: tuple[str, str],
        clock: Clock,
    ) -> None:
        self._root = root
        self._access = access
        self._git = git
        self._keys = keys
        self._clean = clean
        self._author = author
        self._clock = clock

    async def of(self, repository: RepositoryId) -> BranchStore:
        async def remote() -> Remote:
            """Raises `RecordUnavailable` where the App may not see the repository (any more)."""
            try:
                return await self._access.known(repository).git_credentials(write=True)
            except GitHubError as error:
                raise RecordUnavailable(str(error)) from error

        return BranchStore(
            self._root / str(repository),
            remote,
            git=self._git,
            author=self._author,
            keys=self._keys,
            clean=self._clean,
            clock=self._clock,
        )
