"""GitHub, as one process sees it: the App, its installations and their repositories."""

from __future__ import annotations

import random
from collections.abc import Callable

import aiohttp

from orchestrator.ports import Clock
from orchestrator.secret import Secret

from .answers import RawAnswer
from .app import AppCredentials, AppIdentity
from .calls import Caller, nothing
from .deliveries import Deliveries
from .endpoints import Endpoints
from .errors import (
    AccessError,
    BadCredentials,
    Invalid,
    NotFound,
    NotInstalled,
    PermissionMissing,
    RateLimited,
    WrongApp,
)
from .fields import Fields
from .grants import METADATA, Grant, Scope
from .http import Credentials, Line, Nobody, Observe
from .limits import Limiter, Pace, Rate
from .parse import read_person, read_repository, read_words
from .place import Known
from .repository import Repository
from .tokens import Token, TokenCredentials, Tokens, token_from
from .values import AppInfo, Person, RepositoryInfo

APP = "app"
MINT = "/app/installations/{installation_id}/access_tokens"
OPAQUE = {"x-github-stateless-s2s-token": "disabled"}
"""github.blog/changelog/2026-05-15, "per-request override header"."""


class _Fixed:
    """A token that is shown as it is: to revoke it."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def secret(self) -> Secret:
        return self._secret

    def refused(self, secret: Secret, answer: RawAnswer) -> None:
        return None


class GitHub(Deliveries):
    """One per process. The session is the caller's and stays open; `close` gives tokens back."""

    def __init__(
        self,
        *,
        endpoints: Endpoints,
        identity: AppIdentity,
        session: aiohttp.ClientSession,
        clock: Clock,
        on_secret: Callable[[str], None],
        observe: Observe | None = None,
        pace: Pace | None = None,
        chance: random.Random | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> None:
        self.identity = identity
        self.endpoints = endpoints
        self._clock = clock
        self._pace = pace
        self._line = Line(
            session=session,
            endpoints=endpoints,
            clock=clock,
            user_agent=f"openinspect ({identity.slug})",
            observe=observe,
            chance=chance or random.SystemRandom(),
            timeout=timeout,
        )
        self._limiters: dict[int | str, Limiter] = {}
        self._known: dict[tuple[int, int], Known] = {}
        self._bot_user_id: int | None = None
        self._app = AppCredentials(identity, clock=clock, on_secret=on_secret)
        self._tokens = Tokens(
            mint=self._mint, revoke=self._revoke, clock=clock, on_secret=on_secret
        )
        super().__init__(self._calling(self._app, APP))

    async def discover_slug(self) -> str:
        """What the App is called, for a deployment that knows its number and key only."""
        return (await self._as_app.get("/app", self._app_info)).slug

    async def verify_app(self) -> AppInfo:
        """Who GitHub says we are; raises a `SetupError` in words where that is not as configured.

        Also learns the id of the bot account, by which our own comments are known.
        """
        as_app = self._as_app
        info = await as_app.get("/app", self._app_info)
        if info.slug != self.identity.slug or info.id != self.identity.app_id:
            raise WrongApp(
                found=f"{info.slug} ({info.id})",
                configured=f"{self.identity.slug} ({self.identity.app_id})",
            )
        installation = await as_app.get(
            "/app/installations", _usable_installation, query={"per_page": 30}
        )
        try:
            bot = await self._bot_id(self._with_token(installation, None, METADATA))
        except (NotFound, AccessError, BadCredentials, RateLimited):
            bot = None
        return AppInfo(
            id=info.id,
            slug=info.slug,
            name=info.name,
            bot_user_id=bot,
            permissions=info.permissions,
            events=info.events,
        )

    async def installation_of(self, full_name: str) -> int | None:
        """The installation that covers the repository; None where the App is not installed."""
        owner, _, repo = full_name.partition("/")
        try:
            return await self._as_app.get(
                "/repos/{owner}/{repo}/installation",
                lambda data: data["id"].whole(),
                values={"owner": owner, "repo": repo},
            )
        except NotFound:
            return None

    async def repository_named(self, full_name: str) -> tuple[int, RepositoryInfo] | None:
        """The installation and the repository that has this name now; None where the App is not
        installed."""
        installation = await self.installation_of(full_name)
        if installation is None:
            return None
        owner, _, repo = full_name.partition("/")
        try:
            info = await self._with_token(installation, None, METADATA).get(
                "/repos/{owner}/{repo}", read_repository, values={"owner": owner, "repo": repo}
            )
        except NotFound:
            return None
        return installation, info

    async def account(self, login: str) -> Person | None:
        """Who has this login now; None where nobody has."""
        installation = await self._as_app.get(
            "/app/installations", _usable_installation, query={"per_page": 30}
        )
        try:
            return await self._with_token(installation, None, METADATA).get(
                "/users/{username}", read_person, values={"username": login}
            )
        except NotFound:
            return None

    def repository(self, *, installation: int, repository: int, full_name: str) -> Repository:
        """`full_name` is a hint; the number is what counts."""
        known = self._known.setdefault((installation, repository), Known(full_name=full_name))

        def caller(grant: Grant, on_moved: Callable[[], None]) -> Caller:
            return self._with_token(installation, repository, grant, on_moved)

        return Repository(
            installation=installation,
            repository=repository,
            known=known,
            caller=caller,
            clock=self._clock,
            tokens=self._tokens,
            bot_id=self._bot_id,
            app_id=self.identity.app_id,
            server_url=self.endpoints.server_url,
        )

    def rates(self, installation: int) -> dict[str, Rate]:
        """What the last answers said of the installation's hourly rate, per resource."""
        return dict(self._limiter(installation).rates)

    def forget_installation(self, installation: int) -> None:
        """Its tokens are of no use any more: uninstalled, suspended, or rights taken away."""
        self._tokens.forget(installation)
        for key in [key for key in self._known if key[0] == installation]:
            del self._known[key]

    async def close(self) -> None:
        """Gives the live tokens back, as well as it can. The session must still be open."""
        await self._tokens.close()

    async def _bot_id(self, caller: Caller) -> int:
        if self._bot_user_id is None:
            self._bot_user_id = await caller.get(
                "/users/{username}",
                lambda data: data["id"].whole(),
                values={"username": self.identity.bot_login},
            )
        return self._bot_user_id

    async def _mint(self, scope: Scope) -> Token:
        body: dict[str, object] = {"permissions": dict(scope.grant)}
        if scope.repository is not None:
            body["repository_ids"] = [scope.repository]
        try:
            return await self._calling(self._app, APP).write(
                "POST",
                MINT,
                lambda data: token_from(data, scope, f"POST {MINT}"),
                body=body,
                repeatable=True,
                headers=OPAQUE if scope.opaque else None,
                values={"installation_id": scope.installation},
            )
        except NotFound as problem:
            raise NotInstalled(call=problem.call, status=problem.status) from problem
        except Invalid as problem:
            # One status for two things: rights not granted, and a repository not covered.
            if "permission" in problem.said.lower():
                raise PermissionMissing(
                    call=problem.call,
                    status=problem.status,
                    said=problem.said,
                    permissions=", ".join(f"{n}:{level}" for n, level in sorted(scope.grant)),
                ) from problem
            raise NotInstalled(
                call=problem.call, status=problem.status, said=problem.said
            ) from problem

    async def _revoke(self, secret: Secret) -> None:
        await self._calling(_Fixed(secret), APP).write(
            "DELETE", "/installation/token", nothing, repeatable=True
        )

    def _with_token(
        self,
        installation: int | None,
        repository: int | None,
        grant: Grant,
        on_moved: Callable[[], None] | None = None,
    ) -> Caller:
        if installation is None:
            return self._calling(Nobody(), "nobody")
        scope = Scope(installation=installation, repository=repository, grant=grant)
        return self._calling(TokenCredentials(self._tokens, scope), installation, on_moved)

    def _calling(
        self,
        credentials: Credentials,
        owner: int | str,
        on_moved: Callable[[], None] | None = None,
    ) -> Caller:
        return Caller(
            self._line,
            credentials=credentials,
            limiter=self._limiter(owner),
            owner=str(owner),
            on_moved=on_moved,
        )

    def _limiter(self, owner: int | str) -> Limiter:
        if owner not in self._limiters:
            self._limiters[owner] = Limiter(clock=self._clock, pace=self._pace)
        return self._limiters[owner]

    def _app_info(self, data: Fields) -> AppInfo:
        return AppInfo(
            id=data["id"].whole(),
            slug=data["slug"].text(),
            name=data["name"].text(),
            bot_user_id=None,
            permissions=read_words(data["permissions"]),
            events=tuple(event.text() for event in data["events"]),
        )


def _usable_installation(data: Fields) -> int | None:
    return next((item["id"].whole() for item in data if item["suspended_at"].absent), None)
