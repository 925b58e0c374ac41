"""`openinspect tokens` as whoever runs a server types it; GitHub is embedded and asked for real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from bot.cli import main
from bot.demo.github import EmbeddedGitHub, Person, Repo
from orchestrator.apitokens import Scope, new_token
from orchestrator.outgoing import Outgoing
from orchestrator.stores.tokenbook import FILE, TokenBook


@dataclass
class Desk:
    """A terminal beside a server's settings."""

    github: EmbeddedGitHub
    settings: Path
    data: Path
    alice: Person
    repo: Repo
    capture: pytest.CaptureFixture[str]

    async def type(self, *words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, ["tokens", *words])
        said = self.capture.readouterr()
        return code, said.out, said.err

    async def create(self, *words: str) -> tuple[int, str, str]:
        return await self.type("create", *words, "--settings", str(self.settings))

    def book(self) -> TokenBook:
        return TokenBook(self.data / FILE)


@pytest.fixture
async def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Desk]:
    async with EmbeddedGitHub(tmp_path / "github") as github:
        app = github.create_app(webhook_secret="an-obviously-fake-webhook-secret")
        alice = github.create_person("alice")
        repo = await github.create_repository("acme/app", files={"a.txt": "a"})
        await github.create_repository("acme/elsewhere", files={"a.txt": "a"})
        github.install(app, [repo])
        key, settings = tmp_path / "app.pem", tmp_path / "openinspect.env"
        key.write_text(app.private_key_pem)
        settings.touch(mode=0o600)
        settings.write_text(
            f"GITHUB_APP_ID={app.id}\n"
            f"GITHUB_APP_PRIVATE_KEY_FILE={key}\n"
            "GITHUB_WEBHOOK_SECRET=an-obviously-fake-webhook-secret\n"
            f"GITHUB_API_URL={github.api_url}\n"
            f"GITHUB_GRAPHQL_URL={github.graphql_url}\n"
            f"GITHUB_SERVER_URL={github.url}\n"
            f"OPENINSPECT_DATA={tmp_path / 'data'}\n"
        )
        yield Desk(github, settings, tmp_path / "data", alice, repo, capsys)
    structlog.reset_defaults()


async def test_a_token_is_bound_to_numbers_and_shown_once(desk: Desk) -> None:
    code, out, err = await desk.create("ci", "--login", "Alice", "--repo", "ACME/app")
    assert code == 0
    secret = out.strip()
    assert out == f"{secret}\n", "nothing but the token, so that it can be piped"
    assert "alice" in err and "not shown again" in err
    book = desk.book()
    token = book.find(secret, datetime.now(UTC))
    assert token.person.id == desk.alice.id
    assert token.repositories is not None
    assert [(r.id, r.full_name) for r in token.repositories] == [(desk.repo.id, "acme/app")]
    assert token.scopes == set(Scope)
    assert token.expires_at - token.created_at == timedelta(days=30)
    book.close()

    code, out, err = await desk.type("list", "--data", str(desk.data))
    assert code == 0
    assert "good" in out and "ci" in out and "acme/app" in out
    assert secret not in out + err

    code, out, _ = await desk.type("revoke", "ci", "--data", str(desk.data))
    assert code == 0 and "refused from now on" in out
    _, out, _ = await desk.type("list", "--settings", str(desk.settings))
    assert out.startswith("revoked")
    code, _, err = await desk.type("revoke", "ci", "--data", str(desk.data))
    assert code == 1 and "No token in use" in err


async def test_scopes_repositories_and_days_are_as_asked(desk: Desk) -> None:
    words = ("watch", "--login", "@alice", "--all-repos", "--scope", "sessions:read")
    code, _, _ = await desk.create(*words, "--days", "365")
    assert code == 0
    book = desk.book()
    [token] = book.all()
    book.close()
    assert token.repositories is None
    assert token.scopes == {Scope.READ}
    assert token.expires_at - token.created_at == timedelta(days=365)


async def test_two_tokens_have_two_names(desk: Desk) -> None:
    await desk.create("ci", "--login", "alice", "--all-repos")
    code, out, err = await desk.create("ci", "--login", "alice", "--all-repos")
    assert (code, out) == (1, "")
    assert "A token of this name is in use" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--login", "nobody-at-all", "--all-repos"), "knows no account nobody-at-all"),
        (("--login", "acme", "--all-repos"), "is no person (Organization)"),
        (("--login", "openinspect[bot]", "--all-repos"), "is no person (Bot)"),
        (("--login", "alice", "--repo", "acme/elsewhere"), "not installed on acme/elsewhere"),
        (("--login", "alice", "--repo", "acme/missing"), "not installed on acme/missing"),
    ],
)
async def test_without_somebody_to_act_for_there_is_no_token(
    desk: Desk, words: tuple[str, ...], said: str
) -> None:
    code, out, err = await desk.create("ci", *words)
    assert (code, out) == (1, "")
    assert said in err
    assert not (desk.data / FILE).exists()


async def test_looking_makes_no_file(desk: Desk) -> None:
    code, out, err = await desk.type("list", "--data", str(desk.data))
    assert (code, out) == (0, "")
    assert "There are no tokens" in err
    assert not desk.data.exists()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("create", "ci"),
        ("create", "ci", "--login", "alice"),
        ("create", "ci", "--login", "alice", "--all-repos", "--repo", "acme/app"),
        ("create", "ci", "--login", "alice", "--all-repos", "--days", "366"),
        ("create", "ci", "--login", "alice", "--all-repos", "--days", "0"),
        ("create", "ci", "--login", "alice", "--all-repos", "--scope", "admin"),
        ("create", "a b", "--login", "alice", "--all-repos"),
        ("revoke",),
    ],
)
def test_wrong_usage_ends_with_2(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tokens", *words])
    assert ended.value.code == 2


def test_without_settings_it_says_which_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    assert main(["tokens", "create", "ci", "--login", "alice", "--all-repos"]) == 2
    assert "GITHUB_APP_ID is missing" in capsys.readouterr().err


def test_a_token_leaves_in_no_text_of_ours() -> None:
    secret = new_token().reveal()
    cleaned = Outgoing().clean(f"curl -H 'Authorization: Bearer {secret}' and {secret[:20]}")
    assert secret not in cleaned
    assert "curl" in cleaned
