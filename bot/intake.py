"""Deliveries after the door: forget repeats, decide those of one thread in order, drain at exit.

What was taken is in the journal before GitHub hears 202, so a crash at any point only means that
the delivery is decided at the next start. What cannot be decided now is tried again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from dataclasses import dataclass
from datetime import timedelta

import structlog

from bot.metrics import Metrics
from bot.webhook import IntakeUnavailable, Posted
from orchestrator.asking import Asking, NotYet
from orchestrator.github.errors import GitHubError, RateLimited, SetupError, TryLater
from orchestrator.ports import Clock
from orchestrator.session.values import RepositoryId
from orchestrator.stores.deliveries import Delivery
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.journal import Journal
from orchestrator.stores.record import RecordUnavailable, StateRefused
from orchestrator.triggers import BadPayload

log = structlog.get_logger()

MOST_AT_ONCE = 32
"""Deliveries asked about concurrently; one that waits for GitHub is not among them."""
TRIES = (1.0, 5.0, 30.0, 120.0, 300.0)
"""Waits in seconds while GitHub or the journal cannot be asked; the last one is repeated."""
GIVEN_UP = timedelta(hours=24)
"""So long after it was received, and after every wait above, the failure is the decision."""
EVERY_SECONDS = 60.0
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class _Thread:
    """Deliveries of one thread are decided one after another; of others, side by side."""

    repository: int
    number: int


class Intake:
    def __init__(self, *, journal: Journal, asking: Asking, clock: Clock, metrics: Metrics) -> None:
        self._journal = journal
        self._asking = asking
        self._clock = clock
        self._metrics = metrics
        self._queues: dict[_Thread, deque[Delivery]] = {}
        self._held: set[str] = set()  # queued, or being decided
        self._settled: set[str] = set()  # since the journal was last read
        self._tasks: set[asyncio.Task[None]] = set()
        self._asleep: set[asyncio.Task[object]] = set()
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._closing = False

    async def take(self, posted: Posted) -> bool:
        """Durable when this returns; False for a delivery that is known already.

        Raises `IntakeUnavailable`, having promised nothing.
        """
        if self._closing:
            raise IntakeUnavailable("the server is shutting down")
        try:
            document = json.loads(posted.body)
        except (ValueError, RecursionError):
            document = None
        delivery = delivery_of(posted, document)
        try:
            new = await self._journal.record_delivery(delivery)
        except JournalUnavailable as error:
            raise IntakeUnavailable(str(error)) from error
        self._metrics.delivery(posted.event, "new" if new else "duplicate")
        if new:
            self._enqueue(delivery)
        return new

    async def resume(self) -> int:
        """Take up what the journal has undecided and nobody holds; how many there are."""
        self._settled.clear()
        found, limit = 0, len(self._held) + PAGE
        while True:
            waiting = await self._journal.waiting_deliveries(limit)
            if self._closing:
                return found
            for delivery in waiting:
                if delivery.guid not in self._settled:
                    found += self._enqueue(delivery)
            if len(waiting) < limit:
                return found
            limit *= 2  # it is always read from the oldest on

    async def keep_up(self) -> None:
        """What was left waiting, for whatever reason, waits a minute at most."""
        while True:
            await self._clock.sleep(EVERY_SECONDS)
            try:
                found = await self.resume()
            except JournalUnavailable as error:
                log.warning("waiting_not_looked_for", reason=str(error))
            except Exception:  # an edge: the next look may go well
                log.exception("waiting_not_looked_for")
            else:
                if found:
                    log.warning("deliveries_were_left_waiting", count=found)

    async def drain(self) -> None:
        """Take nothing more; what is being decided is decided, the rest waits in the journal."""
        self._closing = True
        for queue in self._queues.values():
            queue.clear()
        for task in self._asleep:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=20)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until everything taken so far has been decided."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _enqueue(self, delivery: Delivery) -> bool:
        """False where it is held already."""
        if delivery.guid in self._held:
            return False
        self._held.add(delivery.guid)
        key = _thread_of(delivery)
        queue = self._queues.get(key)
        if queue is not None:
            queue.append(delivery)
            return True
        self._queues[key] = deque([delivery])
        task = asyncio.create_task(self._work(key), name=f"decide {key}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _work(self, key: _Thread) -> None:
        queue = self._queues[key]
        try:
            while queue:
                delivery = queue.popleft()
                try:
                    await self._decide(delivery)
                except Exception:  # an edge: it stays in the journal
                    log.exception("delivery_left_waiting", delivery=delivery.guid)
                finally:
                    self._held.discard(delivery.guid)
        finally:
            self._queues.pop(key, None)

    async def _decide(self, delivery: Delivery) -> None:
        bound = log.bind(delivery=delivery.guid, github_event=delivery.event)
        record: dict[str, object] | None = None
        tried = 0
        while True:
            try:
                if record is None:
                    record = await self._outcome(delivery)
                await self._keep(delivery, record)
                break
            except (TryLater, NotYet, RecordUnavailable, JournalUnavailable) as error:
                late = self._clock.now() - delivery.received_at >= GIVEN_UP
                if record is None and (_lasts(error) or (late and tried >= len(TRIES))):
                    record = _failure(delivery, str(error))
                    continue
                seconds = self._wait_for(error, TRIES[min(tried, len(TRIES) - 1)])
                bound.warning("delivery_waits", reason=str(error), seconds=seconds)
            await self._sleep(seconds)
            tried += 1
        self._settled.add(delivery.guid)
        bound.info("decided", outcome=record["outcome"], reason=record["reason"])
        self._metrics.decision(str(record["outcome"]))

    async def _outcome(self, delivery: Delivery) -> dict[str, object]:
        """Raises what may go well later; everything else is a decision."""
        try:
            async with self._slots:
                return await self._ask(delivery)
        except (TryLater, NotYet, RecordUnavailable, JournalUnavailable):
            raise
        except BadPayload as error:
            return _failure(delivery, f"not what GitHub sends: {error}")
        except SetupError as error:
            log.error("app_not_set_up", delivery=delivery.guid, reason=str(error))
            return _failure(delivery, str(error))
        except (GitHubError, StateRefused) as error:
            return _failure(delivery, str(error))
        except Exception:  # an edge: logged whole, and the decision says so
            log.exception("delivery_broke", delivery=delivery.guid)
            return _failure(delivery, "something broke on our side; the log has it")

    async def _keep(self, delivery: Delivery, record: dict[str, object]) -> None:
        await self._journal.decide_delivery(
            delivery.guid,
            json.dumps(record),
            self._clock.now(),
            repository=delivery.repository,
            thread=_thread_of(delivery).number or None,
        )

    async def _sleep(self, seconds: float) -> None:
        if self._closing:
            raise asyncio.CancelledError  # as `drain` does to whoever sleeps already
        task = asyncio.current_task()
        assert task is not None
        self._asleep.add(task)
        try:
            await self._clock.sleep(seconds)
        finally:
            self._asleep.discard(task)

    async def _ask(self, delivery: Delivery) -> dict[str, object]:
        try:
            document = json.loads(delivery.body)
        except (ValueError, RecursionError) as error:
            raise BadPayload(where="the body", problem="is not JSON") from error
        record = await self._asking.decide(delivery.guid, delivery.event, document)
        return record.to_json()

    def _wait_for(self, error: Exception, wait: float) -> float:
        if isinstance(error, RateLimited):
            return max(wait, (error.until - self._clock.now()).total_seconds())
        if isinstance(error, NotYet):
            return max(wait, error.seconds)
        return wait


def _lasts(error: Exception) -> bool:
    """The state branch cannot be read because GitHub does not let us, not just now."""
    cause = error.__cause__ if isinstance(error, RecordUnavailable) else None
    return isinstance(cause, GitHubError) and not isinstance(cause, TryLater)


def _failure(delivery: Delivery, reason: str) -> dict[str, object]:
    """`url` is the text that it is about, so that people find the failure by its address."""
    document = _document(delivery)
    url = _at(_subject(document), "html_url")
    return {
        "v": 1,
        "delivery": delivery.guid,
        "event": delivery.event,
        "repository": _at(document, "repository", "full_name"),
        "url": url if isinstance(url, str) else "",
        "outcome": "failed",
        "reason": reason,
    }


def _document(delivery: Delivery) -> object:
    try:
        return json.loads(delivery.body)
    except (ValueError, RecursionError):
        return None


def _subject(document: object) -> object:
    """What the event is about, as far as it tells."""
    return next(
        (
            found
            for name in ("comment", "review", "issue", "pull_request")
            if isinstance(found := _at(document, name), dict)
        ),
        None,
    )


def _at(document: object, *path: str) -> object:
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def delivery_of(posted: Posted, document: object) -> Delivery:
    """What the journal keeps of a delivery: labels only, the body decides later.

    The semantic key (repository, event, action, object, its version) finds the same event again
    under another delivery id, as when a repository hook and an App hook both send it.
    """
    repository = _number(_at(document, "repository", "id"))
    action = _at(document, "action")
    subject = _subject(document)
    version = _at(subject, "updated_at") or _at(subject, "submitted_at")
    identity = _number(_at(subject, "id"))
    semantic = None
    if repository and identity and isinstance(version, str):
        said = [_at(subject, "title"), _at(subject, "body")]
        said += [_at(document, key) for key in ("label", "assignee", "changes")]
        # Versions are whole seconds: two edits in one second differ in what they say.
        content = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
        semantic = f"{repository}/{posted.event}/{action}/{identity}/{version}/{content}"
    return Delivery(
        guid=posted.guid,
        semantic=semantic,
        event=posted.event,
        installation=_number(_at(document, "installation", "id")),
        repository=RepositoryId(repository) if repository is not None else None,
        received_at=posted.received_at,
        body=posted.body,
    )


def _thread_of(delivery: Delivery) -> _Thread:
    document = _document(delivery)
    number = _number(_at(document, "issue", "number")) or _number(
        _at(document, "pull_request", "number")
    )
    return _Thread(delivery.repository or 0, number or 0)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
