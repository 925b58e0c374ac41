"""The effects on sandboxes: launch, hand over the prompt, stop, take the work out, let go."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from orchestrator.access import Access
from orchestrator.agents import Agents, NoAgent
from orchestrator.attend import Attendant, BootPlan
from orchestrator.carrying import Carrying, identity_of
from orchestrator.courier import CourierRefused, Mirrors, send_repository
from orchestrator.engine import Engine
from orchestrator.gateway import Gateway
from orchestrator.github.repository import Repository
from orchestrator.metering import SessionMeter
from orchestrator.ports import Clock
from orchestrator.session import Session, SessionId, pending
from orchestrator.session.commands import (
    NoteHanded,
    NoteLaunched,
    NoteReleased,
    NoteWork,
    NoteWorkRefused,
)
from orchestrator.session.effects import (
    HandPrompt,
    LaunchSandbox,
    ReleaseSandbox,
    StopAgent,
    TakeWork,
)
from orchestrator.session.events import Event, SandboxLost, SandboxReady, SandboxReleased
from orchestrator.session.state import Turn
from orchestrator.session.values import Work, parse_session_id
from orchestrator.settle import EffectDeferred, EffectImpossible
from orchestrator.starting import Closing, Starting
from orchestrator.telling import Telling
from orchestrator.tools import Tools, about_tools
from sandbox.commands import Boot, Prompt, Script, StopTurn
from sandbox.provider import Link, Provider, SandboxGone, SnapshotMissing
from sandbox.spec import Checkout, Resources, SandboxId, SandboxSpec, SnapshotId

log = structlog.get_logger()

SETUP = ".openinspect/setup.sh"
START = ".openinspect/start.sh"


class Working:
    def __init__(
        self,
        *,
        engine: Engine,
        access: Access,
        provider: Provider,
        agents: Agents,
        gateway: Gateway,
        clean: Callable[[str], str],
        mirrors: Mirrors,
        deployment: str,
        app_id: int,
        clock: Clock,
        starts_at_once: int | None = None,
    ) -> None:
        """`starts_at_once` None: one per processor, at least two (docs/performance.md)."""
        self._engine = engine
        self._access = access
        self._provider = provider
        self._agents = agents
        self._gateway = gateway
        self._clean = clean
        self._carrying = Carrying(mirrors)
        self._deployment = deployment
        self._clock = clock
        self._telling = Telling(access, app_id)
        self._tools = Tools(engine=engine, access=access, clean=clean, app_id=app_id, clock=clock)
        self._attendants: dict[SessionId, Attendant] = {}
        self._starting = Starting(starts_at_once or max(2, os.cpu_count() or 1), clock)
        engine.listen(self._told)

    def close(self) -> None:
        """Start nothing more; what waits for its turn to start is done by the next server."""
        self._starting.close()

    def _told(self, s: Session, events: Sequence[Event]) -> None:
        if any(isinstance(e, SandboxReady | SandboxLost | SandboxReleased) for e in events):
            self._starting.leave(s.id)

    def attend(self, s: Session) -> None:
        """Listen to the session's live sandbox; to no other."""
        attendant = self._attendants.get(s.id)
        box = s.sandbox
        if attendant is not None and (box is None or box.launch != attendant.launch):
            attendant.task.cancel()
            del self._attendants[s.id]
            attendant = None
        if box is not None and (attendant is None or attendant.task.done()):
            self._attendants[s.id] = Attendant(
                session=s.id,
                launch=box.launch,
                sandbox=SandboxId(box.id),
                engine=self._engine,
                provider=self._provider,
                clock=self._clock,
                handlers={
                    "http": self._gateway.handler_for(
                        SessionMeter(self._engine, s.id, self._clock)
                    ),
                    "tool": self._tools.handler_for(s.id),
                },
                boot_plan=self._boot_plan,
                clean=self._clean,
            )

    async def dismiss(self, session: SessionId) -> None:
        attendant = self._attendants.pop(session, None)
        if attendant is not None:
            await attendant.close()

    async def launch(self, s: Session, effect: LaunchSandbox) -> str:
        """One of few at a time; it holds its place until its agent is ready."""
        try:
            await self._starting.enter(s.id)
        except Closing:
            raise EffectDeferred("the server is shutting down") from None
        try:
            state = await self._engine.get(s.id)
            if all(owed.key != effect.key for owed in pending(state, self._clock.now())):
                raise EffectDeferred("its turn ended before the sandbox could be started")
            return await self._launch(s, effect)
        except BaseException:
            self._starting.leave(s.id)
            raise

    async def _launch(self, s: Session, effect: LaunchSandbox) -> str:
        assert s.opened is not None
        started = time.monotonic()
        plan = s.opened.plan
        repository = await self._repository(s)
        mirror = self._carrying.mirror(repository.id)
        commit = await self._carrying.start_commit(repository, s)
        try:
            programs = self._agents.programs(plan)
        except NoAgent as error:
            raise EffectImpossible(str(error)) from error
        launched = await self._provider.launch(
            SandboxSpec(
                name=f"{s.id}-{effect.launch}",
                tags={"deployment": self._deployment, "session": s.id},
                checkout=Checkout(mirror=mirror.path, commit=commit),
                snapshot=SnapshotId(effect.snapshot) if effect.snapshot else None,
                resources=Resources(
                    cpu=plan.cpu,
                    memory_mib=plan.memory_mib,
                    lifetime_seconds=plan.lifetime_seconds,
                ),
                programs=programs,
            )
        )
        await self._engine.tell(
            s.id,
            NoteLaunched(
                at=self._clock.now(),
                launch=effect.launch,
                sandbox=launched.id,
                workspace_present=launched.workspace_present,
                restored=launched.restored,
                base=commit,
                note=launched.note,
                seconds=time.monotonic() - started,
            ),
        )
        return launched.id

    async def hand(self, s: Session, effect: HandPrompt) -> str:
        """The prompt is told once per turn number, however often it is sent."""
        turn = _turn(s, effect.turn)
        link = await self._link(s, effect.launch)
        try:
            moved = await self._carrying.bring_what_moved(s, link, await self._repository(s))
        except CourierRefused as refused:
            log.warning("not_brought", session=s.id, reason=str(refused))
            moved = ""
        resumed = turn.number > 1 and _remembers(s, effect.launch)
        text = await self._telling.prompt_text(s, turn, moved=moved, resumed=resumed)
        if not resumed:
            text = f"{text}\n\n{about_tools()}"
        await link.send(
            Prompt(
                turn=turn.number,
                text=text,
                author=identity_of(turn.prompt.author),
                model=turn.prompt.model,
                effort=turn.prompt.effort,
            )
        )
        await self._engine.tell(
            s.id, NoteHanded(at=self._clock.now(), turn=turn.number, launch=effect.launch)
        )
        return ""

    async def stop(self, s: Session, effect: StopAgent) -> str:
        link = await self._link(s, effect.launch)
        await link.send(StopTurn(turn=effect.turn))
        return ""

    async def take(self, s: Session, effect: TakeWork) -> str:
        """Commits out of the sandbox, looked at, and onto the session's branch and no other."""
        turn = _turn(s, effect.turn)
        repository = await self._repository(s)
        try:
            link = await self._link(s, effect.launch)
            work = await self._carrying.take(s, turn, link, repository, effect.commit_message)
        except CourierRefused as refused:
            await self._engine.tell(
                s.id,
                NoteWorkRefused(
                    at=self._clock.now(), turn=turn.number, reason=self._clean(str(refused))
                ),
            )
            return ""
        if work is not None:
            work = self._cleaned(work)
        await self._engine.tell(s.id, NoteWork(at=self._clock.now(), turn=turn.number, work=work))
        return work.head if work is not None else ""

    def _cleaned(self, work: Work) -> Work:
        """Its words are the agent's, and are kept and shown."""
        files = tuple(replace(file, path=self._clean(file.path)) for file in work.files)
        return replace(
            work, subject=self._clean(work.subject), note=self._clean(work.note), files=files
        )

    async def release(self, s: Session, effect: ReleaseSandbox) -> str:
        sandbox = SandboxId(effect.sandbox)
        snapshot: str | None = None
        if effect.keep:
            try:
                snapshot = await self._provider.snapshot(sandbox)
            except (SandboxGone, SnapshotMissing) as error:
                log.warning("snapshot_failed", session=s.id, reason=str(error))
        attendant = self._attendants.get(s.id)
        if attendant is not None and attendant.launch == effect.launch:
            del self._attendants[s.id]
            await attendant.close()
        await self._provider.terminate(sandbox)
        before = s.snapshot
        await self._engine.tell(
            s.id, NoteReleased(at=self._clock.now(), launch=effect.launch, snapshot=snapshot)
        )
        replaced = snapshot is not None and before != snapshot
        if before is not None and (replaced or s.ended):
            await self._provider.delete_snapshot(SnapshotId(before))
        return snapshot or ""

    async def _repository(self, s: Session) -> Repository:
        assert s.opened is not None
        return await self._access.repository(parse_session_id(s.id)[0], s.opened.repository)

    async def _link(self, s: Session, launch: int) -> Link:
        attendant = self._attendants.get(s.id)
        if attendant is None or attendant.launch != launch:
            raise SandboxGone("nobody listens to this sandbox yet")
        return await attendant.link()

    async def _boot_plan(self, s: Session) -> BootPlan:
        assert s.opened is not None
        box = s.sandbox
        if box is None:
            raise SandboxGone("the sandbox was let go")
        plan = s.opened.plan
        boot = Boot(
            mode="snapshot_restore" if box.restored else "fresh",
            branch=s.branch,
            commit=box.base,
            pack_follows=not box.workspace_present,
            setup=Script(path=SETUP, timeout_seconds=plan.setup_seconds),
            start=Script(path=START, timeout_seconds=plan.start_seconds),
            agent=self._agents.program(plan, s.agent_session if box.restored else None),
            tools=self._tools.offers(),
        )
        if box.workspace_present:
            return BootPlan(boot=boot, send_repository=None)
        mirror = self._carrying.mirror(parse_session_id(s.id)[0])

        async def send(link: Link) -> None:
            await send_repository(link, mirror, branch=s.branch, commit=box.base)

        return BootPlan(boot=boot, send_repository=send)


def _turn(s: Session, number: int) -> Turn:
    return next(turn for turn in s.turns if turn.number == number)


def _remembers(s: Session, launch: int) -> bool:
    """Whether the agent in this sandbox is sure to have the session's earlier turns in mind.

    One that failed or was stopped may have been ended, and its successor knows nothing.
    """
    box = s.sandbox
    if box is None or box.launch != launch:
        return False
    handed = [t for t in s.turns if t.handed_at is not None and t.handed_at >= box.launched_at]
    if not handed:
        return box.restored and box.resumed
    end = handed[-1].finished
    return handed[-1].stop is None and end is not None and not end.error
