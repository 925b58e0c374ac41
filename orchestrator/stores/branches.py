"""The state branch of each repository: one store each, made when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.access import Access
from orchestrator.github.errors import GitHubError
from orchestrator.secret import Secret
from orchestrator.session.values import RepositoryId

from .branch import BranchStore
from .record import RecordUnavailable


class Branches:
    """`key` chains the segments; `clean` takes secrets out of what is written."""

    def __init__(
        self,
        *,
        root: Path,
        access: Access,
        key: Secret,
        clean: Callable[[str], str],
        author: tuple[str, str],
    ) -> None:
        self._root = root
        self._access = access
        self._key = key
        self._clean = clean
        self._author = author

    async def of(self, repository: RepositoryId) -> BranchStore:
        """Raises `RecordUnavailable` where the App may not see the repository (any more)."""
        try:
            opened = self._access.known(repository)
            url = (await opened.git_credentials(write=True)).url
        except GitHubError as error:
            raise RecordUnavailable(str(error)) from error

        async def credentials() -> Mapping[str, str]:
            try:
                return (await opened.git_credentials(write=True)).environment()
            except GitHubError as error:
                raise RecordUnavailable(str(error)) from error

        return BranchStore(
            self._root / str(repository),
            url,
            credentials=credentials,
            key=self._key,
            clean=self._clean,
            author=self._author,
        )
