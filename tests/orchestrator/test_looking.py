"""What a token may see, where GitHub's answers do not agree with one another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from orchestrator.access import Access
from orchestrator.apitokens import ApiToken, Scope
from orchestrator.engine import Engine
from orchestrator.github.repository import Repository
from orchestrator.github.values import NO_PERMISSION, Permission
from orchestrator.github.values import Person as Account
from orchestrator.looking import Looking
from orchestrator.session.values import Person, UserId
from orchestrator.stores.memory import MemoryStore

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TOKEN = ApiToken(
    id="1",
    name="ci",
    person=Person(id=UserId(9), login="alice"),
    scopes=frozenset(Scope),
    repositories=None,
    created_at=NOON,
    expires_at=NOON + timedelta(days=1),
)


@dataclass
class OneRepository:
    """Answers about people, as GitHub might."""

    account_: Account | None
    permission_: Permission

    async def account(self, id: int) -> Account | None:
        assert id == 9
        return self.account_

    async def permission(self, login: str) -> Permission:
        return self.permission_


def may(role: str, *, id: int | None = 9) -> Permission:
    return Permission(user_id=id, can_push=False, can_maintain=False, can_admin=False, role=role)


ALICE = Account(id=9, login="alice", type="User")


@pytest.mark.parametrize(
    ("account", "permission", "readable"),
    [
        (ALICE, may("read"), True),
        (ALICE, may("a-custom-role"), True),
        (ALICE, may("none"), False),
        (ALICE, may(""), False),
        (ALICE, NO_PERMISSION, False),
        (ALICE, may("admin", id=10), False),
        (ALICE, may("admin", id=None), False),
        (None, may("admin"), False),
        (Account(id=9, login="acme", type="Organization"), may("admin"), False),
        (Account(id=9, login="alice[bot]", type="Bot"), may("admin"), False),
    ],
)
async def test_only_the_person_of_the_number_sees_anything(
    account: Account | None, permission: Permission, readable: bool
) -> None:
    looking = Looking(engine=Engine(MemoryStore()), access=cast(Access, None))
    repository = cast(Repository, OneRepository(account, permission))
    assert await looking.may_read(repository, TOKEN) is readable
