"""One repository as the target of calls: the right token for each, under its present name.

A repository is its number. Its name changes, and an old name can be taken by a stranger, whose
public files would then be read in its place. So names are asked for by number and believed for
five minutes, and a redirect or a 404 ends that belief at once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from orchestrator.ports import Clock

from .calls import Caller, Json, Method, Query, Read
from .errors import BadAnswer, NotFound
from .grants import METADATA, Grant
from .parse import read_repository
from .values import RepositoryInfo

T = TypeVar("T")
NAME_BELIEVED = timedelta(minutes=5)
NAME_DOUBTED = timedelta(seconds=10)
NEW_FOR = timedelta(seconds=60)
BY_ID = "/repositories/{id}"
"""Where GitHub itself redirects to after a rename. Not in the reference, but in its answers."""


@dataclass(slots=True, kw_only=True)
class Known:
    """What this process has learned of a repository; shared by all who talk to it."""

    full_name: str
    named_at: datetime | None = None
    naming: asyncio.Lock = field(default_factory=asyncio.Lock)
    created: dict[str, datetime] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    objects: OrderedDict[str, object] = field(default_factory=OrderedDict)
    """Parsed git objects by their full id, which says what is in them for ever."""


class Place:
    """Calls to one repository. The parts of the API are written on top of this."""

    def __init__(
        self,
        *,
        repository: int,
        known: Known,
        caller: Callable[[Grant, Callable[[], None]], Caller],
        clock: Clock,
    ) -> None:
        self.id = repository
        self._known = known
        self._caller = caller
        self._clock = clock

    @property
    def full_name(self) -> str:
        """The newest name known; for people to read."""
        return self._known.full_name

    async def info(self) -> RepositoryInfo:
        """Asked for by number, so it is right after a rename or a transfer too."""
        return await self._ask_info(METADATA)

    async def _ask_info(self, grant: Grant) -> RepositoryInfo:
        """Any token will do, since all of them read metadata: so the one at hand is used."""
        info = await self._as(grant).get(BY_ID, read_repository, values={"id": self.id})
        if info.id != self.id:
            raise BadAnswer(call=f"GET {BY_ID}", reason="it is about another repository")
        self._known.full_name = info.full_name
        self._known.named_at = self._clock.now()
        return info

    async def _get(
        self,
        grant: Grant,
        path: str,
        read: Read[T],
        *,
        query: Query | None = None,
        new: bool = False,
        **values: str | int,
    ) -> T:
        async def ask(name: Mapping[str, str]) -> T:
            template = "/repos/{owner}/{repo}" + path
            filled = {**name, **values}
            return await self._as(grant).get(template, read, query=query, new=new, values=filled)

        return await self._named(grant, ask)

    async def _pages(
        self,
        grant: Grant,
        path: str,
        read: Read[T],
        *,
        query: Query | None = None,
        items: str | None = None,
        **values: str | int,
    ) -> list[T]:
        async def ask(name: Mapping[str, str]) -> list[T]:
            template = "/repos/{owner}/{repo}" + path
            return await self._as(grant).pages(
                template, read, query=query, items=items, values={**name, **values}
            )

        return await self._named(grant, ask)

    async def _page(
        self,
        grant: Grant,
        path: str,
        read: Read[T],
        *,
        page: int,
        per_page: int,
        query: Query | None = None,
        items: str | None = None,
        **values: str | int,
    ) -> tuple[list[T], bool]:
        """One page, and whether there is another one."""
        asked = {**(query or {}), "per_page": per_page, "page": page}

        async def ask(name: Mapping[str, str]) -> tuple[list[T], str | None]:
            template = "/repos/{owner}/{repo}" + path
            return await self._as(grant).page(
                template, read, query=asked, items=items, values={**name, **values}
            )

        found, following = await self._named(grant, ask)
        return found, following is not None

    async def _download(self, grant: Grant, path: str, **values: str | int) -> bytes:
        async def ask(name: Mapping[str, str]) -> bytes:
            template = "/repos/{owner}/{repo}" + path
            return await self._as(grant).download(template, values={**name, **values})

        return await self._named(grant, ask)

    async def _write(
        self,
        grant: Grant,
        method: Method,
        path: str,
        read: Read[T],
        *,
        body: Json | None = None,
        repeatable: bool = False,
        creates: bool = False,
        new: bool = False,
        **values: str | int,
    ) -> T:
        async def ask(name: Mapping[str, str]) -> T:
            return await self._as(grant).write(
                method,
                "/repos/{owner}/{repo}" + path,
                read,
                body=body,
                repeatable=repeatable,
                creates=creates,
                new=new,
                values={**name, **values},
            )

        return await self._named(grant, ask)

    async def _named(self, grant: Grant, ask: Callable[[Mapping[str, str]], Awaitable[T]]) -> T:
        """With the present name; after a 404, once more if that was not it."""
        name = await self._name(grant)
        try:
            return await ask(_parts(name))
        except NotFound:
            named_at = self._known.named_at
            if named_at is not None and self._clock.now() - named_at < NAME_DOUBTED:
                raise
            if (await self._ask_info(grant)).full_name == name:
                raise
        return await ask(_parts(self._known.full_name))

    async def _name(self, grant: Grant) -> str:
        async with self._known.naming:
            named_at = self._known.named_at
            if named_at is None or self._clock.now() - named_at >= NAME_BELIEVED:
                await self._ask_info(grant)
            return self._known.full_name

    def _as(self, grant: Grant) -> Caller:
        return self._caller(grant, self._doubt_name)

    def _doubt_name(self) -> None:
        self._known.named_at = None

    def _is_new(self, what: str) -> bool:
        """Made by us in the last minute: GitHub's replicas may not have it yet."""
        at = self._known.created.get(what)
        return at is not None and self._clock.now() - at < NEW_FOR

    def _made(self, what: str) -> None:
        now = self._clock.now()
        for old in [key for key, at in self._known.created.items() if now - at >= NEW_FOR]:
            del self._known.created[old]
        self._known.created[what] = now


def _parts(full_name: str) -> dict[str, str]:
    owner, _, repo = full_name.partition("/")
    return {"owner": owner, "repo": repo}
