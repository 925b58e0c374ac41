"""What follows a mention: a word, or a prompt."""

from __future__ import annotations

import pytest

from orchestrator.triggers.markdown import directives
from orchestrator.triggers.words import PromptText, Word, asked_by


def ask(text: str) -> PromptText | Word:
    return asked_by(text, directives(text, "openinspect").asked[0])


WORDS = [
    ("@openinspect stop", "stop"),
    ("@openinspect Stop", "stop"),
    ("@openinspect STOP!", "stop"),
    ("@openinspect stop.", "stop"),
    ("@openinspect: stop", "stop"),
    ("@openinspect, stop", "stop"),
    ("@openinspect — stop", "stop"),
    ("@openinspect **stop**", "stop"),
    ("@openinspect `stop`", "stop"),
    ("@openinspect “stop”", "stop"),
    ("@openinspect cancel", "cancel"),
    ("@openinspect status?", "status"),
    ("@openinspect retry", "retry"),
    ("@openinspect help", "help"),
    ("/openinspect stop", "stop"),
    ("/openinspect   status  ", "status"),
    ("That is wrong. @openinspect stop", "stop"),
    ("This goes wrong.\n\n@openinspect stop", "stop"),
    ("@openinspect stop\n\nOn Monday somebody wrote:\n> x", "stop"),
    ("@openinspect stop\n> @openinspect fix it", "stop"),
    ("@openinspect st\u200bop", "stop"),
    ("@openinspect stop <!-- now -->", "stop"),
]


@pytest.mark.parametrize(("text", "word"), WORDS)
def test_words(text: str, word: str) -> None:
    said = ask(text)
    assert isinstance(said, Word)
    assert said.name == word


PROMPTS = [
    ("@openinspect fix it", "fix it"),
    ("  @openinspect   fix it  ", "fix it"),
    ("@openinspect: fix it", "fix it"),
    ("@openinspect, fix it", "fix it"),
    ("@openinspect\nfix it", "fix it"),
    ("@openinspect\n\n- a\n- b", "- a\n- b"),
    ("/openinspect fix it\nand that", "fix it\nand that"),
    ("@openinspect stop the leak", "stop the leak"),
    ("@openinspect stop\nthe leak in the pool", "stop\nthe leak in the pool"),
    ("@openinspect status of the build?", "status of the build?"),
    ("@openinspect stopped", "stopped"),
    ("@openinspect why", "why"),
    ("Tests fail. @openinspect fix them", "Tests fail. @openinspect fix them"),
    ("> it broke\n\n@openinspect fix", "> it broke\n\n@openinspect fix"),
    ("Log:\n/openinspect fix it", "Log:\nfix it"),
    ("@openinspect fix <!-- x -->it", "fix it"),
    ("<!-- x -->@openinspect fix it", "fix it"),
    ("@openinspect fix\r\nit", "fix\nit"),
    ("@openinspect - do a\n- do b", "do a\n- do b"),
    ("@openinspect ```\nx\n```", "```\nx\n```"),
    ("@openinspect", ""),
    ("@openinspect ...", "..."),
]


@pytest.mark.parametrize(("text", "prompt"), PROMPTS)
def test_prompts(text: str, prompt: str) -> None:
    said = ask(text)
    assert isinstance(said, PromptText)
    assert said.text == prompt


def test_what_was_hidden_is_counted() -> None:
    said = ask("@openinspect fix <!-- evil -->it")
    assert isinstance(said, PromptText)
    assert said.hidden == len("<!-- evil -->")
