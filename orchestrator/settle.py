"""Do what `pending` says is owed, tell the session what came of it, until nothing is owed.

One keeper task per open session. A restart needs nothing else: keep every open session, and
what a crash left undone is done, because it is still owed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from orchestrator.engine import Engine
from orchestrator.ports import Clock
from orchestrator.session import Session, SessionId, due, is_open, pending
from orchestrator.session.commands import Confirm, Fail, Intend, Tick
from orchestrator.session.effects import Effect
from orchestrator.session.events import Event

log = structlog.get_logger()

BACKOFF_SECONDS = (2.0, 10.0, 60.0, 120.0, 300.0, 300.0, 300.0)
"""Waits between tries of one effect; when they are used up it is given up and said."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds a keeper waits where even what came of an effect could not be written down."""


class EffectDeferred(Exception):
    """It did not work now and may later; `str()` says why, without a credential in it."""

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        self.after = after
        super().__init__(reason)


class EffectImpossible(Exception):
    """It will not work however often it is tried; `str()` is for people."""


class Performer(Protocol):
    """Acts on the world. Every method may be repeated: `again` says that an earlier try may have
    got through, so the world must be looked at first. Returns the reference of what exists now."""

    async def perform(self, session: Session, effect: Effect, *, again: bool) -> str: ...
    def attend(self, session: Session) -> None:
        """Called on every change: see to it that a live sandbox is listened to."""
        ...

    async def dismiss(self, session: SessionId) -> None:
        """The session is at rest, or we shut down: let go of what is held for it in memory."""
        ...


class Settler:
    """Keeps every open session moving."""

    def __init__(self, engine: Engine, performer: Performer, clock: Clock) -> None:
        self._engine = engine
        self._performer = performer
        self._clock = clock
        self._keepers: dict[SessionId, _Keeper] = {}
        self._closing = False
        engine.listen(self._changed)

    def keep(self, session: SessionId) -> None:
        """See to this session until it is at rest."""
        if self._closing:
            return
        keeper = self._keepers.get(session)
        if keeper is None:
            keeper = _Keeper(session, self._engine, self._performer, self._clock)
            self._keepers[session] = keeper
            keeper.task.add_done_callback(lambda task: self._gone(session, task))
        keeper.wake.set()

    def kept(self) -> Sequence[SessionId]:
        return tuple(self._keepers)

    async def close(self) -> None:
        """Stop starting effects, let those under way end for a moment, and let go."""
        self._closing = True
        keepers = list(self._keepers.values())
        for keeper in keepers:
            keeper.stop()
        if keepers:
            await asyncio.wait([keeper.task for keeper in keepers], timeout=20)
        for keeper in keepers:
            keeper.task.cancel()
        await asyncio.gather(*(keeper.task for keeper in keepers), return_exceptions=True)

    def _changed(self, session: Session, events: Sequence[Event]) -> None:
        self.keep(session.id)

    def _gone(self, session: SessionId, task: asyncio.Task[None]) -> None:
        keeper = self._keepers.pop(session, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("keeper_failed", session=session, exc_info=error)
        if keeper is not None and keeper.wake.is_set():
            self.keep(session)  # it changed after the keeper had looked for the last time


class _Keeper:
    def __init__(
        self, session: SessionId, engine: Engine, performer: Performer, clock: Clock
    ) -> None:
        self._session = session
        self._engine = engine
        self._performer = performer
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._broke = False
        self._pauses = 0
        self.wake = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name=f"keep {session}")

    def stop(self) -> None:
        self._stopping.set()
        self.wake.set()

    async def _run(self) -> None:
        try:
            while True:
                if self._broke:
                    await self._pause()
                self.wake.clear()
                state = await self._engine.get(self._session)
                if not self._stopping.is_set():
                    self._performer.attend(state)
                    self._start(state)
                if not self._under_way and (self._stopping.is_set() or not is_open(state)):
                    break
                await self._wait(state)
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)
            await self._performer.dismiss(self._session)

    def _start(self, state: Session) -> None:
        for effect in pending(state, self._clock.now()):
            if effect.key not in self._under_way:
                task = asyncio.create_task(self._do(state, effect), name=effect.key)
                self._under_way[effect.key] = task
                task.add_done_callback(lambda done, key=effect.key: self._done(key, done))  # type: ignore[misc]

    def _done(self, key: str, task: asyncio.Task[None]) -> None:
        self._under_way.pop(key, None)
        self.wake.set()
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._pauses = 0
        else:
            self._broke = True
            log.error("effect_broke", session=self._session, effect=key, exc_info=error)

    async def _pause(self) -> None:
        """Longer every time in a row; cut short only by `stop`."""
        seconds = PAUSES[min(self._pauses, len(PAUSES) - 1)]
        self._pauses += 1
        await _first(self._clock.sleep(seconds), self._stopping.wait())
        self._broke = False

    async def _wait(self, state: Session) -> None:
        when = None if self._stopping.is_set() else due(state)
        if when is None:
            await self.wake.wait()
            return
        seconds = max(0.0, (when - self._clock.now()).total_seconds())
        if not await _first(self._clock.sleep(seconds), self.wake.wait()):
            return
        try:
            told = await self._engine.tell(self._session, Tick(at=self._clock.now()))
        except Exception:  # an edge: logged whole, tried again after a pause
            log.exception("tick_broke", session=self._session)
            self._broke = True
        else:
            if told.events:
                self._pauses = 0

    async def _do(self, state: Session, effect: Effect) -> None:
        before = state.attempts.get(effect.key)
        now = self._clock.now()
        told = await self._engine.tell(self._session, Intend(at=now, key=effect.key))
        if not told.events:
            return  # done by then, or not owed any more
        attempt = told.session.attempts[effect.key]
        try:
            ref = await self._performer.perform(told.session, effect, again=before is not None)
        except EffectImpossible as error:
            await self._failed(effect, str(error), None)
        except EffectDeferred as error:
            await self._failed(effect, str(error), _backoff(attempt.tries, error.after or 0.0))
        except Exception:
            log.exception("effect_broke", session=self._session, effect=effect.key)
            reason = "Something broke on our side; the log has it."
            await self._failed(effect, reason, _backoff(attempt.tries, 0.0))
        else:
            await self._engine.tell(
                self._session, Confirm(at=self._clock.now(), key=effect.key, ref=ref)
            )

    async def _failed(self, effect: Effect, reason: str, wait: float | None) -> None:
        now = self._clock.now()
        log.warning(
            "effect_failed",
            session=self._session,
            effect=effect.key,
            reason=reason,
            retry_seconds=wait,
        )
        retry_at = None if wait is None else now + timedelta(seconds=wait)
        await self._engine.tell(
            self._session, Fail(at=now, key=effect.key, reason=reason, retry_at=retry_at)
        )


async def _first(
    one: Coroutine[object, object, object], other: Coroutine[object, object, object]
) -> bool:
    """Wait until one of them ends, and end the other; whether `one` had ended."""
    tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return tasks[0] in done


def _backoff(tries: int, at_least: float) -> float | None:
    """Seconds until the next try; None when the tries are used up."""
    if tries > len(BACKOFF_SECONDS):
        return None
    return max(BACKOFF_SECONDS[tries - 1], at_least)
