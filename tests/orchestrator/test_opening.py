"""Which session an ask belongs to, the second time it is delivered too."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from support.clock import StillClock

from orchestrator.engine import Engine
from orchestrator.opening import Deployment, Threads, prompt_of
from orchestrator.repo_config import RepoConfigs
from orchestrator.session import SessionId
from orchestrator.session.commands import AddPrompt, Cancel, NotePullRequest, Opening
from orchestrator.session.events import Event
from orchestrator.session.values import (
    Home,
    Person,
    Plan,
    PromptKey,
    PullRequest,
    RepositoryId,
    Source,
    SourceKind,
    UserId,
    session_id,
)
from orchestrator.stores.memory import MemoryStore
from orchestrator.triggers import Asked, PromptText, Word
from orchestrator.triggers.delivery import Repository, Thread
from orchestrator.triggers.words import WordName

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ALICE = Person(id=UserId(1), login="alice")
REPOSITORY = RepositoryId(7)
OPENING = Opening(
    repository="acme/app", home=Home.ISSUE, title="t", branch="b", public=True, plan=Plan()
)


def session(thread: int, generation: int = 1) -> SessionId:
    return session_id(REPOSITORY, thread, generation=generation)


def asked(number: int, text: str, *, on: int = 41) -> Asked:
    return Asked(
        key=PromptKey(f"comment-{number}"),
        author=ALICE,
        ask=Word(name=WordName.CANCEL) if text == "cancel" else PromptText(text=text),
        source=Source(
            kind=SourceKind.ISSUE_COMMENT, id=number, thread=on, updated_at=AT, sha256="0", url=""
        ),
        repository=Repository(
            id=REPOSITORY, full_name="acme/app", private=False, default_branch="main"
        ),
        installation=1,
        thread=Thread(
            number=on, title="t", body="", author=None, is_pull_request=on != 41, open=True
        ),
        head=None,
        place=None,
    )


@dataclass
class Desk:
    """Takes what is asked as a delivery does."""

    engine: Engine = field(default_factory=lambda: Engine(MemoryStore()))

    async def take(self, ask: Asked) -> tuple[SessionId, tuple[Event, ...]]:
        threads = Threads(self.engine, RepoConfigs(StillClock()), Deployment(model="a/b"))
        found = await threads.session_for(ask)
        command: AddPrompt | Cancel
        if isinstance(ask.ask, Word):
            command = Cancel(at=AT, key=ask.key, by=ask.author, source=ask.source)
        else:
            command = AddPrompt(at=AT, prompt=prompt_of(ask), opening=OPENING)
        return found, (await self.engine.tell(found, command)).events

    async def open_pull(self, number: int, by: SessionId) -> None:
        pull = PullRequest(number=number, url="", draft=True)
        await self.engine.tell(by, NotePullRequest(at=AT, turn=1, pull_request=pull))


async def test_what_a_cancelled_session_took_stays_its_own_when_all_is_delivered_again() -> None:
    desk = Desk()
    story = [asked(1, "fix"), asked(2, "cancel"), asked(3, "again"), asked(4, "and more")]
    first = [await desk.take(ask) for ask in story]
    assert [found for found, _ in first] == [
        session(41), session(41), session(41, 2), session(41, 2)
    ]  # fmt: skip
    assert all(events for _, events in first)
    again = [await desk.take(ask) for ask in story]
    assert again == [(found, ()) for found, _ in first]
    assert not (await desk.engine.get(session(41, 2))).ended


async def test_what_was_asked_on_the_pull_request_of_an_ended_session_stays_its_own() -> None:
    desk = Desk()
    await desk.take(asked(1, "fix"))
    await desk.open_pull(128, by=session(41))
    story = [asked(2, "more", on=128), asked(3, "cancel", on=128), asked(4, "anew", on=128)]
    first = [await desk.take(ask) for ask in story]
    assert [found for found, _ in first] == [session(41), session(41), session(128)]
    again = [await desk.take(ask) for ask in story]
    assert again == [(found, ()) for found, _ in first]


async def test_a_word_that_is_new_goes_to_the_newest_session_ended_or_not() -> None:
    desk = Desk()
    threads = Threads(desk.engine, RepoConfigs(StillClock()), Deployment(model="a/b"))
    assert await threads.session_for(asked(1, "cancel")) == session(41)
    for ask in (asked(1, "fix"), asked(2, "cancel"), asked(3, "again")):
        await desk.take(ask)
    assert await threads.session_for(asked(4, "cancel")) == session(41, 2)
    await desk.take(asked(4, "cancel"))
    assert await threads.session_for(asked(5, "cancel")) == session(41, 2)
