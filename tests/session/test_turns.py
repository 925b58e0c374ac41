"""Stories of turns: prompts queue, one runs at a time, each ends in a result people see."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.session import due, is_open, view
from orchestrator.session.commands import (
    AddPrompt,
    AnswerStatus,
    Cancel,
    Fail,
    Intend,
    NoteLost,
    NotePullRequestClosed,
    NoteWork,
    NoteWorkRefused,
    Receive,
    RefusePrompt,
    ReserveModelCall,
    Retry,
    SettleModelCall,
    Stop,
    Tick,
)
from orchestrator.session.effects import LaunchSandbox, ReleaseSandbox
from orchestrator.session.errors import (
    NoSession,
    NothingRunning,
    NothingToRetry,
    PromptEmpty,
    PromptTooLong,
    QueueFull,
    SessionEnded,
)
from orchestrator.session.events import (
    AgentFinished,
    ModelCallReserved,
    TurnEnded,
    TurnStarted,
    TurnStopRequested,
)
from orchestrator.session.values import (
    Home,
    Limits,
    Outcome,
    PromptKey,
    Status,
    Step,
    StepKind,
    StepStatus,
    Usage,
)

from .conftest import (
    ALICE,
    BOB,
    Story,
    finish,
    launched,
    opening,
    prompt,
    run_until,
    source,
    to_running,
)


def test_a_prompt_ends_in_a_pull_request(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()

    shown = view(story.session)
    assert shown.status is Status.IDLE
    assert shown.turn is not None
    assert shown.turn.outcome is Outcome.SUCCEEDED
    assert shown.turn.said == "Fixed it."
    assert shown.pull_request is not None
    assert shown.pull_request.number == 128


def test_a_turn_that_opened_the_pull_request_sends_no_reply_and_the_next_one_does(
    story: Story,
) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()
    assert "turn/1/result" not in story.session.attempts

    story.add(2)
    to_running(story)
    finish(story)
    story.settle()
    assert story.session.ref("turn/2/result") is not None
    assert story.session.ref("turn/2/check-done") is not None


def test_prompts_of_several_people_run_in_order(story: Story) -> None:
    story.add(1, "first")
    story.add(2, "second", BOB)
    story.add(3, "third")
    order = []
    for _ in range(3):
        to_running(story)
        assert story.session.turn is not None
        order.append((story.session.turn.prompt.text, story.session.turn.prompt.author.login))
        finish(story)
        story.settle()
    assert order == [("first", "alice"), ("second", "bob"), ("third", "alice")]


def test_the_same_comment_twice_is_one_prompt(story: Story) -> None:
    story.add(1)
    assert story.add(1) == []


def test_the_eleventh_waiting_prompt_is_refused_with_the_reason(story: Story) -> None:
    for number in range(11):
        story.add(number)
    with pytest.raises(QueueFull, match="10 prompts are waiting already"):
        story.add(99)
    story.tell(
        RefusePrompt(
            at=story.now, key=PromptKey("comment-99"), by=BOB, source=source(99), reason="full"
        )
    )
    assert "ask/comment-99/reply" in story.owed_keys()
    assert "ask/comment-99/eyes" not in story.owed_keys()


def test_a_prompt_over_the_limit_or_empty_is_refused(story: Story) -> None:
    story.add(1, "x" * 64_000)
    with pytest.raises(PromptTooLong, match="64,001"):
        story.add(2, "x" * 64_001)
    with pytest.raises(PromptEmpty):
        story.add(3, " \n ")


def test_stop_ends_the_running_turn_and_keeps_the_queue(story: Story) -> None:
    story.add(1, "first")
    story.add(2, "second", BOB)
    to_running(story)
    story.tell(Stop(at=story.now, key=PromptKey("comment-3"), by=BOB, source=source(3)))
    assert "turn/1/stop" in story.owed_keys()
    finish(story)
    story.settle()

    assert story.session.turns[0].outcome is Outcome.STOPPED
    assert story.session.turn is not None
    assert story.session.turn.prompt.text == "second"


def test_stop_before_the_agent_has_the_prompt_ends_the_turn_at_once(story: Story) -> None:
    story.add(1)
    story.tell(Stop(at=story.now, key=PromptKey("comment-2"), by=ALICE, source=source(2)))
    assert story.session.turns[0].outcome is Outcome.STOPPED


def test_stop_with_nothing_running_says_so(story: Story) -> None:
    with pytest.raises(NoSession):
        story.tell(Stop(at=story.now, key=PromptKey("c"), by=ALICE, source=source(1)))
    story.add(1)
    story.tell(Stop(at=story.now, key=PromptKey("s"), by=ALICE, source=source(2)))
    with pytest.raises(NothingRunning):
        story.tell(Stop(at=story.now, key=PromptKey("c"), by=ALICE, source=source(1)))


def test_an_agent_that_does_not_stop_within_the_grace_loses_its_sandbox(story: Story) -> None:
    story.add(1)
    to_running(story)
    story.tell(Stop(at=story.now, key=PromptKey("comment-2"), by=ALICE, source=source(2)))
    story.later(14)
    assert story.tell(Tick(at=story.now)) == []
    story.later(1)
    story.tell(Tick(at=story.now))
    assert story.session.turns[0].outcome is Outcome.STOPPED
    assert story.session.sandbox is None
    assert any(isinstance(e, ReleaseSandbox) and not e.keep for e in story.owed())


def test_cancel_ends_the_session_and_lets_the_sandbox_go(story: Story) -> None:
    story.add(1)
    story.add(2)
    to_running(story)
    story.tell(Cancel(at=story.now, key=PromptKey("comment-3"), by=BOB, source=source(3)))
    finish(story)
    story.settle()

    shown = view(story.session)
    assert shown.status is Status.CANCELLED
    assert shown.dropped == 1
    assert story.session.sandbox is None
    assert story.session.ref("cancelled") is not None
    assert not is_open(story.session)
    with pytest.raises(SessionEnded):
        story.add(4)
    with pytest.raises(SessionEnded):
        story.tell(Cancel(at=story.now, key=PromptKey("c5"), by=BOB, source=source(5)))


def test_no_output_at_all_is_a_failure_with_the_reason(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story, produced=False)
    story.settle()
    turn = story.session.turns[0]
    assert turn.outcome is Outcome.FAILED
    assert "without saying or doing anything" in turn.reason


def test_an_agents_error_is_the_reason_of_the_failure(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story, error="it exited with code 1")
    story.settle()
    assert story.session.turns[0].reason == "it exited with code 1"


def test_a_turn_ends_after_90_minutes(story: Story) -> None:
    story.add(1)
    to_running(story)
    sandbox = story.session.sandbox
    assert sandbox is not None
    for minute in range(89):
        story.later(60)
        story.tell(Receive(at=story.now, launch=1, upto=minute + 1, turn=1))
        assert story.tell(Tick(at=story.now)) == []
    story.later(60)
    [event] = story.tell(Tick(at=story.now))
    assert isinstance(event, TurnStopRequested)
    assert event.why == "timeout"
    finish(story)
    story.settle()
    assert story.session.turns[0].outcome is Outcome.TIMED_OUT
    assert "90 min" in story.session.turns[0].reason


def test_two_minutes_of_silence_end_a_turn_and_any_report_resets_them(story: Story) -> None:
    story.add(1)
    to_running(story)
    story.later(119)
    story.tell(Receive(at=story.now, launch=1, upto=1, turn=1))
    story.later(119)
    assert story.tell(Tick(at=story.now)) == []
    assert due(story.session) == story.now + timedelta(seconds=1)
    story.later(1)
    [event] = story.tell(Tick(at=story.now))
    assert isinstance(event, TurnStopRequested)
    assert event.why == "silence"


def test_an_idle_sandbox_is_let_go_after_ten_minutes_and_taken_up_from_its_snapshot(
    story: Story,
) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()
    assert story.session.sandbox is not None
    assert due(story.session) == story.now + timedelta(minutes=10)
    story.later(599)
    assert story.owed() == []
    story.later(1)
    [effect] = story.owed()
    assert isinstance(effect, ReleaseSandbox)
    assert effect.keep
    story.do(effect)
    assert story.session.sandbox is None
    assert not is_open(story.session)

    story.add(2)
    launch = run_until(story, LaunchSandbox)
    assert isinstance(launch, LaunchSandbox)
    assert launch.snapshot == "snap"
    assert launch.launch == 2


def test_a_prompt_while_the_sandbox_is_let_go_waits_for_the_next_one(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()
    story.later(600)
    [release] = story.owed()
    story.tell(Intend(at=story.now, key=release.key))
    story.add(2)
    kinds = [type(effect).__name__ for effect in story.owed()]
    assert "HandPrompt" not in kinds
    assert "LaunchSandbox" not in kinds
    assert "ReleaseSandbox" in kinds
    to_running(story)
    assert story.session.sandbox is not None
    assert story.session.sandbox.launch == 2
    assert story.session.sandbox.restored


def test_a_sandbox_lost_in_mid_turn_fails_the_turn_and_says_why(story: Story) -> None:
    story.add(1)
    to_running(story)
    story.tell(NoteLost(at=story.now, launch=1, reason="the sandbox was killed"))
    story.settle()
    assert story.session.turns[0].outcome is Outcome.FAILED
    assert story.session.turns[0].reason == "the sandbox was killed"
    assert story.session.sandbox is None


def test_a_launch_that_fails_for_good_is_tried_once_more_and_then_said(story: Story) -> None:
    story.add(1)
    for number in (1, 2):
        effect = run_until(story, LaunchSandbox)
        assert effect.key == f"launch/{number}"
        story.tell(Fail(at=story.now, key=effect.key, reason="no disk", retry_at=None))
    assert story.session.turns[0].outcome is Outcome.FAILED
    assert "no disk" in story.session.turns[0].reason
    story.add(2)
    assert run_until(story, LaunchSandbox).key == "launch/3"


def test_a_sandbox_that_never_gets_ready_is_replaced_once(story: Story) -> None:
    story.add(1)
    effect = run_until(story, LaunchSandbox)
    assert isinstance(effect, LaunchSandbox)

    story.tell(launched(story, 1))
    story.later(15 * 60)
    story.tell(Tick(at=story.now))
    assert story.session.sandbox is None
    assert not any(isinstance(e, LaunchSandbox) for e in story.owed())
    second = run_until(story, LaunchSandbox)
    assert second.key == "launch/2"
    story.tell(launched(story, 2))
    story.tell(Receive(at=story.now, launch=2, upto=1, turn=None, failed="start.sh failed"))
    assert story.session.turns[0].outcome is Outcome.FAILED
    assert "start.sh failed" in story.session.turns[0].reason


def test_work_that_cannot_be_pushed_fails_the_turn(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.tell(NoteWorkRefused(at=story.now, turn=1, reason="main is protected"))
    assert story.session.turns[0].outcome is Outcome.FAILED
    assert story.session.turns[0].reason == "main is protected"


def test_a_turn_without_commits_opens_no_pull_request(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.tell(NoteWork(at=story.now, turn=1, work=None))
    assert story.session.turns[0].outcome is Outcome.SUCCEEDED
    assert "turn/1/result" in story.owed_keys()


def test_a_pull_request_that_cannot_be_opened_is_said_and_the_turn_stands(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.do(next(e for e in story.owed() if e.key == "turn/1/push"))
    story.tell(Fail(at=story.now, key="turn/1/pull-request", reason="no permission", retry_at=None))
    turn = story.session.turns[0]
    assert turn.outcome is Outcome.SUCCEEDED
    assert "no permission" in turn.reason
    assert "turn/1/result" in story.owed_keys()


def test_after_its_pull_request_is_closed_a_session_opens_the_next_one(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()
    story.tell(NotePullRequestClosed(at=story.now, number=128, merged=True))
    story.add(2)
    to_running(story)
    finish(story)
    story.settle()
    assert story.session.ref("turn/2/pull-request") is not None


def test_a_session_on_a_pull_request_opens_none_and_runs_a_check(story: Story) -> None:
    story.tell(AddPrompt(at=story.now, prompt=prompt(1), opening=opening(Home.PULL_REQUEST)))
    to_running(story)
    assert story.session.ref("turn/1/check") is not None
    finish(story)
    story.settle()
    assert "turn/1/pull-request" not in story.session.attempts
    assert story.session.ref("turn/1/check-done") is not None


def test_retry_runs_the_last_prompt_again_for_whoever_asks(story: Story) -> None:
    story.add(1, "fix it")
    with pytest.raises(NothingToRetry):
        story.tell(Retry(at=story.now, key=PromptKey("c0"), by=BOB, source=source(0)))
    to_running(story)
    finish(story, error="broke")
    story.settle()
    story.tell(Retry(at=story.now, key=PromptKey("comment-2"), by=BOB, source=source(2)))
    assert story.session.turn is not None
    assert story.session.turn.prompt.text == "fix it"
    assert story.session.turn.prompt.author == BOB


def test_status_is_answered_once(story: Story) -> None:
    story.add(1)
    ask = AnswerStatus(
        at=story.now,
        key=PromptKey("comment-2"),
        by=BOB,
        source=source(2),
        text="Working",
    )
    story.tell(ask)
    assert story.tell(ask) == []
    assert "ask/comment-2/reply" in story.owed_keys()


def test_a_call_that_could_pass_the_budget_ends_the_turn_out_of_budget(story: Story) -> None:
    story.tell(
        AddPrompt(
            at=story.now,
            prompt=prompt(1),
            opening=opening(limits=Limits(turn_microdollars=1_000)),
        )
    )
    to_running(story)
    [event] = story.tell(ReserveModelCall(at=story.now, turn=1, call="a", microdollars=600))
    assert isinstance(event, ModelCallReserved)
    story.tell(
        SettleModelCall(at=story.now, turn=1, call="a", usage=Usage(calls=1, microdollars=500))
    )
    [event] = story.tell(ReserveModelCall(at=story.now, turn=1, call="b", microdollars=501))
    assert isinstance(event, TurnStopRequested)
    finish(story)
    story.settle()
    assert story.session.turns[0].outcome is Outcome.OUT_OF_BUDGET
    assert story.session.usage.microdollars == 500


def test_steps_replace_their_earlier_selves_and_only_the_newest_are_kept(story: Story) -> None:
    story.add(1)
    to_running(story)

    def step(number: int, status: StepStatus) -> Step:
        return Step(
            id=str(number), kind=StepKind.RUN, status=status, title=f"run {number}", at=story.now
        )

    story.tell(
        Receive(
            at=story.now,
            launch=1,
            upto=1,
            turn=1,
            steps=tuple(step(n, StepStatus.RUNNING) for n in range(250)),
        )
    )
    story.tell(Receive(at=story.now, launch=1, upto=2, turn=1, steps=(step(249, StepStatus.DONE),)))
    turn = view(story.session).turn
    assert turn is not None
    assert turn.steps_total == 250
    assert len(turn.steps) == 200
    assert turn.steps[-1].status is StepStatus.DONE


def test_reports_received_twice_change_nothing(story: Story) -> None:
    story.add(1)
    to_running(story)
    again = Receive(at=story.now, launch=1, upto=5, turn=1, said="hello")
    assert story.tell(again)
    assert story.tell(again) == []


def test_the_next_turn_starts_in_the_same_decision_that_ends_the_last(story: Story) -> None:
    story.add(1)
    story.add(2)
    to_running(story)
    finish(story, error="broke")
    news = story.tell(NoteWork(at=story.now, turn=1, work=None))
    assert [type(e) for e in news][-2:] == [TurnEnded, TurnStarted]
    assert any(isinstance(e, AgentFinished) for e in story.events)
