"""What every event store promises, whatever it is made of."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from support.event_stores import Stores
from support.stored import (
    REPOSITORY,
    a_session,
    finished_story,
    intended,
    opened,
    prompt,
    settled,
)

from orchestrator.ports import Conflict, EventStore
from orchestrator.session.events import PromptQueued
from orchestrator.session.values import Kind, RepositoryId, SessionId, session_id

SESSION = a_session()


async def test_a_session_that_never_was_is_empty(store: EventStore) -> None:
    stored = await store.load(SESSION)
    assert (stored.events, stored.version) == ((), 0)


async def test_what_was_appended_is_read_in_order(store: EventStore) -> None:
    story = finished_story(SESSION)
    assert await store.append(SESSION, 0, story[:3]) == 3
    assert await store.append(SESSION, 3, story[3:]) == len(story)
    stored = await store.load(SESSION)
    assert stored.events == tuple(story)
    assert stored.version == len(story)


async def test_nothing_to_append_changes_nothing(store: EventStore) -> None:
    assert await store.append(SESSION, 0, []) == 0
    await store.append(SESSION, 0, [opened(SESSION)])
    assert await store.append(SESSION, 1, []) == 1
    assert (await store.load(SESSION)).version == 1


@pytest.mark.parametrize("expected", [0, 1, 3, 9])
async def test_a_conflict_writes_nothing(store: EventStore, expected: int) -> None:
    story = finished_story(SESSION)
    await store.append(SESSION, 0, story[:2])
    with pytest.raises(Conflict):
        await store.append(SESSION, expected, story[2:4])
    assert (await store.load(SESSION)).events == tuple(story[:2])
    assert await store.append(SESSION, 2, story[2:]) == len(story)


async def test_sessions_do_not_touch_one_another(store: EventStore) -> None:
    sessions = [a_session(home) for home in range(1, 8)]
    sessions.append(session_id(REPOSITORY, 1, Kind.REVIEW))
    await asyncio.gather(*(store.append(s, 0, [opened(s, 1), intended(1)]) for s in sessions))
    for session in sessions:
        first, _ = (await store.load(session)).events
        assert first == opened(session, 1)


async def test_a_long_session_is_read_whole(store: EventStore) -> None:
    events = [opened(SESSION), *(intended(number) for number in range(200))]
    version = 0
    for start in range(0, len(events), 23):
        version = await store.append(SESSION, version, events[start : start + 23])
    assert (await store.load(SESSION)).events == tuple(events)


async def test_texts_of_any_kind_and_size_survive(store: EventStore) -> None:
    texts = ["", "line\nline\r\n\u2028\x85\x00", "日本 🎉 \ud800", "x" * 64_000, '"\\']
    asked = [PromptQueued(at=prompt().source.updated_at, prompt=prompt(text=t)) for t in texts]
    await store.append(SESSION, 0, asked)
    assert (await store.load(SESSION)).events == tuple(asked)


@pytest.mark.parametrize(
    "name", ["", "../../etc", "7001-41-main", "7001-41-main-1\n", "0-1-main-1"]
)
async def test_only_session_ids_name_sessions(store: EventStore, name: str) -> None:
    with pytest.raises(ValueError, match="not a session id"):
        await store.load(SessionId(name))
    with pytest.raises(ValueError, match="not a session id"):
        await store.append(SessionId(name), 0, [opened(SESSION)])


async def test_open_sessions_in_the_order_they_were_opened(store: EventStore) -> None:
    first, second, third = a_session(9), a_session(3), a_session(7)
    foreign = session_id(RepositoryId(9), 9)
    for session, when in ((second, 2.0), (first, 1.0), (third, 3.0), (foreign, 0.0)):
        asked = PromptQueued(at=prompt().source.updated_at, prompt=prompt())
        await store.append(session, 0, [opened(session, when), asked])
    order = await store.open_sessions(REPOSITORY)
    assert sorted(order) == sorted([first, second, third])
    assert order.index(first) < order.index(third)
    assert await store.open_sessions(RepositoryId(9)) == [foreign]
    assert await store.open_sessions(RepositoryId(10)) == []


async def test_a_session_that_owes_nothing_is_not_open(store: EventStore) -> None:
    story = settled(finished_story(SESSION), SESSION)
    await store.append(SESSION, 0, story[:-1])
    assert await store.open_sessions(REPOSITORY) == [SESSION]
    await store.append(SESSION, len(story) - 1, story[-1:])
    assert await store.open_sessions(REPOSITORY) == []
    assert (await store.load(SESSION)).events == tuple(story)


async def test_a_pull_request_leads_back_to_its_session(store: EventStore) -> None:
    await store.append(SESSION, 0, finished_story(SESSION, pull_request=128))
    assert await store.session_of_pull(REPOSITORY, 128) == SESSION
    assert await store.session_of_pull(REPOSITORY, 129) is None
    assert await store.session_of_pull(RepositoryId(9), 128) is None


async def test_the_newest_generation(store: EventStore) -> None:
    assert await store.generation(REPOSITORY, 41) == 0
    for generation in (1, 2, 3):
        session = session_id(REPOSITORY, 41, generation=generation)
        await store.append(session, 0, [opened(session)])
        assert await store.generation(REPOSITORY, 41) == generation
    review = session_id(REPOSITORY, 42, Kind.REVIEW)
    await store.append(review, 0, [opened(review)])
    assert await store.generation(REPOSITORY, 42) == 0
    assert await store.generation(REPOSITORY, 4) == 0


async def test_of_many_writers_at_once_one_wins_each_place(stores: Stores) -> None:
    """Eight tasks on every door there is to the same sessions: nothing lost, nothing doubled."""
    doors = [await stores.another(), await stores.another()]
    sessions = [a_session(1), a_session(2)]
    await doors[0].append(sessions[0], 0, [opened(sessions[0])])
    await doors[0].append(sessions[1], 0, [opened(sessions[1])])

    async def write(task: int) -> None:
        store, session = doors[task % 2], sessions[task // 4]
        for number in range(4):
            while True:
                version = (await store.load(session)).version
                try:
                    await store.append(session, version, [intended(task * 100 + number)])
                    break
                except Conflict:
                    continue

    await asyncio.gather(*(write(task) for task in range(8)))
    for number, session in enumerate(sessions):
        events = (await (await stores.another()).load(session)).events
        of_session = range(number * 4, number * 4 + 4)
        written = {intended(task * 100 + n) for task in of_session for n in range(4)}
        assert Counter(events) == Counter([opened(session), *written])
