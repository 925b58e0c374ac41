"""`openinspect explain` beside a journal that is in use, as whoever runs a server would type it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import main
from orchestrator.session.values import RepositoryId
from orchestrator.stores.deliveries import Delivery
from orchestrator.stores.journal import Journal
from orchestrator.triggers import DecisionRecord, Rule

AT = datetime(2026, 11, 24, 14, 2, 11, tzinfo=UTC)
REPOSITORY = RepositoryId(7001)


def record(guid: str, *, source: str = "comment-987", repository: str = "acme/app") -> str:
    rule = Rule(name="mention", passed=False, detail="no mention of `@openinspect`")
    return json.dumps(
        DecisionRecord(
            delivery=guid,
            event="issue_comment",
            action="created",
            repository=repository,
            thread=41,
            sender="octocat",
            sender_id=9,
            source=source,
            url=f"https://github.example/{repository}/issues/41#issuecomment-987",
            outcome="ignored",
            rule="mention",
            reason=rule.detail,
            rules=(rule,),
        ).to_json()
    )


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """Open, and so locked, while the command reads it."""
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    yield journal
    await journal.close()


async def decide(journal: Journal, guid: str, seconds: int = 0, text: str | None = None) -> None:
    await journal.decide_delivery(
        guid,
        text or record(guid),
        AT + timedelta(seconds=seconds),
        repository=REPOSITORY,
        thread=41,
    )


async def test_a_delivery_is_explained_while_the_server_runs(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await decide(journal, "72d3162e-cc78")
    assert main(["explain", "72d3162e-cc78", "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "Delivery 72d3162e-cc78 (issue_comment.created" in said
    assert "NO (no mention of `@openinspect`)" in said
    assert main(["explain", "72d3", "--data", str(tmp_path)]) == 0


async def test_a_text_that_was_delivered_twice_is_explained_twice_newest_first(
    journal: Journal,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await decide(journal, "first")
    await decide(journal, "second", 5)
    await decide(journal, "third", 9, record("third", source="comment-1"))
    monkeypatch.setenv("OPENINSPECT_DATA", str(tmp_path))
    address = "https://github.example/Acme/App/issues/41#issuecomment-987"
    assert main(["explain", address, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["delivery"] for line in lines] == ["second", "first"]
    assert lines[0]["decided_at"] == "2026-11-24T14:02:16+00:00"
    assert lines[0]["rules"][0]["name"] == "mention"

    assert main(["explain", "acme/app#41", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["delivery"] for line in lines] == ["third", "second", "first"]


async def test_another_repository_with_the_same_number_is_not_meant(
    journal: Journal, tmp_path: Path
) -> None:
    await decide(journal, "first")
    assert main(["explain", "acme/other#41", "--data", str(tmp_path)]) == 1
    assert main(["explain", "acme/app#42", "--data", str(tmp_path)]) == 1


async def test_a_failure_is_found_by_the_address_of_its_text(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "https://github.example/acme/app/issues/41#issuecomment-5"
    failed = {
        "v": 1,
        "delivery": "broken",
        "event": "issue_comment",
        "repository": "acme/app",
        "url": address,
        "outcome": "failed",
        "reason": "GitHub was away",
    }
    await decide(journal, "broken", 0, json.dumps(failed))
    assert main(["explain", address, "--data", str(tmp_path)]) == 0
    assert "GitHub was away" in capsys.readouterr().out


async def test_what_waits_and_what_repeats_is_said(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for guid in ("one-guid", "two-guid"):
        await journal.record_delivery(
            Delivery(guid=guid, event="issues", received_at=AT, body=b"{}", semantic="same")
        )
    assert main(["explain", "one-guid", "--data", str(tmp_path)]) == 0
    assert "waiting to be decided" in capsys.readouterr().out
    assert main(["explain", "two-guid", "--json", "--data", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "repeat"


async def test_an_unknown_delivery_says_what_to_check(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "never-heard-of", "--data", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "Recent deliveries" in said.err
    assert str(tmp_path) in said.err


def test_without_a_journal_it_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "72d3162e", "--data", str(tmp_path)]) == 1
    assert f"Looked in {tmp_path}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "journal.sqlite3").write_text("something else entirely, and long enough")
    assert main(["explain", "72d3162e", "--data", str(tmp_path)]) == 1
    assert "journal" in capsys.readouterr().err


def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["explain"], ["explain", "a", "--data", "b", "--settings", "c"], ["no"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert "usage: openinspect" in capsys.readouterr().err
