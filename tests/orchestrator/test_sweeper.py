"""Every open session is kept, whatever one repository does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime

import pytest
from support.clock import StillClock

from orchestrator.engine import Engine
from orchestrator.github.errors import NotInstalled
from orchestrator.session import Session, SessionId
from orchestrator.session.commands import AddPrompt, Opening
from orchestrator.session.effects import Effect
from orchestrator.session.values import (
    Home,
    Person,
    Plan,
    Prompt,
    PromptKey,
    RepositoryId,
    Source,
    SourceKind,
    UserId,
    session_id,
)
from orchestrator.settle import EffectDeferred, Settler
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.record import RecordUnavailable, StateRefused
from orchestrator.sweeper import MOST_AT_ONCE, Sweeper

FIRST, SECOND = RepositoryId(7), RepositoryId(8)


class Store(MemoryStore):
    """Repositories that refuse, or never answer."""

    def __init__(self) -> None:
        super().__init__()
        self.refusing: dict[RepositoryId, Exception] = {}
        self.silent: set[RepositoryId] = set()
        self.asking = 0
        self.most_asking = 0

    async def open_sessions(self, repository: RepositoryId) -> Sequence[SessionId]:
        self.asking += 1
        self.most_asking = max(self.asking, self.most_asking)
        try:
            await asyncio.sleep(0)
            if repository in self.silent:
                await asyncio.Event().wait()
            if repository in self.refusing:
                raise self.refusing[repository]
            return await super().open_sessions(repository)
        finally:
            self.asking -= 1


class Idle:
    def attend(self, session: Session) -> None:
        return None

    async def dismiss(self, session: SessionId) -> None:
        return None

    async def perform(self, session: Session, effect: Effect, *, again: bool) -> str:
        raise EffectDeferred("not in this test", after=3600)


async def opened(engine: Engine, repository: RepositoryId) -> SessionId:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    source = Source(
        kind=SourceKind.ISSUE_COMMENT, id=1, thread=41, updated_at=at, sha256="", url=""
    )
    prompt = Prompt(
        key=PromptKey("comment-1"),
        author=Person(id=UserId(1), login="alice"),
        text="fix it",
        source=source,
    )
    opening = Opening(
        repository="acme/app", home=Home.ISSUE, title="t", branch="b", public=False, plan=Plan()
    )
    session = session_id(repository, 41)
    await engine.tell(session, AddPrompt(at=at, prompt=prompt, opening=opening))
    return session


class Swept:
    def __init__(self) -> None:
        self.store = Store()
        self.engine = Engine(self.store)
        self.clock = StillClock()
        self.settler = Settler(Engine(self.store), Idle(), self.clock)
        self.known: dict[RepositoryId, dict[SessionId, str]] = {}

    def sweeper(self, *repositories: RepositoryId) -> Sweeper:
        async def listed() -> Iterable[RepositoryId]:
            return repositories

        async def known_open(repository: RepositoryId) -> dict[SessionId, str]:
            return self.known.get(repository, {})

        async def tidy() -> None:
            return None

        return Sweeper(
            engine=self.engine,
            settler=self.settler,
            clock=self.clock,
            repositories=listed,
            tidy=tidy,
            known_open=known_open,
            patience=0.05,
        )


@pytest.fixture
async def swept() -> AsyncIterator[Swept]:
    made = Swept()
    yield made
    await made.settler.close()


@pytest.mark.parametrize(
    "error",
    [RecordUnavailable("no access"), StateRefused("open/x", "not ours"), NotInstalled()],
    ids=lambda error: type(error).__name__,
)
async def test_a_repository_that_refuses_takes_nothing_from_the_next(
    swept: Swept, error: Exception
) -> None:
    await opened(swept.engine, FIRST)
    second = await opened(swept.engine, SECOND)
    swept.store.refusing[FIRST] = error
    assert await swept.sweeper(FIRST, SECOND).sweep() == 1
    assert swept.settler.kept() == (second,)


async def test_what_the_journal_knows_is_kept_where_the_repository_is_silent(
    swept: Swept,
) -> None:
    first = await opened(swept.engine, FIRST)
    second = await opened(swept.engine, SECOND)
    swept.store.silent.add(FIRST)
    swept.known[FIRST] = {first: "2026-11-24T00:00:00Z"}
    async with asyncio.timeout(5):
        assert await swept.sweeper(FIRST, SECOND).sweep() == 2
    assert set(swept.settler.kept()) == {first, second}


async def test_repositories_are_asked_together_and_not_all_at_once(swept: Swept) -> None:
    await swept.sweeper(*(RepositoryId(n) for n in range(1, 40))).sweep()
    assert swept.store.most_asking == MOST_AT_ONCE
