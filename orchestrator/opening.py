"""Which session an ask belongs to, and what a new one is fixed to when it opens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.config import plan_from
from orchestrator.engine import Engine
from orchestrator.github.repository import Repository
from orchestrator.repo_config import RepoConfigs
from orchestrator.session import SessionId
from orchestrator.session.commands import Opening
from orchestrator.session.values import Home, Prompt, RepositoryId, session_id
from orchestrator.telling import frozen_context
from orchestrator.triggers import Asked, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a session takes from the deployment where its repository says nothing."""

    model: str


class Threads:
    """Threads to sessions: a pull request that a session opened leads back to it."""

    def __init__(self, engine: Engine, configs: RepoConfigs, deployment: Deployment) -> None:
        self._engine = engine
        self._configs = configs
        self._deployment = deployment

    async def session_for(self, asked: Asked) -> SessionId:
        """The thread's session; for a prompt after a cancel, the next generation. What a session
        has taken before is that session's, whenever it is delivered again."""
        store, repository = self._engine.store, asked.repository.id
        thread = asked.thread.number
        opened_it = await store.session_of_pull(repository, thread)
        newest = max(1, await store.generation(repository, thread))
        sessions = [session_id(repository, thread, generation=n) for n in range(newest, 0, -1)]
        for session in sessions if opened_it is None else (opened_it, *sessions):
            if asked.key in (await self._engine.get(session)).asked:
                return session
        for_new = not isinstance(asked.ask, Word)
        if opened_it is not None and not (for_new and (await self._engine.get(opened_it)).ended):
            return opened_it
        if for_new and (await self._engine.get(sessions[0])).ended:
            return session_id(repository, thread, generation=newest + 1)
        return sessions[0]

    async def approved(self, repository: RepositoryId, thread: int) -> str:
        """The commit of a fork that the thread's session may run; empty where none was named."""
        generation = max(1, await self._engine.store.generation(repository, thread))
        state = await self._engine.get(session_id(repository, thread, generation=generation))
        return state.opened.start if state.opened is not None and not state.ended else ""

    async def opening(self, asked: Asked, session: SessionId, repository: Repository) -> Opening:
        current = await self._configs.current(repository, asked.repository.default_branch)
        plan = plan_from(
            current.config,
            default_branch=asked.repository.default_branch,
            # An agent of the repository's own has a default model of its own.
            model=None if current.config.agent.command else self._deployment.model,
        )
        generation = session.rsplit("-", 1)[1]
        again = f"-{generation}" if generation != "1" else ""
        if asked.from_fork:
            # Nothing is ever pushed to a fork, and no branch of ours is called as it likes.
            home, branch = Home.PULL_REQUEST, f"{plan.branch_prefix}pr-{asked.thread.number}{again}"
        elif asked.thread.is_pull_request and asked.head is not None:
            home, branch = Home.PULL_REQUEST, asked.head.branch
        else:
            home = Home.ISSUE
            name = branch_name(plan.branch_prefix, asked.thread.number, asked.thread.title)
            branch = f"{name}{again}"
        return Opening(
            repository=asked.repository.full_name,
            home=home,
            title=asked.thread.title[:300],
            branch=branch,
            public=not asked.repository.private,
            plan=plan,
            start=asked.start if asked.from_fork else "",
        )


def prompt_of(asked: Asked) -> Prompt:
    assert not isinstance(asked.ask, Word)
    return Prompt(
        key=asked.key,
        author=asked.author,
        text=asked.ask.text,
        source=asked.source,
        context=frozen_context(asked),
        model=asked.ask.model,
        effort=asked.ask.effort,
        app=asked.app,
    )


def branch_name(prefix: str, number: int, title: str) -> str:
    """`openinspect/41-flaky-retry`: from the number and the first words of the title."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    slug = ""
    for word in words:
        if len(slug) + len(word) > 40:
            break
        slug = f"{slug}-{word}" if slug else word
    return f"{prefix}{number}-{slug}" if slug else f"{prefix}{number}"
