"""Who may do what in a repository."""

from __future__ import annotations

from .errors import NotFound
from .grants import METADATA
from .parse import read_permission
from .place import Place
from .values import NO_PERMISSION, Permission


class People(Place):
    async def permission(self, login: str) -> Permission:
        """Whoever GitHub does not know may do nothing. Every other trouble is raised, and must not
        be taken for a yes."""
        try:
            return await self._get(
                METADATA,
                "/collaborators/{username}/permission",
                read_permission,
                username=login,
            )
        except NotFound:
            return NO_PERMISSION
