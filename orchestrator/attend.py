"""Listen to one live sandbox: attach, boot it, write down what it says, and only then let it
forget. A lost wire is taken up again from the last report that is safe with us."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import chain, repeat

import structlog

from orchestrator.digest import Heard, digest
from orchestrator.engine import Engine
from orchestrator.ports import Clock
from orchestrator.session import Session, SessionId
from orchestrator.session.commands import Command, NoteLost, Receive
from orchestrator.stores.groupwriter import JournalUnavailable
from sandbox.commands import Boot
from sandbox.provider import Link, Provider, SandboxError, SandboxGone, StreamHandler
from sandbox.reports import Numbered
from sandbox.spec import SandboxId

log = structlog.get_logger()

REATTACH_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0)
HELD_SECONDS = 30.0
"""A wire that held so long was a good one: the next loss is the first of its kind."""
JOURNAL_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Waits while the journal cannot be written; that says nothing against the sandbox."""
MOST_AT_ONCE = 500
"""Reports that are written down as one event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootPlan:
    """How to boot a sandbox that waits for it; `send_repository` carries the pack in, where the
    provider could not put a checkout in place."""

    boot: Boot
    send_repository: Callable[[Link], Awaitable[None]] | None


class Attendant:
    """One task per live sandbox. `link()` waits until the sandbox can be spoken to."""

    def __init__(
        self,
        *,
        session: SessionId,
        launch: int,
        sandbox: SandboxId,
        engine: Engine,
        provider: Provider,
        clock: Clock,
        handlers: Mapping[str, StreamHandler],
        boot_plan: Callable[[Session], Awaitable[BootPlan]],
        clean: Callable[[str], str],
    ) -> None:
        self.launch = launch
        self._session = session
        self._sandbox = sandbox
        self._engine = engine
        self._provider = provider
        self._clock = clock
        self._handlers = handlers
        self._boot_plan = boot_plan
        self._clean = clean
        self._link: Link | None = None
        self._attached = asyncio.Event()
        self._tries = 0
        self.task = asyncio.create_task(self._run(), name=f"attend {sandbox}")

    async def link(self) -> Link:
        """Raises `SandboxGone` where the sandbox is lost while we wait."""
        waiter = asyncio.create_task(self._attached.wait())
        try:
            await asyncio.wait({waiter, self.task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        if self._link is None:
            raise SandboxGone("the sandbox is gone")
        return self._link

    async def close(self) -> None:
        """Let go of the wire; the sandbox goes on."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        if self._link is not None:
            await self._link.close()

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except JournalUnavailable as error:
                self._let_go()
                log.warning("attendant_waits", session=self._session, reason=str(error))
                await self._clock.sleep(JOURNAL_SECONDS[-1])
                continue
            except SandboxGone as gone:
                self._let_go()
                if not await self._still_there():
                    await self._lost("it is not running any more. What was not pushed is gone")
                    return
                if self._tries >= len(REATTACH_SECONDS):
                    await self._lost(f"nobody answers in it: {gone}")
                    return
            except SandboxError as error:
                self._let_go()
                if self._tries >= len(REATTACH_SECONDS):
                    await self._lost(str(error))
                    return
            except Exception:  # an edge: logged whole, tried again, then said
                log.exception("attendant_broke", session=self._session, sandbox=self._sandbox)
                self._let_go()
                if self._tries >= len(REATTACH_SECONDS):
                    await self._lost("something broke on our side; the log has it")
                    return
            tries = self._tries
            log.info("reattach", session=self._session, sandbox=self._sandbox, tries=tries)
            await self._clock.sleep(REATTACH_SECONDS[min(tries, len(REATTACH_SECONDS) - 1)])
            self._tries += 1

    async def _listen(self) -> None:
        state = await self._engine.get(self._session)
        box = state.sandbox
        after = box.upto if box is not None and box.launch == self.launch else 0
        link = await self._provider.attach(
            self._sandbox,
            epoch=int(self._clock.now().timestamp() * 1000),
            after=after,
            handlers=self._handlers,
        )
        self._link = link
        try:
            if link.hello.phase == "waiting":
                await self._boot(link, state)
            self._attached.set()
            since = self._clock.now()
            try:
                await self._pump(link)
            finally:
                if (self._clock.now() - since).total_seconds() >= HELD_SECONDS:
                    self._tries = 0
        finally:
            await link.close()

    async def _boot(self, link: Link, state: Session) -> None:
        plan = await self._boot_plan(state)
        await link.send(plan.boot)
        if plan.send_repository is not None:
            await plan.send_repository(link)

    async def _pump(self, link: Link) -> None:
        """Reports that came while the last ones were being written down go together."""
        queue: asyncio.Queue[Numbered | BaseException] = asyncio.Queue(maxsize=MOST_AT_ONCE)
        reader = asyncio.create_task(_read(link, queue))
        try:
            while True:
                first = await queue.get()
                run: list[Numbered] = []
                while not isinstance(first, BaseException):
                    run.append(first)
                    if queue.empty() or len(run) >= MOST_AT_ONCE:
                        break
                    first = queue.get_nowait()
                if run:
                    await self._write_down(run)
                    await link.acknowledge(run[-1].seq)
                    self._tries = 0
                if isinstance(first, BaseException):
                    raise first
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _write_down(self, run: list[Numbered]) -> None:
        def heard_in(state: Session) -> Receive:
            turn = state.turn
            heard = (
                Heard(turn=None)
                if turn is None
                else Heard(turn=turn.number, message=turn.said_message, said=turn.said)
            )
            return digest(self.launch, run, heard, self._clock.now(), self._clean)

        await self._tell(heard_in)

    async def _tell(self, command: Callable[[Session], Command]) -> None:
        """Returns once it is written down, however long the journal takes nothing."""
        for wait in chain(JOURNAL_SECONDS, repeat(JOURNAL_SECONDS[-1])):
            try:
                state = await self._engine.get(self._session)
                await self._engine.tell(self._session, command(state))
            except JournalUnavailable as error:
                log.warning("attendant_waits", session=self._session, reason=str(error))
                await self._clock.sleep(wait)
            else:
                return

    async def _still_there(self) -> bool:
        live = await self._provider.list({"session": self._session})
        return any(info.id == self._sandbox for info in live)

    async def _lost(self, reason: str) -> None:
        said = f"The sandbox was lost: {self._clean(reason)[:500]}"
        await self._tell(
            lambda state: NoteLost(at=self._clock.now(), launch=self.launch, reason=said)
        )

    def _let_go(self) -> None:
        self._attached.clear()
        self._link = None


async def _read(link: Link, queue: asyncio.Queue[Numbered | BaseException]) -> None:
    try:
        async for numbered in link.reports():
            await queue.put(numbered)
    except SandboxError as error:
        await queue.put(error)
    else:
        await queue.put(SandboxGone("the wire was closed"))
