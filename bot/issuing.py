"""Whom a token is made for, and where: asked of GitHub through the App, bound by numbers."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from bot.settings import Settings
from orchestrator.apitokens import TokenRepository
from orchestrator.clock import SystemClock
from orchestrator.github.app import AppIdentity
from orchestrator.github.client import GitHub
from orchestrator.github.endpoints import Endpoints
from orchestrator.github.errors import GitHubError
from orchestrator.outgoing import Outgoing
from orchestrator.session.values import Person, RepositoryId, UserId


class CannotIssue(Exception):
    """There is nobody, or nothing, to bind the token to."""


async def issued(
    settings: Settings, outgoing: Outgoing, login: str, repositories: Sequence[str] | None
) -> tuple[Person, list[TokenRepository] | None]:
    """The account behind `login`, and the repositories by number. Raises `CannotIssue`."""
    async with aiohttp.ClientSession() as http:
        github = GitHub(
            endpoints=Endpoints(
                api_url=settings.api_url,
                graphql_url=settings.graphql_url,
                server_url=settings.server_url,
            ),
            identity=AppIdentity(
                app_id=settings.app_id,
                client_id=settings.client_id,
                private_key=settings.private_key,
                slug="",
            ),
            session=http,
            clock=SystemClock(),
            on_secret=outgoing.learn,
        )
        try:
            person = await _person(github, login)
            if repositories is None:
                return person, None
            return person, [await _repository(github, name) for name in repositories]
        except GitHubError as error:
            raise CannotIssue(str(error)) from error
        finally:
            await github.close()


async def _person(github: GitHub, login: str) -> Person:
    account = await github.account(login.removeprefix("@"))
    if account is None:
        raise CannotIssue(f"GitHub knows no account {login}.")
    if account.type != "User":
        raise CannotIssue(
            f"{account.login} is no person ({account.type}). A token acts for a person, whose "
            "name the commits bear."
        )
    return Person(id=UserId(account.id), login=account.login)


async def _repository(github: GitHub, full_name: str) -> TokenRepository:
    found = await github.repository_named(full_name)
    if found is None:
        raise CannotIssue(f"The App is not installed on {full_name}: install it there first.")
    _, info = found
    return TokenRepository(id=RepositoryId(info.id), full_name=info.full_name)
