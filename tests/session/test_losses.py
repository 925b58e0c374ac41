"""Sandboxes die and effects fail for good: the turn says so, and the session goes on."""

from __future__ import annotations

from datetime import timedelta

from orchestrator.session import due, is_open, view
from orchestrator.session.commands import (
    Cancel,
    Fail,
    Intend,
    NoteLost,
    NoteReleased,
    NoteWork,
    Stop,
    Tick,
)
from orchestrator.session.effects import (
    STATUS_KEY,
    HandPrompt,
    LaunchSandbox,
    ReleaseSandbox,
    TakeWork,
)
from orchestrator.session.values import Outcome, Phase, PromptKey

from .conftest import ALICE, BOB, Story, finish, launched, run_until, source, to_running


def give_up(story: Story, key: str, reason: str = "no luck") -> None:
    story.tell(Intend(at=story.now, key=key))
    story.tell(Fail(at=story.now, key=key, reason=reason, retry_at=None))


def test_a_sandbox_lost_with_the_work_still_in_it_fails_the_turn(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.tell(NoteLost(at=story.now, launch=1, reason="its machine went away"))
    turn = story.session.turns[0]
    assert turn.outcome is Outcome.FAILED
    assert "before the work could be taken out" in turn.reason
    assert "its machine went away" in turn.reason


def test_a_sandbox_lost_after_its_work_was_taken_out_costs_nothing(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.do(run_until(story, TakeWork))
    story.tell(NoteLost(at=story.now, launch=1, reason="killed"))
    story.settle()
    assert story.session.turns[0].outcome is Outcome.SUCCEEDED


def test_the_next_sandbox_says_why_the_one_before_is_gone(story: Story) -> None:
    story.add(1)
    to_running(story)
    story.tell(NoteLost(at=story.now, launch=1, reason="out of memory"))
    story.add(2)
    story.settle()
    box = view(story.session).sandbox
    assert box is not None
    assert (box.launch, box.lost) == (2, "out of memory")
    finish(story)
    story.settle()
    story.later(600)
    story.settle()
    story.add(3)
    story.settle()
    box = view(story.session).sandbox
    assert box is not None
    assert (box.launch, box.lost) == (3, "")


def test_a_sandbox_let_go_in_mid_turn_ends_the_turn_at_once(story: Story) -> None:
    story.add(1)
    to_running(story)
    story.tell(NoteReleased(at=story.now, launch=1, snapshot=None))
    story.settle()
    assert story.session.turns[0].outcome is Outcome.FAILED
    assert story.session.turns[0].reason == "it was let go"


def test_a_launch_given_up_after_its_turn_was_stopped_is_no_launch_of_a_later_turn(
    story: Story,
) -> None:
    story.add(1)
    launch = run_until(story, LaunchSandbox)
    story.tell(Intend(at=story.now, key=launch.key))
    story.tell(Stop(at=story.now, key=PromptKey("comment-2"), by=BOB, source=source(2)))
    story.tell(Fail(at=story.now, key=launch.key, reason="no disk", retry_at=None))
    assert story.session.turn is None
    story.add(3)
    assert story.session.turn is not None
    assert story.session.turn.launches == 0
    assert run_until(story, LaunchSandbox).key == "launch/2"


def test_a_launch_that_comes_after_its_turn_was_stopped_serves_the_next_one(story: Story) -> None:
    story.add(1)
    launch = run_until(story, LaunchSandbox)
    story.tell(Intend(at=story.now, key=launch.key))
    story.tell(Stop(at=story.now, key=PromptKey("comment-2"), by=BOB, source=source(2)))
    story.tell(launched(story, 1))
    story.add(3)
    assert not any(isinstance(effect, LaunchSandbox) for effect in story.owed())
    assert story.session.sandbox is not None


def test_a_sandbox_that_cannot_be_let_go_holds_nothing_up(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()
    story.later(600)
    [release] = story.owed()
    give_up(story, release.key)
    assert story.session.sandbox is None
    assert not is_open(story.session)
    story.add(2)
    assert run_until(story, LaunchSandbox).key == "launch/2"


def test_a_lost_sandbox_that_cannot_be_made_sure_of_holds_nothing_up(story: Story) -> None:
    story.add(1)
    to_running(story)
    story.tell(NoteLost(at=story.now, launch=1, reason="killed"))
    assert is_open(story.session)
    release = next(e for e in story.owed() if isinstance(e, ReleaseSandbox))
    give_up(story, release.key)
    assert story.session.unreleased == ()
    story.settle()
    assert not is_open(story.session)


def test_a_push_given_up_is_the_reason_of_the_failure(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    give_up(story, "turn/1/push", "GitHub answered 503 seven times")
    assert story.session.turns[0].outcome is Outcome.FAILED
    assert story.session.turns[0].reason == "GitHub answered 503 seven times"


def test_a_stop_that_nobody_hears_ends_the_turn_even_without_a_sandbox(story: Story) -> None:
    """An older version may have recorded a running turn whose sandbox is gone."""
    story.add(1)
    to_running(story)
    story.tell(Stop(at=story.now, key=PromptKey("comment-2"), by=BOB, source=source(2)))
    give_up_release_unasked(story)
    assert story.session.sandbox is None
    assert story.session.turn is not None
    story.later(15)
    story.tell(Tick(at=story.now))
    assert story.session.turns[0].outcome is Outcome.STOPPED


def give_up_release_unasked(story: Story) -> None:
    story.tell(Fail(at=story.now, key="launch/1/release", reason="gone", retry_at=None))


def test_an_effect_is_tried_again_at_its_time_and_the_session_waits_for_it(story: Story) -> None:
    story.add(1)
    launch = run_until(story, LaunchSandbox)
    at = story.now + timedelta(seconds=10)
    story.tell(Intend(at=story.now, key=launch.key))
    story.tell(Fail(at=story.now, key=launch.key, reason="busy", retry_at=at))
    assert launch.key not in story.owed_keys()
    assert due(story.session) == at
    story.later(9.9)
    assert launch.key not in story.owed_keys()
    story.later(0.1)
    assert launch.key in story.owed_keys()
    story.do(launch)
    assert story.session.attempts[launch.key].tries == 2


def test_silence_is_said_with_its_length(story: Story) -> None:
    story.add(1)
    to_running(story)
    story.later(120)
    story.tell(Tick(at=story.now))
    story.later(15)
    story.tell(Tick(at=story.now))
    story.settle()
    turn = story.session.turns[0]
    assert turn.outcome is Outcome.TIMED_OUT
    assert turn.reason == "Nothing was heard from the agent for 120 s."


def test_each_phase_has_the_deadline_that_bounds_it(story: Story) -> None:
    assert due(story.session) is None
    began = story.now
    story.add(1)
    assert due(story.session) == began + timedelta(minutes=90)
    launch = run_until(story, LaunchSandbox)
    story.tell(Intend(at=story.now, key=launch.key))
    story.tell(launched(story, 1))
    assert due(story.session) == story.now + timedelta(minutes=15)
    story.do(launch)
    to_running(story)
    assert due(story.session) == story.now + timedelta(minutes=2)
    story.tell(Stop(at=story.now, key=PromptKey("comment-2"), by=ALICE, source=source(2)))
    assert due(story.session) == story.now + timedelta(seconds=15)
    finish(story)
    assert due(story.session) is None
    story.tell(NoteWork(at=story.now, turn=1, work=None))
    assert due(story.session) == story.now + timedelta(minutes=10)
    story.tell(Cancel(at=story.now, key=PromptKey("comment-3"), by=ALICE, source=source(3)))
    story.settle()
    assert due(story.session) is None


def test_nothing_is_owed_to_a_session_that_was_never_opened(story: Story) -> None:
    assert story.owed() == []
    assert due(story.session) is None
    assert not is_open(story.session)


def test_a_turn_stopped_while_its_sandbox_boots_leaves_the_sandbox_for_the_next(
    story: Story,
) -> None:
    story.add(1)
    story.add(2)
    launch = run_until(story, LaunchSandbox)
    story.tell(Intend(at=story.now, key=launch.key))
    story.tell(launched(story, 1))
    story.tell(Stop(at=story.now, key=PromptKey("comment-3"), by=ALICE, source=source(3)))
    assert story.session.turns[0].outcome is Outcome.STOPPED
    assert story.session.turn is not None
    assert story.session.turn.number == 2
    assert story.session.turn.phase is Phase.STARTING
    assert story.session.sandbox is not None


def test_a_prompt_that_cannot_be_handed_over_ends_the_turn_at_once_and_the_queue_goes_on(
    story: Story,
) -> None:
    story.add(1)
    story.add(2)
    give_up(story, run_until(story, HandPrompt).key, "GitHub answered 404")
    first, second = story.session.turns
    assert first.outcome is Outcome.FAILED
    assert first.reason == "The agent could not be given the prompt: GitHub answered 404"
    assert first.ended_at == story.now
    assert (second.number, second.phase) == (2, Phase.STARTING)
    to_running(story)
    assert story.session.launches == 1, "the sandbox serves the next turn"


def test_a_prompt_whose_sandbox_was_lost_meanwhile_is_handed_to_the_next_one(story: Story) -> None:
    story.add(1)
    hand = run_until(story, HandPrompt)
    story.tell(Intend(at=story.now, key=hand.key))
    story.tell(NoteLost(at=story.now, launch=1, reason="killed"))
    story.tell(Fail(at=story.now, key=hand.key, reason="no sandbox", retry_at=None))
    to_running(story)
    assert story.session.launches == 2


def test_a_handing_that_will_be_tried_again_ends_nothing(story: Story) -> None:
    story.add(1)
    hand = run_until(story, HandPrompt)
    at = story.now + timedelta(seconds=2)
    story.tell(Intend(at=story.now, key=hand.key))
    story.tell(Fail(at=story.now, key=hand.key, reason="busy", retry_at=at))
    assert story.session.turn is not None
    story.later(2)
    to_running(story)


def test_a_status_comment_given_up_is_owed_again_with_the_next_turn_and_looked_for_first(
    story: Story,
) -> None:
    story.add(1)
    give_up(story, STATUS_KEY)
    to_running(story)
    assert story.session.ref(STATUS_KEY) is None
    finish(story)
    story.settle()
    assert STATUS_KEY not in story.owed_keys()
    story.add(2)
    assert STATUS_KEY in story.owed_keys()
    assert STATUS_KEY in story.session.attempts, "an earlier try may have got through"
    story.tell(Intend(at=story.now, key=STATUS_KEY))
    assert story.session.attempts[STATUS_KEY].tries == 1
    story.settle()
    assert story.session.ref(STATUS_KEY) == f"ref:{STATUS_KEY}"


def test_a_status_comment_that_waits_for_its_next_try_goes_on_waiting(story: Story) -> None:
    story.add(1)
    at = story.now + timedelta(hours=1)
    story.tell(Intend(at=story.now, key=STATUS_KEY))
    story.tell(Fail(at=story.now, key=STATUS_KEY, reason="busy", retry_at=at))
    to_running(story)
    finish(story)
    story.settle()
    story.add(2)
    assert story.session.attempts[STATUS_KEY].retry_at == at
    assert STATUS_KEY not in story.owed_keys()
