"""API tokens: who one stands for, what it is good for, and why it is not taken."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from orchestrator.secret import Secret
from orchestrator.session.values import Person, RepositoryId

DEFAULT_LIFE: Final = timedelta(days=30)
LONGEST_LIFE: Final = timedelta(days=365)
_FORM = re.compile(r"oi_[A-Za-z0-9_-]{43}")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


class Scope(StrEnum):
    WRITE = "sessions:write"
    """Start sessions and send prompts."""
    READ = "sessions:read"
    """See the state of sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRepository:
    """The number counts; the name is what it was called when the token was made."""

    id: RepositoryId
    full_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What is kept of a token; the token itself is not. `person` is who it acts for, bound by the
    numeric id: an account that takes the login later is somebody else."""

    id: str
    name: str
    person: Person
    scopes: frozenset[Scope]
    repositories: tuple[TokenRepository, ...] | None
    """None means every repository that the App sees and the person may write to."""
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def may_see(self, repository: RepositoryId) -> bool:
        return self.repositories is None or any(r.id == repository for r in self.repositories)

    def named(self, full_name: str) -> TokenRepository | None:
        wanted = full_name.lower()
        listed = self.repositories or ()
        return next((r for r in listed if r.full_name.lower() == wanted), None)


class TokenRefused(Exception):
    """This token is not taken."""

    def __init__(self, **facts: object) -> None:
        super().__init__((type(self).__doc__ or "").format(**facts).strip())


class TokenUnknown(TokenRefused):
    """This is not an API token of this server. `openinspect tokens create` makes one."""


class TokenExpired(TokenRefused):
    """This API token ended on {expired:%Y-%m-%d %H:%M} UTC. `openinspect tokens create` makes a new one."""  # noqa: E501


class TokenRevoked(TokenRefused):
    """This API token was revoked on {revoked:%Y-%m-%d %H:%M} UTC."""


def new_token() -> Secret:
    """256 random bits, so its plain SHA-256 is as good as a slow hash."""
    return Secret("oi_" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="))


def digest(token: str) -> bytes | None:
    """What is kept and looked up; None for what has not the form of a token."""
    if _FORM.fullmatch(token) is None:
        return None
    return hashlib.sha256(token.encode("ascii")).digest()


def checked(token: ApiToken, now: datetime) -> ApiToken:
    """Raises the `TokenRefused` that says why it is good no more."""
    if token.revoked_at is not None:
        raise TokenRevoked(revoked=token.revoked_at)
    if now >= token.expires_at:
        raise TokenExpired(expired=token.expires_at)
    return token


def scopes_from(words: Iterable[str]) -> frozenset[Scope]:
    return frozenset(Scope(word) for word in words)
