"""Who may do what in a repository."""

from __future__ import annotations

from .errors import NotFound
from .grants import METADATA, READ_MEMBERS
from .parse import read_membership, read_permission, read_person
from .place import Place
from .values import NO_PERMISSION, Permission, Person


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

    async def team_member(self, team: str, login: str) -> bool:
        """Whether somebody is an active member of a team of the organization that owns this
        repository. Raises `PermissionMissing` where the App may not see members."""
        organization = (await self._name(METADATA)).partition("/")[0]
        try:
            return await self._as(READ_MEMBERS).get(
                "/orgs/{org}/teams/{team_slug}/memberships/{username}",
                read_membership,
                values={"org": organization, "team_slug": team, "username": login},
            )
        except NotFound:
            return False

    async def account(self, id: int) -> Person | None:
        """The account with this number, under its present login; None where it is gone."""
        try:
            person = await self._as(METADATA).get(
                "/user/{account_id}", read_person, values={"account_id": id}
            )
        except NotFound:
            return None
        return person if person.id == id else None
