"""One repository, with all that this product asks of it and does in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from orchestrator.ports import Clock
from orchestrator.secret import Secret

from .calls import Caller
from .checks import Checks
from .contents import Contents
from .grants import METADATA, PUSH_CODE, PUSH_WORKFLOWS, READ_CODE, Grant, Scope
from .graphql import GraphQL
from .people import People
from .place import Known
from .pulls import Pulls
from .reading import Reading
from .reviews import Reviews
from .threads import Threads
from .tokens import Token, Tokens, basic_credentials
from .values import Comment, GitCredentials


class Repository(Threads, Pulls, Reviews, Reading, Checks, Contents, People, GraphQL):
    """Made by `GitHub.repository`; cheap, and shares everything with others for the same one."""

    def __init__(
        self,
        *,
        installation: int,
        repository: int,
        known: Known,
        caller: Callable[[Grant, Callable[[], None]], Caller],
        clock: Clock,
        tokens: Tokens,
        bot_id: Callable[[Caller], Awaitable[int]],
        app_id: int,
        server_url: str,
    ) -> None:
        super().__init__(repository=repository, known=known, caller=caller, clock=clock)
        self.installation = installation
        self._tokens = tokens
        self._bot_id = bot_id
        self._app_id = app_id
        self._server_url = server_url

    async def find_own_comments(
        self, n: int, *, containing: str, since: datetime | None
    ) -> list[Comment]:
        """Ours only: by our App and by its bot account, since a person can act through an App,
        and anyone can copy a marker. Lowest id first."""
        bot = await self._bot_id(self._as(METADATA))
        ours = [
            comment
            for comment in await self.comments(n, since=since)
            if comment.app_id == self._app_id
            and comment.author.id == bot
            and containing in comment.body
        ]
        return sorted(ours, key=lambda comment: comment.id)

    async def git_credentials(
        self, *, write: bool, workflows: bool = False, opaque: bool = False
    ) -> GitCredentials:
        """For git over HTTPS, to this repository only. `workflows` is needed to push changes of
        `.github/workflows`; `opaque` asks for the older kind of token, should git be refused."""
        grant = (PUSH_WORKFLOWS if workflows else PUSH_CODE) if write else READ_CODE
        scope = Scope(
            installation=self.installation, repository=self.id, grant=grant, opaque=opaque
        )
        name = await self._name(grant)
        token: Token = await self._tokens.token(scope)
        basic = basic_credentials(token.secret).reveal()
        return GitCredentials(
            url=f"{self._server_url}/{name}.git",
            header=Secret(f"Authorization: Basic {basic}"),
            expires_at=token.expires_at,
        )
