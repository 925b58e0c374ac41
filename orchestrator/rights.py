"""Whether whoever asked may still do what is about to be done in their name."""

from __future__ import annotations

from orchestrator.github.repository import Repository
from orchestrator.session.values import Prompt


async def lost_rights(repository: Repository, prompt: Prompt) -> str | None:
    """A sentence where the author may not push here (any more); None where they may.

    Asked of GitHub at every push and pull request, and compared by number, since a login can
    change hands. Raises `GitHubError` where GitHub cannot be asked: then nothing is done. An App
    asks by the repository's configuration and not by a permission of its own.
    """
    if prompt.app is not None:
        return None
    author = prompt.author
    answer = await repository.permission(author.login)
    if answer.can_push and answer.user_id == author.id:
        return None
    return (
        f"`{author.login}` has no write access here any more, so nothing was pushed or opened in "
        "that name. Somebody with write access can say `retry`."
    )
