"""A repository's configuration as it stands on the default branch, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.config import CONFIG_PATH, DEFAULTS, ConfigProblem, RepoConfig, read_config
from orchestrator.github.repository import Repository
from orchestrator.ports import Clock
from orchestrator.session.values import RepositoryId

FRESH = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentConfig:
    """`problem` is set where the file at `commit` is wrong: `config` is then the last good one
    that was read, or the defaults, never a mixture."""

    config: RepoConfig
    commit: str
    problem: ConfigProblem | None


class RepoConfigs:
    """Reads at a pinned commit of the default branch, at most once in 30 s and repository."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read_at: dict[RepositoryId, datetime] = {}
        self._current: dict[RepositoryId, CurrentConfig] = {}

    async def current(self, repository: Repository, default_branch: str) -> CurrentConfig:
        key = RepositoryId(repository.id)
        now = self._clock.now()
        known = self._current.get(key)
        if known is not None and now - self._read_at[key] < FRESH:
            return known
        commit = await repository.branch_head(default_branch)
        if commit is None:
            current = CurrentConfig(config=DEFAULTS, commit="", problem=None)
        elif known is not None and known.commit == commit:
            current = known
        else:
            current = await self._read(repository, commit, known)
        self._current[key] = current
        self._read_at[key] = now
        return current

    async def _read(
        self, repository: Repository, commit: str, known: CurrentConfig | None
    ) -> CurrentConfig:
        file = await repository.file(CONFIG_PATH, ref=commit)
        if file is None:
            return CurrentConfig(config=DEFAULTS, commit=commit, problem=None)
        if file.content is None:
            problem = ConfigProblem(
                line=1,
                column=1,
                key="",
                message=f"{CONFIG_PATH} is not a plain file ({file.kind})",
                hint="make it a regular file of at most 64 KiB",
            )
        else:
            result = read_config(file.content, commit=commit)
            if isinstance(result, RepoConfig):
                return CurrentConfig(config=result, commit=commit, problem=None)
            problem = result
        good = known.config if known is not None else DEFAULTS
        return CurrentConfig(config=good, commit=commit, problem=problem)
