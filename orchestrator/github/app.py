"""The App itself: who it is, and the short-lived proof of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from orchestrator.ports import Clock
from orchestrator.secret import Secret

from .answers import RawAnswer
from .errors import PrivateKeyUnreadable

log = structlog.get_logger(__name__)

BACKDATED = timedelta(seconds=60)
LIFETIME = timedelta(minutes=9)
"""From the backdated start. GitHub takes 10 minutes at most, by its own clock:
docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App"."""
RENEWED_AFTER = timedelta(minutes=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppIdentity:
    """The App as GitHub registered it. Its slug is how people mention it."""

    app_id: int
    client_id: str | None
    private_key: Secret
    slug: str

    @property
    def bot_login(self) -> str:
        return f"{self.slug}[bot]"


class AppCredentials:
    """Signs as the App. Learns how far this machine's clock is off when GitHub refuses one."""

    def __init__(
        self, identity: AppIdentity, *, clock: Clock, on_secret: Callable[[str], None]
    ) -> None:
        self._issuer = identity.client_id or str(identity.app_id)
        self._key = _rsa_key(identity.private_key)
        self._clock = clock
        self._on_secret = on_secret
        self._ahead = timedelta(0)
        self._current: tuple[Secret, datetime] | None = None

    async def secret(self) -> Secret:
        now = self._clock.now()
        if self._current is not None and timedelta(0) <= now - self._current[1] < RENEWED_AFTER:
            return self._current[0]
        signed = self._signed(now + self._ahead - BACKDATED)
        self._current = (signed, now)
        self._on_secret(signed.reveal())
        return signed

    def refused(self, secret: Secret, answer: RawAnswer) -> None:
        """The commonest reason is a clock: GitHub's own time is in the answer."""
        self._current = None
        if answer.date is not None:
            self._ahead = answer.date - self._clock.now()
            if abs(self._ahead) > BACKDATED / 2:
                log.warning("github.clock_differs", seconds=round(self._ahead.total_seconds()))

    def _signed(self, start: datetime) -> Secret:
        claims = {
            "iat": int(start.timestamp()),
            "exp": int((start + LIFETIME).timestamp()),
            "iss": self._issuer,
        }
        return Secret(jwt.encode(claims, self._key, algorithm="RS256"))


def _rsa_key(pem: Secret) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.reveal().encode(), password=None)
    except (ValueError, TypeError):
        key = None
    # Raised out here, so that no traceback shows the frame in which the key was open.
    if not isinstance(key, RSAPrivateKey):
        raise PrivateKeyUnreadable
    return key
