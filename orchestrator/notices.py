"""Short answers outside any session, posted once: found again by their marker and our App's id."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator import messages
from orchestrator.github.errors import UncertainOutcome
from orchestrator.github.repository import Repository
from orchestrator.outgoing import Outgoing
from orchestrator.secret import Secret
from orchestrator.session.values import Source, SourceKind


class Notices:
    def __init__(self, *, marker_key: Secret, outgoing: Outgoing, bot_user_id: int) -> None:
        self._bot = bot_user_id
        self._key = marker_key
        self._outgoing = outgoing
        self._said: set[tuple[int, str]] = set()

    async def say(
        self, repository: Repository, source: Source, key: str, write: Callable[[str], str]
    ) -> None:
        """Answer where the source stands. The same `key` in a repository is said once.

        `write` makes the body from its marker, which is to be the last line.
        """
        if (repository.id, key) in self._said:
            return
        marker = messages.marker(f"{repository.id}", key, self._key.reveal().encode())
        text, _, last = write(marker).rpartition("\n")
        body = f"{self._outgoing.clean(text)}\n{last}"
        if not await self._there(repository, source, marker):
            try:
                await self._post(repository, source, body)
            except UncertainOutcome:
                if not await self._there(repository, source, marker):
                    raise
        self._said.add((repository.id, key))

    async def _there(self, repository: Repository, source: Source, marker: str) -> bool:
        if source.kind is SourceKind.REVIEW_COMMENT:
            comments = await repository.review_comments(source.thread)
            return any(c.author.id == self._bot and marker in c.body for c in comments)
        return bool(
            await repository.find_own_comments(source.thread, containing=marker, since=None)
        )

    @staticmethod
    async def _post(repository: Repository, source: Source, body: str) -> None:
        if source.kind is SourceKind.REVIEW_COMMENT:
            top = source.in_reply_to or source.id
            await repository.reply_to_review_comment(source.thread, top, body)
        else:
            await repository.create_comment(source.thread, body)
