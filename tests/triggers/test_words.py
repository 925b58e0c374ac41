"""What follows a mention: a word, or a prompt."""

from __future__ import annotations

import pytest

from orchestrator.triggers.markdown import directives
from orchestrator.triggers.unclear import Unclear
from orchestrator.triggers.words import (
    RUN_PROMPT,
    Ask,
    PromptText,
    Word,
    WordName,
    asked_by,
)


def ask(text: str) -> Ask:
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
    ("@openinspect archive", "archive"),
    ("@openinspect Why?", "why"),
    ("/OpenInspect CONFIG", "config"),
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
    ("@openinspect why is this slow?", "why is this slow?"),
    ("@openinspect config is wrong", "config is wrong"),
    ("@openinspect budget the next sprint", "budget the next sprint"),
    ("@openinspect run the tests", "run the tests"),
    ("@openinspect run added tests", "run added tests"),
    ("@openinspect run 1000 rounds", "run 1000 rounds"),
    ("@openinspect DEBUG=1 breaks it", "DEBUG=1 breaks it"),
    ("@openinspect x==y is wrong", "x==y is wrong"),
    ("@openinspect `mode=fast` breaks", "`mode=fast` breaks"),
    ("@openinspect fix model=a/b", "fix model=a/b"),
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


WITH_OPTIONS = [
    ("@openinspect model=anthropic/claude-opus-4-6 effort=high fix it", "fix it"),
    ("@openinspect effort=HIGH, Model=anthropic/claude-opus-4-6 fix it", "fix it"),
    ('@openinspect: model="anthropic/claude-opus-4-6" effort=`high`\nfix it', "fix it"),
    ("@openinspect\nmodel=anthropic/claude-opus-4-6\neffort=high\n\nfix it", "fix it"),
    ("/openinspect model=anthropic/claude-opus-4-6  effort=high  fix it", "fix it"),
    (
        "It broke. @openinspect model=anthropic/claude-opus-4-6 effort=high fix it",
        "It broke. @openinspect fix it",
    ),
    ("@openinspect mod\u200bel=anthropic/claude-opus-4-6 effort=high fix it", "fix it"),
    ("@openinspect model=anthropic/claude-opus-4-6 effort=high stop the leak", "stop the leak"),
]


@pytest.mark.parametrize(("text", "prompt"), WITH_OPTIONS)
def test_options_before_the_prompt(text: str, prompt: str) -> None:
    said = ask(text)
    assert isinstance(said, PromptText)
    assert (said.text, said.model, said.effort) == (prompt, "anthropic/claude-opus-4-6", "high")


def test_the_default_effort_is_no_choice() -> None:
    said = ask("@openinspect effort=default fix it")
    assert isinstance(said, PromptText)
    assert (said.text, said.effort) == ("fix it", None)


UNCLEAR = [
    ("@openinspect modle=a/b fix it", "Did you mean `model=`?"),
    ("@openinspect efort=high fix it", "Did you mean `effort=`?"),
    ("@openinspect budget=3 fix it", "is not an option"),
    ("@openinspect model=a/b model=a/c fix it", "twice"),
    ("@openinspect model=opus fix it", "`opus` is not a model"),
    ("@openinspect model= a/b fix it", "no value"),
    ("@openinspect model=a/`b`@octocat fix it", "`a/boctocat` is not a model"),
    ("@openinspect effort=hihg fix it", "Did you mean `high`?"),
    ("@openinspect model=a/b stop", "before a prompt"),
    ("@openinspect model=a/b budget +2", "before a prompt"),
    ("@openinspect budget", "`budget +2`"),
    ("@openinspect budget 2", "`budget +2`"),
    ("@openinspect budget -2", "`budget +2`"),
    ("@openinspect budget +2,50", "`budget +2`"),
    ("@openinspect run", "takes one commit"),
    ("@openinspect run abc12", "takes one commit"),
    ("@openinspect run 3f2a91c run 3f2a91d", "takes one commit"),
    ("@openinspect run " + "3f2a91cd" * 6, "takes one commit"),
    ("@openinspect sttop", "Did you mean `stop`?"),
    ("@openinspect Statsu", "Did you mean `status`?"),
    ("/openinspect cancle!", "Did you mean `cancel`?"),
    ("@openinspect archived", "Did you mean `archive`?"),
]


@pytest.mark.parametrize(("text", "told"), UNCLEAR)
def test_what_is_nearly_a_word_or_an_option_is_asked_back(text: str, told: str) -> None:
    said = ask(text)
    assert isinstance(said, Unclear), said
    assert told in said.reason


RUNS = [
    ("@openinspect run 3f2a91c", RUN_PROMPT, "3f2a91c"),
    ("@openinspect RUN 3F2A91C!", RUN_PROMPT, "3f2a91c"),
    ("@openinspect run `3f2a91c`", RUN_PROMPT, "3f2a91c"),
    ("@openinspect run 3f2a91c fix it", "fix it", "3f2a91c"),
    ("@openinspect run 3f2a91c: fix it", "fix it", "3f2a91c"),
    ("@openinspect run 3f2a91c\n\nfix it", "fix it", "3f2a91c"),
    ("/openinspect run " + "3f2a91cd" * 5, RUN_PROMPT, "3f2a91cd" * 5),
    ("@openinspect run 1234567 fix it", "fix it", "1234567"),
    ("@openinspect run " + "abcdef" * 3 + " fix it", "fix it", "abcdef" * 3),
    ("Looks good. @openinspect run 3f2a91c", f"Looks good. @openinspect {RUN_PROMPT}", "3f2a91c"),
    ("Good. @openinspect run 3f2a91c go", "Good. @openinspect go", "3f2a91c"),
]


@pytest.mark.parametrize(("text", "prompt", "commit"), RUNS)
def test_run_names_a_commit(text: str, prompt: str, commit: str) -> None:
    said = ask(text)
    assert isinstance(said, PromptText)
    assert (said.text, said.commit) == (prompt, commit)


def test_run_takes_options_on_either_side() -> None:
    for text in (
        "@openinspect run 3f2a91c model=a/b effort=low fix it",
        "@openinspect model=a/b run 3f2a91c effort=low fix it",
    ):
        said = ask(text)
        assert said == PromptText(text="fix it", model="a/b", effort="low", commit="3f2a91c")


BUDGETS = [
    ("@openinspect budget +2", 2_000_000),
    ("@openinspect Budget +2.50", 2_500_000),
    ("/openinspect budget + $3.", 3_000_000),
    ("@openinspect budget +0.01 usd", 10_000),
    ("@openinspect budget +5 dollars", 5_000_000),
]


@pytest.mark.parametrize(("text", "microdollars"), BUDGETS)
def test_budgets(text: str, microdollars: int) -> None:
    assert ask(text) == Word(name=WordName.BUDGET, microdollars=microdollars)


LINK = "https://github.com/acme/app/issues/41#issuecomment-9"
WHYS = [
    ("@openinspect why", ""),
    ("@openinspect why?", ""),
    (f"@openinspect why {LINK}", LINK),
    (f"@openinspect why: <{LINK}>?", LINK),
    (f"/openinspect why [that one]({LINK})", LINK),
    ("@openinspect why #issuecomment-9", "#issuecomment-9"),
]


@pytest.mark.parametrize(("text", "about"), WHYS)
def test_why_may_name_what_it_is_about(text: str, about: str) -> None:
    assert ask(text) == Word(name=WordName.WHY, about=about)


def test_what_was_hidden_is_counted() -> None:
    said = ask("@openinspect fix <!-- evil -->it")
    assert isinstance(said, PromptText)
    assert said.hidden == len("<!-- evil -->")
