"""Installation tokens: one per repository and set of permissions, made when first needed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from orchestrator.ports import Clock
from orchestrator.secret import Secret

from .answers import RawAnswer
from .errors import BadAnswer, GitHubError
from .fields import Fields, WrongShape
from .grants import METADATA, Scope

log = structlog.get_logger(__name__)

RENEWED_BEFORE = timedelta(minutes=5)
CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Opaque: GitHub has two shapes of them, and may have more."""

    secret: Secret
    expires_at: datetime


Mint = Callable[[Scope], Awaitable[Token]]
Revoke = Callable[[Secret], Awaitable[None]]


class Tokens:
    """Hands out tokens. However many ask at once for the same one, GitHub is asked once."""

    def __init__(
        self, *, mint: Mint, revoke: Revoke, clock: Clock, on_secret: Callable[[str], None]
    ) -> None:
        self._mint = mint
        self._revoke = revoke
        self._clock = clock
        self._on_secret = on_secret
        self._held: dict[Scope, Token] = {}
        self._coming: dict[Scope, asyncio.Task[Token]] = {}

    async def token(self, scope: Scope) -> Token:
        held = self._held.get(scope)
        if held is not None and self._clock.now() < held.expires_at - RENEWED_BEFORE:
            return held
        coming = self._coming.get(scope)
        if coming is None:
            coming = asyncio.create_task(self._fetch(scope))
            self._coming[scope] = coming
            coming.add_done_callback(lambda task: self._arrived(scope, task))
        # Shielded: one caller who gives up does not take the token away from the others.
        return await asyncio.shield(coming)

    def refused(self, scope: Scope, secret: Secret) -> None:
        """Drops it, unless it has been replaced already."""
        held = self._held.get(scope)
        if held is not None and held.secret == secret:
            del self._held[scope]

    def forget(self, installation: int) -> None:
        """The App was taken out or suspended there: what is held is of no use any more."""
        for scope in [scope for scope in self._held if scope.installation == installation]:
            del self._held[scope]

    async def close(self) -> None:
        """Tells GitHub that no live token is needed any more; best effort."""
        for task in [*self._coming.values()]:
            task.cancel()
        await asyncio.gather(*self._coming.values(), return_exceptions=True)
        held, self._held = [*self._held.values()], {}
        now = self._clock.now()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*(self._end(one) for one in held if one.expires_at > now))

    async def _fetch(self, scope: Scope) -> Token:
        token = await self._mint(scope)
        for text in (token.secret.reveal(), basic_credentials(token.secret).reveal()):
            self._on_secret(text)
        self._prune()
        self._held[scope] = token
        return token

    def _arrived(self, scope: Scope, task: asyncio.Task[Token]) -> None:
        self._coming.pop(scope, None)
        if not task.cancelled():
            task.exception()  # Every waiter was told; none may be left, and that is no bug.

    def _prune(self) -> None:
        now = self._clock.now()
        for scope in [scope for scope, token in self._held.items() if token.expires_at <= now]:
            del self._held[scope]

    async def _end(self, token: Token) -> None:
        try:
            await self._revoke(token.secret)
        except GitHubError as problem:
            log.info("github.token_not_revoked", reason=problem.code)


class TokenCredentials:
    """What calls with one scope show to GitHub."""

    def __init__(self, tokens: Tokens, scope: Scope) -> None:
        self._tokens = tokens
        self._scope = scope

    async def secret(self) -> Secret:
        return (await self._tokens.token(self._scope)).secret

    def refused(self, secret: Secret, answer: RawAnswer) -> None:
        self._tokens.refused(self._scope, secret)


def token_from(data: Fields, scope: Scope, call: str) -> Token:
    """Refuses a token that can do more than was asked for."""
    secret = Secret(data["token"].text())
    if not secret:
        raise WrongShape("answer.token is empty")
    wanted = dict(scope.grant | METADATA)
    granted = data["permissions"]
    if not granted.absent:
        if not isinstance(granted.value, dict):
            raise WrongShape("answer.permissions should be an object")
        wider = [name for name, level in granted.value.items() if wanted.get(name) != level]
        if wider:
            raise BadAnswer(call=call, reason=f"the token can do more than asked: {sorted(wider)}")
    repositories = data["repositories"]
    if scope.repository is not None and not repositories.absent:
        ids = [item["id"].whole() for item in repositories]
        if ids != [scope.repository]:
            raise BadAnswer(call=call, reason="the token is not for the one repository asked for")
    return Token(secret=secret, expires_at=data["expires_at"].moment())


def basic_credentials(secret: Secret) -> Secret:
    """As git sends them over HTTPS; registered too, since Base64 hides it from a redactor."""
    return Secret(base64.b64encode(f"x-access-token:{secret.reveal()}".encode()).decode())
