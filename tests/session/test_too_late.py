"""What is told twice, too late, or of another sandbox or turn changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.session.commands import (
    AnswerStatus,
    Archive,
    Cancel,
    Command,
    Confirm,
    Fail,
    Finished,
    Intend,
    NoteHanded,
    NoteLost,
    NotePullRequest,
    NotePullRequestClosed,
    NoteReady,
    NoteReleased,
    NoteWork,
    NoteWorkRefused,
    RaiseBudget,
    Receive,
    RefusePrompt,
    ReserveModelCall,
    Retry,
    SettleModelCall,
    Stop,
    Tick,
)
from orchestrator.session.effects import HandPrompt, LaunchSandbox, ReleaseSandbox
from orchestrator.session.errors import NoSession, NothingRunning, SessionEnded
from orchestrator.session.events import SandboxReady
from orchestrator.session.values import Outcome, Phase, PromptKey, PullRequest, Usage

from .conftest import ALICE, BOB, START, Story, finish, launched, run_until, source, to_running

PULL = PullRequest(number=128, url="https://github.example/128", draft=True)
Word = type[Stop] | type[Cancel] | type[Retry]


def ready(launch: int) -> NoteReady:
    return NoteReady(
        at=START, launch=launch, agent="a", agent_session="s", resumed=False, seconds=1.0
    )


def word(kind: Word, number: int) -> Stop | Cancel | Retry:
    key = PromptKey(f"comment-{number}")
    return kind(at=START, key=key, by=BOB, source=source(number))


LATE: dict[str, Command] = {
    "a sandbox that was launched before": launched(Story(), 1),
    "ready, said twice": ready(1),
    "another sandbox is ready": ready(9),
    "the prompt was handed over, said twice": NoteHanded(at=START, turn=1, launch=1),
    "another turn was handed over": NoteHanded(at=START, turn=7, launch=1),
    "another sandbox was lost": NoteLost(at=START, launch=9, reason="gone"),
    "another sandbox was let go": NoteReleased(at=START, launch=9, snapshot=None),
    "another sandbox reports": Receive(at=START, launch=9, upto=99, turn=1, said="hello"),
    "work, while the agent is at it": NoteWork(at=START, turn=1, work=None),
    "work of another turn": NoteWork(at=START, turn=9, work=None),
    "work refused, while the agent is at it": NoteWorkRefused(at=START, turn=1, reason="no"),
    "another pull request was closed": NotePullRequestClosed(at=START, number=5, merged=True),
    "a model call of another turn": ReserveModelCall(at=START, turn=9, call="x", microdollars=1),
    "the answer to a call nobody made": SettleModelCall(at=START, turn=1, call="x", usage=Usage()),
    "an effect that nobody owes": Intend(at=START, key="turn/9/push"),
}


@pytest.mark.parametrize("command", LATE.values(), ids=LATE.keys())
def test_of_a_running_turn(story: Story, command: Command) -> None:
    story.add(1)
    to_running(story)
    before = story.session
    assert story.tell(command) == []
    assert story.session is before


@pytest.mark.parametrize("command", LATE.values(), ids=LATE.keys())
def test_of_a_session_that_was_never_opened(story: Story, command: Command) -> None:
    assert story.tell(command) == []
    assert story.owed() == []


@pytest.mark.parametrize("kind", [Stop, Cancel, Retry])
def test_a_word_in_a_thread_without_a_session_is_answered_so(story: Story, kind: Word) -> None:
    with pytest.raises(NoSession, match="Mention `@openinspect`"):
        story.tell(word(kind, 1))


def test_a_refusal_in_a_thread_without_a_session_is_not_the_sessions_to_tell(
    story: Story,
) -> None:
    key = PromptKey("comment-1")
    refuse = RefusePrompt(at=START, key=key, by=BOB, source=source(1), reason="no")
    assert story.tell(refuse) == []


@pytest.mark.parametrize("kind", [Stop, Cancel])
def test_a_word_delivered_twice_is_taken_once(story: Story, kind: Word) -> None:
    story.add(1)
    to_running(story)
    assert story.tell(word(kind, 2))
    assert story.tell(word(kind, 2)) == []
    assert story.owed_keys().count("ask/comment-2/eyes") == 1


def test_retry_and_refusal_delivered_twice_are_taken_once(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story, error="broke")
    story.settle()
    assert story.tell(word(Retry, 2))
    assert story.tell(word(Retry, 2)) == []
    key = PromptKey("comment-3")
    refuse = RefusePrompt(at=START, key=key, by=BOB, source=source(3), reason="no")
    assert story.tell(refuse)
    assert story.tell(refuse) == []
    assert len(story.session.turns) == 2


def test_nothing_is_retried_in_a_cancelled_session(story: Story) -> None:
    story.add(1)
    story.tell(word(Cancel, 2))
    with pytest.raises(SessionEnded, match="A new mention starts the next one"):
        story.tell(word(Retry, 3))
    again = AnswerStatus(
        at=START, key=PromptKey("comment-4"), by=ALICE, source=source(4), text="Cancelled"
    )
    assert story.tell(again), "its status can still be asked for"


def test_a_cancelled_session_is_given_no_money_and_not_put_away(story: Story) -> None:
    story.add(1)
    story.tell(word(Cancel, 2))
    before, key = story.session, PromptKey("comment-3")
    with pytest.raises(SessionEnded):
        story.tell(RaiseBudget(at=START, key=key, by=BOB, source=source(3), microdollars=1_000_000))
    with pytest.raises(SessionEnded):
        story.tell(Archive(at=START, key=key, by=BOB, source=source(3)))
    assert story.session is before


def test_stop_while_the_work_is_taken_out_finds_nothing_running(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    with pytest.raises(NothingRunning):
        story.tell(word(Stop, 2))
    assert story.session.turns[0].stop is None


def test_a_second_stop_is_heard_and_does_not_begin_the_grace_anew(story: Story) -> None:
    story.add(1)
    to_running(story)
    story.tell(word(Stop, 2))
    first = story.session.turns[0].stop
    story.later(10)
    assert story.tell(word(Stop, 3))
    assert story.session.turns[0].stop is first
    story.tell(word(Cancel, 4))
    assert story.session.turns[0].stop is first
    assert story.session.cancelled is not None


def test_the_end_of_a_turn_is_heard_once(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    end = Finished(turn=1, reason="end_turn", error="and then it broke", produced=True)
    story.tell(Receive(at=START, launch=1, upto=50, turn=1, finished=end))
    story.settle()
    assert story.session.turns[0].outcome is Outcome.SUCCEEDED


def test_the_end_of_an_earlier_turn_ends_no_later_one(story: Story) -> None:
    story.add(1)
    story.add(2)
    to_running(story)
    finish(story)
    story.settle()
    end = Finished(turn=1, reason="end_turn", error="", produced=True)
    story.tell(Receive(at=START, launch=1, upto=50, turn=1, said="old words", finished=end))
    assert story.session.turn is not None
    assert story.session.turn.number == 2
    assert story.session.turn.phase is Phase.RUNNING
    assert story.session.turn.said == ""


def test_readiness_heard_among_reports_counts_once(story: Story) -> None:
    story.add(1)
    effect = run_until(story, LaunchSandbox)
    story.tell(Intend(at=START, key=effect.key))
    story.tell(launched(story, 1))
    news = story.tell(Receive(at=START, launch=1, upto=1, turn=None, ready=ready(1)))
    assert [type(event) for event in news][-1] is SandboxReady
    again = story.tell(Receive(at=START, launch=1, upto=2, turn=None, ready=ready(1)))
    assert SandboxReady not in [type(event) for event in again]
    assert any(isinstance(effect, HandPrompt) for effect in story.owed())


def test_a_prompt_handed_to_a_sandbox_that_is_gone_was_not_handed(story: Story) -> None:
    story.add(1)
    run_until(story, HandPrompt)
    story.tell(NoteLost(at=START, launch=1, reason="killed"))
    assert story.tell(NoteHanded(at=START, turn=1, launch=1)) == []
    assert story.session.turns[0].phase is Phase.STARTING
    assert run_until(story, HandPrompt).key == "turn/1/prompt/2"


def test_a_call_is_reserved_once_and_none_is_while_a_turn_is_being_stopped(story: Story) -> None:
    story.add(1)
    to_running(story)
    reserve = ReserveModelCall(at=START, turn=1, call="a", microdollars=5)
    assert story.tell(reserve)
    assert story.tell(reserve) == []
    story.tell(word(Stop, 2))
    assert story.tell(ReserveModelCall(at=START, turn=1, call="b", microdollars=5)) == []
    assert story.session.turns[0].reserved == {"a": 5}


def test_the_pull_request_is_noted_once(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()
    assert story.tell(NotePullRequest(at=START, turn=1, pull_request=PULL)) == []


def test_what_was_done_cannot_fail_any_more(story: Story) -> None:
    story.add(1)
    to_running(story)
    key = "status"
    done = story.session.ref(key)
    assert done
    assert story.tell(Fail(at=START, key=key, reason="late", retry_at=None)) == []
    assert story.tell(Confirm(at=START, key=key, ref="another")) == []
    assert story.tell(Intend(at=START, key=key)) == []
    assert story.session.ref(key) == done


def test_a_tick_while_nothing_runs_changes_nothing(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()
    story.later(3600)
    assert story.tell(Tick(at=story.now)) == []


@pytest.mark.parametrize(
    "handed_first",
    [lambda s: to_running(s), lambda s: s.do(run_until(s, HandPrompt))],
    ids=["handed and settled", "just handed"],
)
def test_a_sandbox_is_not_let_go_for_idleness_once_a_prompt_came(
    story: Story, handed_first: Callable[[Story], None]
) -> None:
    """The task that lets it go was started while the session was idle, and comes too late."""
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()
    story.later(600)
    [release] = story.owed()
    assert isinstance(release, ReleaseSandbox)
    story.add(2)
    handed_first(story)
    assert story.tell(Intend(at=story.now, key=release.key)) == []
    assert story.session.sandbox is not None
    assert story.session.turn is not None
    assert story.session.turn.phase is Phase.RUNNING
