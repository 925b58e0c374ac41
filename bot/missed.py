"""Deliveries that never reached us: found in GitHub's own list, read there, and decided.

GitHub does not send again by itself and keeps what it sent for three days (Enterprise Server:
seven). https://docs.github.com/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import structlog

from bot.intake import Intake
from bot.webhook import IntakeUnavailable, Posted
from orchestrator.github.client import GitHub
from orchestrator.github.errors import GitHubError
from orchestrator.github.values import Delivery
from orchestrator.ports import Clock
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.journal import Journal
from orchestrator.triggers import EVENTS

log = structlog.get_logger()

EVERY_SECONDS = 300.0
KEPT = timedelta(days=7)
OVERLAP = timedelta(minutes=10)
"""How far before the newest delivery we know of the list is read: clocks differ, order is not
promised."""


class Missed:
    """One call per 100 deliveries listed, and one per delivery that was missed."""

    def __init__(self, *, github: GitHub, journal: Journal, intake: Intake, clock: Clock) -> None:
        self._github = github
        self._journal = journal
        self._intake = intake
        self._clock = clock
        self._since: datetime | None = None

    async def prepare(self) -> None:
        """Before the door opens: from when on there may be something that never reached us.

        An empty journal knows nothing, so everything that GitHub still has is decided afresh:
        sessions ignore what they were told before.
        """
        newest = await self._journal.newest_delivery()
        self._since = self._clock.now() - KEPT if newest is None else newest - OVERLAP

    async def look(self) -> int:
        """Take in what was missed since the last look that went well, oldest first; how many."""
        if self._since is None:
            await self.prepare()
        assert self._since is not None
        since, began = self._since, self._clock.now()
        missed = await self._list(since)
        for delivery in reversed(missed):
            event = await self._github.delivery(delivery.id)
            if event is None:
                continue
            posted = Posted(
                guid=delivery.guid,
                event=delivery.event,
                body=json.dumps(event.payload).encode(),
                received_at=delivery.delivered_at,
            )
            await self._intake.take(posted)
        if missed:
            log.warning("deliveries_were_missed", count=len(missed), since=since.isoformat())
        self._since = began - OVERLAP
        return len(missed)

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except (GitHubError, JournalUnavailable, IntakeUnavailable) as error:
                log.warning("missed_not_looked_for", reason=str(error))
            except Exception:  # an edge: the next look may go well
                log.exception("missed_not_looked_for")
            await self._clock.sleep(EVERY_SECONDS)

    async def _list(self, since: datetime) -> list[Delivery]:
        """Newest first, each event once, none that we know."""
        found: dict[str, Delivery] = {}
        cursor: str | None = None
        while True:
            page = await self._github.deliveries(cursor=cursor)
            recent = [d for d in page.deliveries if d.delivered_at >= since]
            asking = {d.guid: d for d in recent if d.event in EVENTS}
            known = await self._journal.known_deliveries(list(asking))
            found |= {guid: d for guid, d in asking.items() if guid not in known}
            cursor = page.next_cursor
            if cursor is None or len(recent) < len(page.deliveries):
                return list(found.values())
