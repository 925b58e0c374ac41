"""Comment edits: newest view wins, fair shares of one rate budget, final edits never wait.

GitHub refuses clients that edit too often, for everyone of the installation. So there is one
budget per installation: the first edit of a comment goes out at once, then whoever's published
view is oldest is next, at most one edit per comment and second, one in flight per comment. A
tenth of the budget is kept for final edits, which are awaited. See docs/operations.md.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from orchestrator.ports import Clock
from orchestrator.session import Session, SessionId

log = structlog.get_logger()

PER_COMMENT = timedelta(seconds=1)
PER_MINUTE = 60
PER_HOUR = 1200
KEPT = timedelta(minutes=5)
"""How long a comment that shows all there is stays in mind, to skip edits that change nothing."""
KEPT_FOR_FINALS = 0.1


class EditRefused(Exception):
    """GitHub wants us to wait: nothing is edited for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"editing is paused for {seconds:g} s")


class EditFailed(Exception):
    """This one edit did not work; `str()` says why."""


Edit = Callable[[Session, str], Awaitable[None]]
Render = Callable[[Session], str]


@dataclass(slots=True)
class _Comment:
    session: Session
    shown_version: int = -1
    shown_hash: bytes = b""
    edited_at: datetime | None = None
    in_flight: bool = False
    waiters: list[asyncio.Future[None]] = field(default_factory=list)


class Publisher:
    """`budget_of` names the budget that a session's edits are taken from."""

    def __init__(
        self, *, render: Render, edit: Edit, budget_of: Callable[[Session], str], clock: Clock
    ) -> None:
        self._render = render
        self._edit = edit
        self._budget_of = budget_of
        self._clock = clock
        self._budgets: dict[str, _Budget] = {}
        self._closed = False

    def show(self, session: Session) -> None:
        """The comment shall show this, when the budget allows; a newer view replaces it."""
        if not self._closed:
            self._budget(session).want(session, None)

    def posted(self, session: Session, body: str) -> None:
        """The comment has just been made and reads like this: an edit now would say no more."""
        comment = self._budget(session).comment(session)
        comment.shown_version = session.version
        comment.shown_hash = hashlib.sha256(body.encode()).digest()
        comment.edited_at = self._clock.now()

    async def show_now(self, session: Session) -> None:
        """The comment shows at least this once we return.

        Raises `EditFailed` where GitHub did not take it; a pause is waited out.
        """
        if self._closed:
            raise EditFailed("the server is shutting down")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._budget(session).want(session, done)
        await done

    async def close(self) -> None:
        """Edit nothing more; an edit that is under way has ended when this returns."""
        self._closed = True
        for budget in self._budgets.values():
            budget.task.cancel()
        await asyncio.gather(*(b.task for b in self._budgets.values()), return_exceptions=True)

    def _budget(self, session: Session) -> _Budget:
        name = self._budget_of(session)
        budget = self._budgets.get(name)
        if budget is None or budget.task.done():
            budget = _Budget(self._render, self._edit, self._clock)
            self._budgets[name] = budget
        return budget


