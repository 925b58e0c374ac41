"""Wrong settings stop the start, each with what to do; secrets never show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.settings import ALL, SettingsError, from_environment, help_text, parse

GOOD = {
    "GITHUB_APP_ID": "7",
    "GITHUB_APP_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nfake\n-----END PRIVATE KEY-----",
    "GITHUB_WEBHOOK_SECRET": "an-obviously-fake-secret",
}


def problems(**changes: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse(GOOD | changes)
    return caught.value.problems


def test_the_least_that_is_needed_is_enough() -> None:
    settings = parse(GOOD)
    assert settings.api_url == "https://api.github.com"
    assert settings.port == 8080


def test_without_a_webhook_secret_it_does_not_start() -> None:
    [problem] = problems(GITHUB_WEBHOOK_SECRET="")
    assert "anyone could send us events" in problem
    [problem] = problems(GITHUB_WEBHOOK_SECRET="short")
    assert "shorter than 16" in problem


def test_two_webhook_secrets_while_rotating() -> None:
    settings = parse(GOOD | {"GITHUB_WEBHOOK_SECRET": f"{'a' * 20}, {'b' * 20}"})
    assert [s.reveal() for s in settings.webhook_secrets] == ["a" * 20, "b" * 20]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GITHUB_APP_ID", "seven", "must be a number"),
        ("GITHUB_APP_ID", "", "is missing"),
        ("GITHUB_APP_PRIVATE_KEY", "hello", "not a PEM private key"),
        ("GITHUB_API_URL", "http://github.example.com", "must be https"),
        ("GITHUB_API_URL", "https://user:pw@github.example.com", "without a user"),
        ("OPENINSPECT_PORT", "99999", "from 0 to 65535"),
        ("OPENINSPECT_LOG_FORMAT", "xml", "must be json or text"),
        ("OPENINSPECT_LOG_LEVEL", "loud", "is not debug"),
        ("OPENINSPECT_MODEL", "gpt", "provider/name"),
        ("OPENINSPECT_STATE_KEY", "short", "shorter than 32"),
    ],
)
def test_each_wrong_value_is_named_with_what_it_must_be(name: str, value: str, said: str) -> None:
    [problem] = problems(**{name: value})
    assert problem.startswith(name)
    assert said in problem


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse({})
    assert len(caught.value.problems) == 3


def test_help_lists_every_setting() -> None:
    for setting in ALL:
        assert setting.name in help_text()


def test_secrets_leave_the_environment_and_never_print(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-obviously-fake")
    settings = from_environment(None)
    assert "ANTHROPIC_API_KEY" not in os.environ
    assert "GITHUB_WEBHOOK_SECRET" not in os.environ
    assert "obviously-fake" not in repr(settings)


def test_a_settings_file_is_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("# ours\nGITHUB_APP_ID=7\nGITHUB_APPID=8\nwhat\nGITHUB_APP_ID=9\n")
    file.chmod(0o644)
    with pytest.raises(SettingsError) as caught:
        from_environment(file)
    said = "\n".join(caught.value.problems)
    assert "chmod 600" in said
    assert f"{file}:3: unknown setting GITHUB_APPID" in said
    assert f"{file}:4: not a NAME=value line" in said
    assert f"{file}:5: GITHUB_APP_ID is set twice" in said


def test_a_local_model_needs_no_key_and_no_encryption() -> None:
    settings = parse(GOOD | {"OPENAI_BASE_URL": "http://models.lan:11434/v1"})
    assert settings.openai.own_address == "http://models.lan:11434/v1"
    assert settings.anthropic.own_address is None
    [problem] = problems(OPENAI_BASE_URL="http://models.lan:11434/v1", OPENAI_API_KEY="sk-fake")
    assert "must be https" in problem


def test_the_roots_of_an_enterprise_server_follow_from_its_api() -> None:
    settings = parse(GOOD | {"GITHUB_API_URL": "https://ghe.example/api/v3"})
    assert settings.graphql_url == "https://ghe.example/api/graphql"
    assert settings.server_url == "https://ghe.example"


def test_a_comment_behind_a_value_is_not_part_of_a_key(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("ANTHROPIC_API_KEY=sk-fake   # or another one\n")
    file.chmod(0o600)
    with pytest.raises(SettingsError, match="a comment needs a line of its own"):
        from_environment(file)


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "OPENINSPECT_STATE_KEY"])
def test_a_key_with_white_space_in_it_is_refused(name: str) -> None:
    [problem] = problems(**{name: f"{'k' * 40} and more"})
    assert "white space" in problem
