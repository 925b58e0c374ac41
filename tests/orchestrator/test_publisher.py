"""Comment edits share one budget: newest wins, nobody starves, final edits never wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from support.clock import StillClock

from orchestrator.publisher import KEPT, PER_MINUTE, EditFailed, EditRefused, Publisher
from orchestrator.session import Session, initial
from orchestrator.session.values import RepositoryId, session_id


class Desk:
    """Counts what reaches GitHub."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.edits: list[tuple[datetime, str, str]] = []
        self.refuse: float | None = None
        self.fail = False
        self.texts: dict[str, str] = {}
        self.publisher = Publisher(
            render=lambda s: self.texts.get(s.id, f"{s.id} at {s.version}"),
            edit=self._edit,
            budget_of=lambda s: "one installation",
            clock=self.clock,
        )

    async def _edit(self, session: Session, body: str) -> None:
        if self.refuse is not None:
            seconds, self.refuse = self.refuse, None
            raise EditRefused(seconds)
        if self.fail:
            raise EditFailed("404")
        self.edits.append((self.clock.now(), session.id, body))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: int) -> None:
        for _ in range(seconds * 2):
            self.clock.advance(0.5)
            await self.settle()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.publisher.close()


def session(number: int, version: int) -> Session:
    blank = initial(session_id(RepositoryId(1), number))
    return Session(id=blank.id, version=version)


async def test_the_first_edit_goes_out_at_once(desk: Desk) -> None:
    desk.publisher.show(session(1, 1))
    await desk.settle()
    assert len(desk.edits) == 1


async def test_of_many_views_within_a_second_only_the_newest_is_sent(desk: Desk) -> None:
    for version in range(1, 50):
        desk.publisher.show(session(1, version))
        await desk.settle()
    await desk.pass_time(2)
    assert [body.rpartition(" ")[2] for _, _, body in desk.edits] == ["1", "49"]


async def test_an_unchanged_text_is_not_sent_again(desk: Desk) -> None:
    desk.texts[session(1, 1).id] = "the same"
    desk.publisher.show(session(1, 1))
    await desk.pass_time(2)
    desk.publisher.show(session(1, 2))
    await desk.pass_time(2)
    assert len(desk.edits) == 1


async def test_the_budget_holds_and_everyone_gets_a_share(desk: Desk) -> None:
    for second in range(60):
        for number in range(1, 51):
            desk.publisher.show(session(number, second + 1))
        await desk.pass_time(1)
    assert len(desk.edits) <= PER_MINUTE * 0.9 + 1
    shown = {name for _, name, _ in desk.edits}
    assert len(shown) == 50


async def test_a_final_edit_does_not_wait_behind_progress(desk: Desk) -> None:
    for second in range(59):
        for number in range(1, 51):
            desk.publisher.show(session(number, second + 1))
        await desk.pass_time(1)
    final = asyncio.create_task(desk.publisher.show_now(session(99, 7)))
    await desk.settle()
    assert final.done()


async def test_a_refusal_pauses_all_and_loses_nothing(desk: Desk) -> None:
    desk.refuse = 60.0
    final = asyncio.create_task(desk.publisher.show_now(session(1, 1)))
    await desk.pass_time(59)
    assert desk.edits == []
    assert not final.done()
    await desk.pass_time(2)
    assert len(desk.edits) == 1
    assert final.done()


async def test_a_failed_final_edit_is_told_to_whoever_waits(desk: Desk) -> None:
    desk.fail = True
    with pytest.raises(EditFailed):
        await desk.publisher.show_now(session(1, 1))


async def test_nothing_is_edited_after_the_end(desk: Desk) -> None:
    """Late events must not wake an editor whose connection is closed."""
    desk.publisher.show(session(1, 1))
    await desk.settle()
    await desk.publisher.close()
    desk.publisher.show(session(1, 2))
    desk.publisher.show(session(2, 1))
    with pytest.raises(EditFailed, match="shutting down"):
        await desk.publisher.show_now(session(3, 1))
    await desk.pass_time(3)
    assert len(desk.edits) == 1


async def test_an_edit_under_way_has_ended_when_close_returns() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def edit(session: Session, body: str) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # as a connection that is being given back
            ended.set()

    publisher = Publisher(
        render=lambda s: "body", edit=edit, budget_of=lambda s: "one", clock=StillClock()
    )
    publisher.show(session(1, 1))
    await begun.wait()
    await publisher.close()
    assert ended.is_set()


async def test_comments_at_rest_are_forgotten_and_shown_again_when_asked(desk: Desk) -> None:
    for number in range(1, 30):
        desk.publisher.show(session(number, 1))
        await desk.settle()
    [budget] = desk.publisher._budgets.values()
    assert len(budget.comments) == 29
    await desk.pass_time(1)
    desk.clock.advance(KEPT.total_seconds())
    desk.publisher.show(session(99, 1))
    await desk.settle()
    assert set(budget.comments) == {session(99, 1).id}
    desk.publisher.show(session(1, 2))
    await desk.settle()
    assert desk.edits[-1][1:] == (session(1, 2).id, f"{session(1, 2).id} at 2")
