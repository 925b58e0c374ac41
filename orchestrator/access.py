"""The way to a repository's GitHub client by its numeric id, wherever it was named last."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.github.client import GitHub
from orchestrator.github.errors import NotInstalled
from orchestrator.github.repository import Repository
from orchestrator.session.values import RepositoryId


class Access:
    """Remembers which installation opens which repository, across restarts in `memory`; asks
    GitHub where it does not know. A hint only: GitHub decides on every call."""

    def __init__(self, github: GitHub, memory: Path) -> None:
        self._github = github
        self._memory = memory
        self._known: dict[RepositoryId, Repository] = {}
        self._places: dict[RepositoryId, tuple[str, int]] = {}
        for repository, (full_name, installation) in _read(memory).items():
            self._open(repository, full_name, installation)

    def learn(self, repository: RepositoryId, full_name: str, installation: int) -> Repository:
        """A signed delivery said so, or GitHub did."""
        if self._places.get(repository) == (full_name, installation):
            return self._known[repository]
        opened = self._open(repository, full_name, installation)
        temporary = self._memory.with_suffix(".new")
        temporary.write_text(
            json.dumps({str(key): list(place) for key, place in self._places.items()}),
            encoding="utf-8",
        )
        temporary.replace(self._memory)
        return opened

    def installation(self, repository: RepositoryId) -> int | None:
        place = self._places.get(repository)
        return place[1] if place is not None else None

    def known(self, repository: RepositoryId) -> Repository:
        """Raises `NotInstalled` for one that nothing has been heard of."""
        opened = self._known.get(repository)
        if opened is None:
            raise NotInstalled
        return opened

    async def repository(self, repository: RepositoryId, full_name: str) -> Repository:
        """Raises `NotInstalled` where the App may not see it."""
        known = self._known.get(repository)
        if known is not None:
            return known
        installation = await self._github.installation_of(full_name)
        if installation is None:
            raise NotInstalled
        return self.learn(repository, full_name, installation)

    async def named(self, full_name: str) -> Repository:
        """The repository that has this name now, asked of GitHub. Raises `NotInstalled`."""
        found = await self._github.repository_named(full_name)
        if found is None:
            raise NotInstalled
        installation, info = found
        return self.learn(RepositoryId(info.id), info.full_name, installation)

    def _open(self, repository: RepositoryId, full_name: str, installation: int) -> Repository:
        opened = self._github.repository(
            installation=installation, repository=repository, full_name=full_name
        )
        self._known[repository] = opened
        self._places[repository] = (full_name, installation)
        return opened


def _read(memory: Path) -> dict[RepositoryId, tuple[str, int]]:
    try:
        stored = json.loads(memory.read_text(encoding="utf-8"))
        return {
            RepositoryId(int(key)): (str(name), int(installation))
            for key, (name, installation) in stored.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
