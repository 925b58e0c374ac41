"""Open an issue for a request that has none: once, whatever is repeated or lost on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator import messages
from orchestrator.github.errors import UncertainOutcome
from orchestrator.github.repository import Repository
from orchestrator.github.values import Issue
from orchestrator.once import LAG_SECONDS
from orchestrator.secret import Secret
from orchestrator.session.values import Person
from orchestrator.stores.tokenbook import Request, TokenBook

_LAG = timedelta(seconds=LAG_SECONDS)
_LOOKED_BACK = timedelta(minutes=5)
"""Our clock and GitHub's may differ."""


class Filing:
    def __init__(self, *, book: TokenBook, marker_key: Secret, bot_user_id: int) -> None:
        self._book = book
        self._key = marker_key
        self._bot = bot_user_id

    async def issue(
        self, repository: Repository, name: str, title: str, *, by: Person, asked: Request
    ) -> Issue:
        """Noted before it is tried; before a second try the repository is looked through for what
        the first one made, until listings must show it. Raises `GitHubError`."""
        mark = messages.marker(f"{repository.id}", f"api/{name[:32]}", self._key.reveal().encode())
        known = await asyncio.to_thread(self._book.request, name, asked.asked_at)
        since = (known or asked).asked_at - _LOOKED_BACK
        issue = await self._ours(repository, mark, since) if known is not None else None
        if issue is None and known is not None and asked.asked_at - known.asked_at < _LAG:
            raise UncertainOutcome(reason="an earlier try may still come to light")
        if issue is None:
            await asyncio.to_thread(self._book.note_request, name, known or asked)
            body = messages.opened_for(by.login, marker=mark)
            issue = await repository.create_issue(title, body)
        opened = replace(known or asked, thread=issue.number)
        await asyncio.to_thread(self._book.note_request, name, opened)
        return issue

    async def _ours(self, repository: Repository, mark: str, since: datetime) -> Issue | None:
        """Anyone can copy a marker, so the author counts as well."""
        for issue in await repository.issues_since(since):
            if issue.author.id == self._bot and mark in issue.body:
                return issue
        return None
