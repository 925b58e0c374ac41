"""Who of some people may write here, to mark what they wrote."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta

from orchestrator.github.errors import GitHubError
from orchestrator.github.repository import Repository
from orchestrator.github.values import GHOST, Person
from orchestrator.ports import Clock

MOST_ASKED = 10
"""People of one answer; the others count as people who may not write."""
YES_FOR = timedelta(seconds=60)
NO_FOR = timedelta(minutes=5)
"""A no that is out of date marks too little as trusted, which does no harm."""
_KEPT = 10_000


class Writers:
    """Asks GitHub and fails closed; a login that changed hands does not answer for the id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[int, int], tuple[bool, datetime]] = OrderedDict()

    async def among(self, repository: Repository, people: Iterable[Person]) -> set[int]:
        """Ids of those who may write."""
        everyone = {p.id: p for p in people if p.id != GHOST.id and p.type == "User"}
        unknown = [p for p in everyone.values() if self._recall(repository.id, p.id) is None]
        await asyncio.gather(*(self._ask(repository, p) for p in unknown[:MOST_ASKED]))
        return {id for id in everyone if self._recall(repository.id, id)}

    def _recall(self, repository: int, person: int) -> bool | None:
        may, until = self._known.get((repository, person), (None, self._clock.now()))
        return may if self._clock.now() < until else None

    async def _ask(self, repository: Repository, person: Person) -> None:
        try:
            answer = await repository.permission(person.login)
        except GitHubError:
            may = False
        else:
            may = answer.can_push and answer.user_id == person.id
        until = self._clock.now() + (YES_FOR if may else NO_FOR)
        self._known[repository.id, person.id] = (may, until)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
