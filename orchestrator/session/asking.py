"""What people ask of a session: prompts and words. Refusals are raised, never swallowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from .commands import (
    AddPrompt,
    AnswerStatus,
    Archive,
    Cancel,
    RaiseBudget,
    RefusePrompt,
    Retry,
    Stop,
)
from .errors import (
    BudgetNotRaised,
    NothingRunning,
    NothingToRetry,
    PromptEmpty,
    PromptTooLong,
    QueueFull,
    SessionEnded,
    StillBusy,
)
from .events import (
    BudgetRaised,
    Event,
    PromptQueued,
    PromptRefused,
    SessionArchived,
    SessionCancelled,
    SessionOpened,
    StopReason,
    TurnStopRequested,
    WordAnswered,
)
from .state import Session
from .values import MAX_PROMPT_CHARACTERS, MAX_WAITING, Outcome, Person, Phase, Prompt

MIN_RAISE = 10_000
MAX_RAISE = 1_000_000_000
"""Microdollars."""


def add_prompt(s: Session, c: AddPrompt) -> list[Event]:
    if c.prompt.key in s.asked:
        return []
    events: list[Event] = []
    if s.opened is None:
        o = c.opening
        events.append(
            SessionOpened(
                at=c.at,
                session=s.id,
                repository=o.repository,
                home=o.home,
                title=o.title,
                branch=o.branch,
                public=o.public,
                plan=o.plan,
                start=o.start,
            )
        )
    return [*events, *_queue(s, c.prompt, c.at)]


def _queue(s: Session, prompt: Prompt, at: datetime) -> list[Event]:
    if s.ended:
        raise SessionEnded
    if not prompt.text.strip():
        raise PromptEmpty(name="openinspect")
    if len(prompt.text) > MAX_PROMPT_CHARACTERS:
        raise PromptTooLong(length=len(prompt.text), limit=MAX_PROMPT_CHARACTERS)
    if len(s.waiting) >= MAX_WAITING:
        raise QueueFull(waiting=len(s.waiting))
    return [PromptQueued(at=at, prompt=prompt)]


def refuse_prompt(s: Session, c: RefusePrompt) -> list[Event]:
    if c.key in s.asked:
        return []
    return [PromptRefused(at=c.at, key=c.key, by=c.by, source=c.source, reason=c.reason)]


def stop(s: Session, c: Stop) -> list[Event]:
    if c.key in s.asked:
        return []
    turn = s.turn
    if turn is None or turn.phase is Phase.FINISHING:
        raise NothingRunning
    taken = WordAnswered(at=c.at, key=c.key, word="stop", by=c.by, source=c.source, text=None)
    return [taken, *_request_stop(s, c.at, c.by, cancelled=False)]


def cancel(s: Session, c: Cancel) -> list[Event]:
    if c.key in s.asked:
        return []
    if s.ended:
        raise SessionEnded
    taken = WordAnswered(at=c.at, key=c.key, word="cancel", by=c.by, source=c.source, text=None)
    dropped = tuple(prompt.key for prompt in s.waiting)
    return [
        taken,
        SessionCancelled(at=c.at, by=c.by, dropped=dropped),
        *_request_stop(s, c.at, c.by, cancelled=True),
    ]


def _request_stop(s: Session, at: datetime, by: Person, *, cancelled: bool) -> list[Event]:
    turn = s.turn
    if turn is None or turn.phase in (Phase.STOPPING, Phase.FINISHING):
        return []
    why: StopReason = "cancel" if cancelled else "stop"
    return [TurnStopRequested(at=at, turn=turn.number, why=why, by=by)]


def retry(s: Session, c: Retry) -> list[Event]:
    if c.key in s.asked:
        return []
    if s.ended:
        raise SessionEnded
    last = s.last_turn
    if last is None or last.outcome is None:
        raise NothingToRetry
    again = replace(last.prompt, key=c.key, author=c.by, source=c.source)
    return _queue(s, again, c.at)


def archive(s: Session, c: Archive) -> list[Event]:
    if c.key in s.asked:
        return []
    if s.ended:
        raise SessionEnded
    if s.turn is not None or s.waiting:
        raise StillBusy
    taken = WordAnswered(at=c.at, key=c.key, word="archive", by=c.by, source=c.source, text=None)
    return [taken, SessionArchived(at=c.at, by=c.by)]


def raise_budget(s: Session, c: RaiseBudget) -> list[Event]:
    """The addition is what a turn that ran out may cost when it goes on."""
    if c.key in s.asked:
        return []
    if s.ended:
        raise SessionEnded
    if not MIN_RAISE <= c.microdollars <= MAX_RAISE:
        raise BudgetNotRaised(most=MAX_RAISE / 1_000_000)
    raised = BudgetRaised(at=c.at, by=c.by, microdollars=c.microdollars)
    last = s.last_turn
    if last is None or last.outcome is not Outcome.OUT_OF_BUDGET or s.waiting:
        taken = WordAnswered(at=c.at, key=c.key, word="budget", by=c.by, source=c.source, text=None)
        return [taken, raised]
    again = replace(
        last.prompt,
        key=c.key,
        author=c.by,
        source=c.source,
        text=f"Go on where you were when the budget ran out. What was asked:\n\n{last.prompt.text}",
        microdollars=c.microdollars,
    )
    return [raised, *_queue(s, again, c.at)]


def answer_status(s: Session, c: AnswerStatus) -> list[Event]:
    if c.key in s.asked:
        return []
    return [WordAnswered(at=c.at, key=c.key, word="status", by=c.by, source=c.source, text=c.text)]
