"""The way to a repository's GitHub client by its numeric id, wherever it was named last."""

from __future__ import annotations

from orchestrator.github.client import GitHub
from orchestrator.github.errors import NotInstalled
from orchestrator.github.repository import Repository
from orchestrator.session.values import RepositoryId


class Access:
    """Remembers which installation opens which repository; asks GitHub where it does not know."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._known: dict[RepositoryId, Repository] = {}
        self._installations: dict[RepositoryId, int] = {}

    def learn(self, repository: RepositoryId, full_name: str, installation: int) -> Repository:
        """A signed delivery said so, or GitHub did."""
        known = self._known.get(repository)
        same = self._installations.get(repository) == installation
        if known is None or not same or known.full_name != full_name:
            known = self._github.repository(
                installation=installation, repository=repository, full_name=full_name
            )
            self._known[repository] = known
            self._installations[repository] = installation
        return known

    def installation(self, repository: RepositoryId) -> int | None:
        return self._installations.get(repository)

    async def repository(self, repository: RepositoryId, full_name: str) -> Repository:
        """Raises `NotInstalled` where the App may not see it."""
        known = self._known.get(repository)
        if known is not None:
            return known
        installation = await self._github.installation_of(full_name)
        if installation is None:
            raise NotInstalled
        return self.learn(repository, full_name, installation)
