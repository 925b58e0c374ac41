"""What was asked through the API owes the thread a word of it, and no reaction."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.session import pending
from orchestrator.session.commands import AddPrompt, Cancel, Confirm, Intend
from orchestrator.session.effects import Announce, React
from orchestrator.session.values import PromptKey, SourceKind

from .conftest import ALICE, BOB, Story, opening, prompt, source


def ask(story: Story, number: int) -> None:
    asked = prompt(number)
    elsewhere = replace(
        asked,
        key=PromptKey(f"api-{number}"),
        source=replace(asked.source, kind=SourceKind.API),
    )
    story.tell(AddPrompt(at=story.now, prompt=elsewhere, opening=opening()))


def shown(story: Story) -> list[str]:
    owed = pending(story.session, story.now)
    return [effect.key for effect in owed if isinstance(effect, React | Announce)]


def test_the_thread_is_told_before_anything_else_happens_there() -> None:
    story = Story()
    ask(story, 1)
    first = pending(story.session, story.now)[0]
    assert isinstance(first, Announce)
    assert first.key == "ask/api-1/shown"
    assert first.prompt.text == "fix the flake"


def test_it_is_told_once_and_mentions_get_their_eyes_as_ever() -> None:
    story = Story()
    ask(story, 1)
    story.add(2)
    ask(story, 3)
    assert shown(story) == ["ask/api-1/shown", "ask/comment-2/eyes", "ask/api-3/shown"]
    story.tell(Intend(at=story.now, key="ask/api-1/shown"))
    story.tell(Confirm(at=story.now, key="ask/api-1/shown", ref="77"))
    assert shown(story) == ["ask/comment-2/eyes", "ask/api-3/shown"]


def test_what_was_dropped_before_it_was_told_is_not_told() -> None:
    story = Story()
    ask(story, 1)
    ask(story, 2)
    story.tell(Cancel(at=story.now, key=PromptKey("comment-9"), by=BOB, source=source(9)))
    assert shown(story) == ["ask/api-1/shown", "ask/comment-9/eyes"]
    assert ALICE in {asked.by for asked in story.session.asked.values()}
