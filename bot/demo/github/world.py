"""The simulated world: every account, repository, App and token, and who waits for a change."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from .accounts import App, Person
from .faults import Faults
from .model import Actor, Installation, LedgerEntry, LedgerVerb, Repo, Token

# Ids of different kinds start far apart, so that mixing them up cannot pass by luck.
FIRST_ID = {
    "person": 1_000,
    "repository": 20_000,
    "app": 300,
    "installation": 40_000,
    "hook": 500,
    "issue": 1_000_000,
    "pull": 2_000_000,
    "comment": 3_000_000,
    "review_comment": 4_000_000,
    "review": 5_000_000,
    "thread": 6_000_000,
    "reaction": 7_000_000,
    "label": 8_000_000,
    "check_run": 9_000_000,
    "check_suite": 10_000_000,
    "delivery": 12_000_000_000,
}


class World:
    """Plain state. `touch()` after every change wakes whoever waits for one."""

    def __init__(self, root: Path, clock: Callable[[], datetime]) -> None:
        self.root = root
        self.clock = clock
        self.url = ""
        self.version = 0
        self.people: dict[str, Person] = {}
        self.repositories: dict[str, Repo] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, Token] = {}
        self.teams: dict[tuple[str, str, int], Literal["active", "pending"]] = {}
        """Organization, team's slug and person's number to what the membership is."""
        self.ledger: list[LedgerEntry] = []
        self.unhandled: list[str] = []
        self.faults = Faults(self.now)
        self._ids: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        return self.clock().astimezone(UTC)

    def next_id(self, kind: str) -> int:
        self._ids[kind] += 1
        return FIRST_ID[kind] + self._ids[kind]

    def touch(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, since: int) -> None:
        """Returns as soon as `version` is past `since`."""
        while self.version <= since:
            await self._changed.wait()

    # -- finding things

    def person(self, login: str) -> Person | None:
        return self.people.get(login.lower())

    def person_by_id(self, number: int) -> Person | None:
        return next((p for p in self.people.values() if p.id == number), None)

    def person_by_email(self, email: str) -> Person | None:
        """The account GitHub shows for a commit's author."""
        number, plus, _ = email.partition("+")
        if plus and number.isdigit() and email.endswith("@users.noreply.github.com"):
            return self.person_by_id(int(number))
        return None

    def repository(self, full_name: str) -> Repo | None:
        return self.repositories.get(full_name.lower())

    def repository_by_id(self, number: int) -> Repo | None:
        return next((r for r in self.repositories.values() if r.id == number), None)

    def installation_for(self, app: App, repo: Repo) -> Installation | None:
        """The App's installation that covers this repository."""
        for found in self.installations.values():
            if found.app is app and repo in found.repositories:
                return found
        return None

    def app_by_bot(self, person: Person) -> App | None:
        return next((a for a in self.apps.values() if a.bot is person), None)

    # -- writing down

    def record(
        self,
        actor: Actor,
        action: LedgerVerb,
        kind: str,
        repo: Repo,
        number: int | None,
        object_id: int | str,
        body: str = "",
    ) -> None:
        """One line in the ledger: this happened, now, by this hand."""
        entry = LedgerEntry(
            at=self.now(),
            actor=actor.user.login,
            app=None if actor.app is None else actor.app.slug,
            action=action,
            kind=kind,
            repository=repo.full_name,
            number=number,
            object_id=object_id,
            body=body,
        )
        self.ledger.append(entry)
        self.touch()


def stamp(when: datetime | None) -> str | None:
    """GitHub's timestamps have whole seconds and end in Z."""
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
