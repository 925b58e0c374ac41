"""A session can be read at any of its versions, and takes any event at any of them."""

from __future__ import annotations

import pytest

from orchestrator.session import due, evolve, initial, is_open, pending, replay, view
from orchestrator.session.commands import (
    Cancel,
    Fail,
    Intend,
    NoteLost,
    NotePullRequestClosed,
    RefusePrompt,
    ReserveModelCall,
    SettleModelCall,
    Stop,
)
from orchestrator.session.values import (
    Kind,
    PromptKey,
    RepositoryId,
    Status,
    Usage,
    parse_session_id,
    session_id,
)

from .conftest import BOB, Story, finish, source, to_running


@pytest.fixture
def eventful(story: Story) -> Story:
    """Three turns with a bit of everything: a loss, a failure, a stop, a refusal, a cancel."""
    story.add(1, "first")
    to_running(story)
    story.tell(ReserveModelCall(at=story.now, turn=1, call="a", microdollars=9))
    story.tell(SettleModelCall(at=story.now, turn=1, call="a", usage=Usage(microdollars=7)))
    finish(story)
    story.settle()
    story.tell(NotePullRequestClosed(at=story.now, number=128, merged=False))
    story.add(2, "second", BOB)
    to_running(story)
    story.tell(NoteLost(at=story.now, launch=1, reason="killed"))
    story.tell(Intend(at=story.now, key="launch/1/release"))
    story.tell(Fail(at=story.now, key="launch/1/release", reason="busy", retry_at=story.now))
    story.settle()
    story.add(3, "third")
    key = PromptKey("comment-4")
    story.tell(RefusePrompt(at=story.now, key=key, by=BOB, source=source(4), reason="no"))
    to_running(story)
    story.tell(Stop(at=story.now, key=PromptKey("comment-5"), by=BOB, source=source(5)))
    story.tell(Cancel(at=story.now, key=PromptKey("comment-6"), by=BOB, source=source(6)))
    finish(story, error="stopped")
    story.settle()
    return story


def test_it_is_shown_as_it_stood(eventful: Story) -> None:
    shown: list[Status] = []
    for version in range(1, len(eventful.events) + 1):
        then = replay(eventful.session.id, eventful.events[:version])
        assert view(then).version == version
        assert is_open(then) or not pending(then, eventful.now)
        assert is_open(then) or due(then) is None
        if not shown or view(then).status is not shown[-1]:
            shown.append(view(then).status)
    turn = [Status.QUEUED, Status.STARTING, Status.WORKING]
    assert shown == [Status.IDLE, *turn, Status.IDLE, *turn, Status.IDLE, *turn, Status.CANCELLED]


def test_any_event_fits_any_version_and_changes_nothing_else(eventful: Story) -> None:
    states = [initial(eventful.session.id)]
    for event in eventful.events:
        states.append(evolve(states[-1], event))
    for state in states[:: max(1, len(states) // 40)]:
        for event in eventful.events:
            after = evolve(state, event)
            assert after.version == state.version + 1
            assert after.id == state.id


def test_an_earlier_turn_is_shown_by_its_number_and_an_unknown_one_as_the_newest(
    eventful: Story,
) -> None:
    prompts = []
    for number in (1, 2, 3, None, 99):
        turn = view(eventful.session, number).turn
        assert turn is not None
        prompts.append(turn.prompt)
    assert prompts == ["first", "second", "third", "third", "third"]


def test_there_is_nothing_to_show_of_a_session_that_was_never_opened(story: Story) -> None:
    with pytest.raises(ValueError, match="7-41-main-1 was never opened"):
        view(story.session)


def test_an_id_says_what_the_session_belongs_to() -> None:
    made = session_id(RepositoryId(7), 41, Kind.REVIEW, generation=3)
    assert made == "7-41-review-3"
    assert parse_session_id(made) == (7, 41, Kind.REVIEW, 3)


@pytest.mark.parametrize(
    "text", ["", "7-41-main", "0-41-main-1", "7-041-main-1", "7-41-other-1", "7-41-main-1\n"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a session id"):
        parse_session_id(text)
