"""Stories of sessions that are put away, of budgets that people raise, and of proposals."""

from __future__ import annotations

import pytest

from orchestrator.session import is_open, view
from orchestrator.session.commands import (
    AddPrompt,
    Archive,
    ProposePullRequest,
    RaiseBudget,
    ReserveModelCall,
    SettleModelCall,
)
from orchestrator.session.errors import BudgetNotRaised, SessionEnded, StillBusy
from orchestrator.session.events import ModelCallReserved, TurnStopRequested
from orchestrator.session.values import Limits, Outcome, PromptKey, Proposal, Status, Usage

from .conftest import BOB, Story, opening, prompt, source
from .test_turns import finish, to_running


def test_archive_puts_a_resting_session_away_and_refuses_a_busy_one(story: Story) -> None:
    story.add(1)
    with pytest.raises(StillBusy, match="cannot be put away"):
        story.tell(Archive(at=story.now, key=PromptKey("a0"), by=BOB, source=source(8)))
    to_running(story)
    finish(story)
    story.settle()
    put_away = Archive(at=story.now, key=PromptKey("a1"), by=BOB, source=source(9))
    story.tell(put_away)
    assert story.tell(put_away) == []
    story.settle()
    assert view(story.session).status is Status.ARCHIVED
    assert story.session.sandbox is None
    assert story.session.ref("archived") is not None
    assert not is_open(story.session)
    with pytest.raises(SessionEnded):
        story.add(2)
    with pytest.raises(SessionEnded):
        story.tell(Archive(at=story.now, key=PromptKey("a2"), by=BOB, source=source(10)))


def out_of_budget(story: Story) -> None:
    story.tell(
        AddPrompt(
            at=story.now,
            prompt=prompt(1),
            opening=opening(limits=Limits(turn_microdollars=20_000, session_microdollars=20_000)),
        )
    )
    to_running(story)
    story.tell(ReserveModelCall(at=story.now, turn=1, call="a", microdollars=15_000))
    story.tell(
        SettleModelCall(at=story.now, turn=1, call="a", usage=Usage(calls=1, microdollars=15_000))
    )
    story.tell(ReserveModelCall(at=story.now, turn=1, call="b", microdollars=15_000))
    finish(story)
    story.settle()
    assert story.session.turns[0].outcome is Outcome.OUT_OF_BUDGET


def test_a_raised_budget_goes_on_with_the_turn_that_ran_out(story: Story) -> None:
    out_of_budget(story)
    more = RaiseBudget(
        at=story.now, key=PromptKey("b1"), by=BOB, source=source(9), microdollars=50_000
    )
    story.tell(more)
    assert story.tell(more) == []
    turn = story.session.turn
    assert turn is not None
    assert turn.prompt.author == BOB
    assert "fix the flake" in turn.prompt.text
    assert view(story.session).session_microdollars == 70_000
    assert view(story.session).turn_microdollars == 50_000
    to_running(story)
    [granted] = story.tell(ReserveModelCall(at=story.now, turn=2, call="c", microdollars=50_000))
    assert isinstance(granted, ModelCallReserved)
    [refused] = story.tell(ReserveModelCall(at=story.now, turn=2, call="d", microdollars=1))
    assert isinstance(refused, TurnStopRequested)


def test_a_budget_raised_for_later_starts_nothing(story: Story) -> None:
    story.add(1)
    to_running(story)
    finish(story)
    story.settle()
    story.tell(
        RaiseBudget(
            at=story.now, key=PromptKey("b1"), by=BOB, source=source(9), microdollars=2_000_000
        )
    )
    assert story.session.turn is None
    assert view(story.session).session_microdollars == 27_000_000


@pytest.mark.parametrize("microdollars", [0, -5, 9_999, 1_000_000_001])
def test_a_budget_out_of_range_is_refused(story: Story, microdollars: int) -> None:
    story.add(1)
    with pytest.raises(BudgetNotRaised, match="dollars at a time"):
        story.tell(
            RaiseBudget(
                at=story.now,
                key=PromptKey("b1"),
                by=BOB,
                source=source(9),
                microdollars=microdollars,
            )
        )


def test_what_the_agent_proposes_for_its_pull_request_is_kept(story: Story) -> None:
    story.add(1)
    to_running(story)
    said = ProposePullRequest(
        at=story.now, turn=1, proposal=Proposal(title="Fix it", body="It was broken.")
    )
    story.tell(said)
    assert story.tell(said) == []
    turn = story.session.turn
    assert turn is not None
    assert turn.proposal == Proposal(title="Fix it", body="It was broken.")
    assert (
        story.tell(ProposePullRequest(at=story.now, turn=2, proposal=Proposal(title="x", body="")))
        == []
    )
