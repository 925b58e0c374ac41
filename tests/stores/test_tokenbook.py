"""API tokens at rest: only a hash is kept, and what ended is refused in words."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.apitokens import (
    ApiToken,
    Scope,
    TokenExpired,
    TokenRepository,
    TokenRevoked,
    TokenUnknown,
    digest,
    new_token,
)
from orchestrator.session.values import Person, RepositoryId, UserId
from orchestrator.stores.tokenbook import (
    REQUESTS_KEPT,
    NameTaken,
    Request,
    TokenBook,
    TokensUnavailable,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ALICE = Person(id=UserId(9), login="alice")
APP = TokenRepository(id=RepositoryId(7001), full_name="acme/app")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.sqlite3"


@pytest.fixture
def book(path: Path) -> Iterator[TokenBook]:
    book = TokenBook(path)
    yield book
    book.close()


def make(book: TokenBook, name: str = "ci", days: int = 30) -> tuple[ApiToken, str]:
    token, secret = book.create(
        name=name,
        person=ALICE,
        scopes=frozenset({Scope.READ}),
        repositories=[APP],
        now=NOON,
        life=timedelta(days=days),
    )
    return token, secret.reveal()


def test_a_token_is_found_with_all_that_it_was_made_for(book: TokenBook) -> None:
    token, secret = make(book)
    found = book.find(secret, NOON)
    assert found == token
    assert found.person == ALICE
    assert found.scopes == {Scope.READ}
    assert found.repositories == (APP,)
    assert found.may_see(RepositoryId(7001))
    assert not found.may_see(RepositoryId(7002))
    assert found.named("Acme/APP") == APP
    assert found.named("acme/other") is None


def test_tokens_have_256_random_bits_in_their_own_form() -> None:
    made = {new_token().reveal() for _ in range(100)}
    assert len(made) == 100
    assert all(len(text) == 46 and text.startswith("oi_") for text in made)
    assert all(digest(text) is not None for text in made)


def test_the_token_itself_is_nowhere_on_the_disk(book: TokenBook, path: Path) -> None:
    _, secret = make(book)
    for file in path.parent.iterdir():
        assert secret.encode() not in file.read_bytes()
        assert secret[3:].encode() not in file.read_bytes()


def test_only_its_owner_may_read_the_file(book: TokenBook, path: Path) -> None:
    make(book)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(mode=0o644)
    path.chmod(0o644)
    TokenBook(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    ["", "oi_", "oi_" + "A" * 42, "oi_" + "A" * 44, "oi_" + "A" * 43, "xx_" + "A" * 43, "é" * 46],
)
def test_what_was_never_made_is_unknown(book: TokenBook, text: str) -> None:
    make(book)
    with pytest.raises(TokenUnknown, match="not an API token of this server"):
        book.find(text, NOON)


def test_one_other_character_makes_another_token(book: TokenBook) -> None:
    _, secret = make(book)
    changed = secret[:-2] + ("A" if secret[-2] != "A" else "B") + secret[-1]
    with pytest.raises(TokenUnknown):
        book.find(changed, NOON)


def test_it_ends_when_it_was_to_end(book: TokenBook) -> None:
    _, secret = make(book, days=1)
    book.find(secret, NOON + timedelta(hours=23, minutes=59))
    with pytest.raises(TokenExpired, match="ended on 2026-11-25 12:00 UTC"):
        book.find(secret, NOON + timedelta(days=1))


def test_revoked_it_is_refused_at_once_by_whoever_has_the_file_open(
    book: TokenBook, path: Path
) -> None:
    token, secret = make(book)
    other = TokenBook(path)
    assert other.find(secret, NOON)
    assert book.revoke("ci", NOON) is not None
    with pytest.raises(TokenRevoked, match="revoked on 2026-11-24 12:00"):
        other.find(secret, NOON)
    other.close()
    assert book.revoke("ci", NOON) is None
    assert book.revoke(token.id, NOON) is None
    assert [t.revoked_at for t in book.all()] == [NOON]


def test_a_name_is_free_again_once_its_token_is_revoked(book: TokenBook) -> None:
    make(book)
    with pytest.raises(NameTaken, match="Revoke it"):
        make(book)
    book.revoke("ci", NOON)
    token, _ = make(book)
    assert book.revoke(token.id, NOON) is not None


def test_the_time_of_last_use_is_noted_once_a_minute(book: TokenBook) -> None:
    _, secret = make(book)
    assert book.all()[0].last_used_at is None
    for seconds in (0, 59, 61):
        book.find(secret, NOON + timedelta(seconds=seconds))
        [token] = book.all()
        assert token.last_used_at == NOON + timedelta(seconds=0 if seconds < 60 else 61)


def test_many_ask_at_the_same_time(book: TokenBook) -> None:
    secrets = [make(book, f"tool-{number}")[1] for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda secret: book.find(secret, NOON).name, secrets * 25))
    assert sorted(set(found)) == sorted(f"tool-{number}" for number in range(8))


def test_a_request_is_remembered_for_thirty_days(book: TokenBook) -> None:
    first = Request(fingerprint=b"f", asked_at=NOON, thread=None, session=None, decision="api-1")
    assert book.request("key", NOON) is None
    book.note_request("key", first)
    assert book.request("key", NOON) == first
    book.note_request("key", Request(**{**_fields(first), "thread": 41, "session": "7001-41"}))
    known = book.request("key", NOON + REQUESTS_KEPT)
    assert known is not None
    assert (known.thread, known.session) == (41, "7001-41")
    assert book.request("key", NOON + REQUESTS_KEPT + timedelta(seconds=1)) is None


def _fields(request: Request) -> dict[str, object]:
    return {name: getattr(request, name) for name in Request.__dataclass_fields__}


def test_a_file_of_somebody_else_is_refused(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (a)")
    db.commit()
    db.close()
    with pytest.raises(TokensUnavailable, match="does not hold tokens"):
        TokenBook(path)


def test_a_newer_file_and_one_that_is_no_database_are_refused(path: Path) -> None:
    TokenBook(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(TokensUnavailable, match="newer program"):
        TokenBook(path)
    path.write_bytes(b"this is no database at all, however long it may be " * 20)
    with pytest.raises(TokensUnavailable):
        TokenBook(path)
    with pytest.raises(TokensUnavailable):
        TokenBook(path.parent / "missing" / "tokens.sqlite3")
