"""Listen to one live sandbox: attach, boot it, write down what it says, and only then let it
forget. A lost wire is taken up again from the last report that is safe with us."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from orchestrator.digest import Heard, digest
from orchestrator.engine import Engine
from orchestrator.ports import Clock
from orchestrator.session import Session, SessionId
from orchestrator.session.commands import NoteLost, Receive
from sandbox.commands import Boot
from sandbox.provider import Link, Provider, SandboxError, SandboxGone, StreamHandler
from sandbox.reports import Numbered
from sandbox.spec import SandboxId

log = structlog.get_logger()

REATTACH_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0)
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
        tries = 0
        while True:
            try:
                await self._listen()
                tries = 0
            except SandboxGone as gone:
                self._let_go()
                if not await self._still_there():
                    await self._lost("it is not running any more. What was not pushed is gone")
                    return
                if tries >= len(REATTACH_SECONDS):
                    await self._lost(f"nobody answers in it: {gone}")
                    return
            except SandboxError as error:
                self._let_go()
                if tries >= len(REATTACH_SECONDS):
                    await self._lost(str(error))
                    return
            except Exception:  # an edge: logged whole, tried again, then said
                log.exception("attendant_broke", session=self._session, sandbox=self._sandbox)
                self._let_go()
                if tries >= len(REATTACH_SECONDS):
                    await self._lost("something broke on our side; the log has it")
                    return
            log.info("reattach", session=self._session, sandbox=self._sandbox, tries=tries)
            await self._clock.sleep(REATTACH_SECONDS[min(tries, len(REATTACH_SECONDS) - 1)])
            tries += 1

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
            await self._pump(link)
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
                if isinstance(first, BaseException):
                    raise first
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _write_down(self, run: list[Numbered]) -> None:
        state = await self._engine.get(self._session)
        turn = state.turn
        heard = (
            Heard(turn=None)
            if turn is None
            else Heard(turn=turn.number, message=turn.said_message, said=turn.said)
        )
        command: Receive = digest(self.launch, run, heard, self._clock.now(), self._clean)
        await self._engine.tell(self._session, command)

    async def _still_there(self) -> bool:
        live = await self._provider.list({"session": self._session})
        return any(info.id == self._sandbox for info in live)

    async def _lost(self, reason: str) -> None:
        await self._engine.tell(
            self._session,
            NoteLost(
                at=self._clock.now(),
                launch=self.launch,
                reason=f"The sandbox was lost: {self._clean(reason)[:500]}",
            ),
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