class _Budget:
    def __init__(self, render: Render, edit: Edit, clock: Clock) -> None:
        self._render = render
        self._edit = edit
        self._clock = clock
        self._wake = asyncio.Event()
        self._spent: deque[datetime] = deque()
        self._paused_until: datetime | None = None
        self._edits: set[asyncio.Task[None]] = set()
        self.comments: dict[SessionId, _Comment] = {}
        self.task = asyncio.create_task(self._run(), name="publisher")

    def comment(self, session: Session) -> _Comment:
        """What is known of this session's comment, with the newest view that we were given."""
        comment = self.comments.get(session.id)
        if comment is None:
            comment = self.comments[session.id] = _Comment(session=session)
        elif session.version >= comment.session.version:
            comment.session = session
        return comment

    def want(self, session: Session, waiter: asyncio.Future[None] | None) -> None:
        comment = self.comment(session)
        if waiter is not None:
            comment.waiters.append(waiter)
        self._wake.set()

    async def _run(self) -> None:
        try:
            while True:
                self._wake.clear()
                wait = self._start_what_may_go(self._clock.now())
                await self._sleep(wait)
        finally:
            edits = list(self._edits)
            for task in edits:
                task.cancel()
            await asyncio.gather(*edits, return_exceptions=True)
            for comment in self.comments.values():
                for waiter in comment.waiters:
                    waiter.cancel()

    async def _sleep(self, seconds: float | None) -> None:
        waker = asyncio.create_task(self._wake.wait())
        tasks: list[asyncio.Task[object]] = [waker]
        if seconds is not None:
            tasks.append(asyncio.create_task(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start_what_may_go(self, now: datetime) -> float | None:
        """Start edits that may go now; how long until the next one may, None for never."""
        if self._paused_until is not None and now < self._paused_until:
            return (self._paused_until - now).total_seconds()
        soonest: datetime | None = None
        self._forget_old(now)
        wanting = [c for c in self.comments.values() if self._wants(c) and not c.in_flight]
        wanting.sort(key=_urgency)
        for comment in wanting:
            ready = now if comment.edited_at is None else comment.edited_at + PER_COMMENT
            ready = max(ready, self._budget_free_at(now, final=bool(comment.waiters)))
            if ready <= now:
                self._begin(comment, now)
            elif soonest is None or ready < soonest:
                soonest = ready
        return None if soonest is None else (soonest - now).total_seconds()

    def _forget_old(self, now: datetime) -> None:
        for session, comment in list(self.comments.items()):
            at = comment.edited_at
            idle = not self._wants(comment) and not comment.in_flight
            if idle and at is not None and now >= at + KEPT:
                del self.comments[session]

    @staticmethod
    def _wants(comment: _Comment) -> bool:
        return bool(comment.waiters) or comment.session.version != comment.shown_version

    def _budget_free_at(self, now: datetime, *, final: bool) -> datetime:
        hour = now - timedelta(hours=1)
        while self._spent and self._spent[0] <= hour:
            self._spent.popleft()
        share = 1.0 if final else 1.0 - KEPT_FOR_FINALS
        free = now
        for limit, span in (
            (int(PER_MINUTE * share), timedelta(minutes=1)),
            (int(PER_HOUR * share), timedelta(hours=1)),
        ):
            if len(self._spent) >= limit:
                free = max(free, self._spent[-limit] + span)
        return free

    def _begin(self, comment: _Comment, now: datetime) -> None:
        session, waiters = comment.session, comment.waiters
        body = self._render(session)
        digest = hashlib.sha256(body.encode()).digest()
        comment.shown_version = session.version
        if digest == comment.shown_hash:
            _answer(waiters, None)
            comment.waiters = []
            return
        comment.waiters = []
        comment.in_flight = True
        comment.edited_at = now
        self._spent.append(now)
        task = asyncio.create_task(self._send(comment, session, body, digest, waiters))
        self._edits.add(task)
        task.add_done_callback(self._edits.discard)

    async def _send(
        self,
        comment: _Comment,
        session: Session,
        body: str,
        digest: bytes,
        waiters: list[asyncio.Future[None]],
    ) -> None:
        try:
            await self._edit(session, body)
        except EditRefused as refused:
            until = self._clock.now() + timedelta(seconds=refused.seconds)
            self._paused_until = max(self._paused_until or until, until)
            comment.shown_version = -1
            comment.waiters = [*waiters, *comment.waiters]
            log.warning("edits_paused", session=session.id, seconds=refused.seconds)
        except EditFailed as error:
            log.warning("edit_failed", session=session.id, reason=str(error))
            _answer(waiters, error)
        else:
            comment.shown_hash = digest
            _answer(waiters, None)
        finally:
            comment.in_flight = False
            self._wake.set()


def _urgency(comment: _Comment) -> tuple[bool, bool, float]:
    """Awaited edits first, then comments never edited, then the oldest published view."""
    edited = comment.edited_at
    return (not comment.waiters, edited is not None, edited.timestamp() if edited else 0.0)


def _answer(waiters: list[asyncio.Future[None]], error: Exception | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
