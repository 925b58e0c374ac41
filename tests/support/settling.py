"""A performer that counts, and a sandbox whose agent ends at once, for tests of the settler."""

from __future__ import annotations

import asyncio
from collections import Counter

from support.clock import StillClock

from orchestrator.engine import Engine
from orchestrator.session import Session, SessionId
from orchestrator.session.commands import (
    AddPrompt,
    Finished,
    NoteHanded,
    NoteLaunched,
    NoteReady,
    NoteReleased,
    NoteWork,
    Opening,
    Receive,
)
from orchestrator.session.effects import (
    Effect,
    HandPrompt,
    LaunchSandbox,
    ReleaseSandbox,
    TakeWork,
)
from orchestrator.session.values import (
    Home,
    Person,
    Plan,
    Prompt,
    PromptKey,
    RepositoryId,
    Source,
    SourceKind,
    UserId,
    session_id,
)
from orchestrator.settle import Settler
from orchestrator.stores.memory import MemoryStore

ID = session_id(RepositoryId(7), 41)


class World:
    """A performer that counts, fails on request, and plays a sandbox whose agent ends at once."""

    def __init__(self, store: MemoryStore, clock: StillClock) -> None:
        self.clock = clock
        self.engine = Engine(store)
        self.settler = Settler(self.engine, self, clock)
        self.done: Counter[str] = Counter()
        self.again: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.hold: asyncio.Event | None = None
        self.hold_dismissal: asyncio.Event | None = None

    def attend(self, session: Session) -> None:
        return None

    async def dismiss(self, session: SessionId) -> None:
        if self.hold_dismissal is not None:
            await self.hold_dismissal.wait()

    async def perform(self, session: Session, effect: Effect, *, again: bool) -> str:
        if again:
            self.again.append(effect.key)
        if self.hold is not None and isinstance(effect, LaunchSandbox):
            await self.hold.wait()
        if effect.key in self.failing:
            raise self.failing[effect.key]
        self.done[effect.key] += 1
        now = self.clock.now()
        match effect:
            case LaunchSandbox(launch=launch):
                await self.tell_launched(launch)
            case HandPrompt(turn=turn, launch=launch):
                await self.engine.tell(ID, NoteHanded(at=now, turn=turn, launch=launch))
                box = (await self.engine.get(ID)).sandbox
                assert box is not None
                end = Finished(turn=turn, reason="end_turn", error="", produced=True)
                await self.engine.tell(
                    ID,
                    Receive(
                        at=now, launch=launch, upto=box.upto + 1, turn=turn, said="", finished=end
                    ),
                )
            case TakeWork(turn=turn):
                await self.engine.tell(ID, NoteWork(at=now, turn=turn, work=None))
            case ReleaseSandbox(launch=launch):
                await self.engine.tell(ID, NoteReleased(at=now, launch=launch, snapshot="s"))
            case _:
                pass
        return "ref"

    async def tell_launched(self, launch: int) -> None:
        now = self.clock.now()
        await self.engine.tell(
            ID,
            NoteLaunched(
                at=now,
                launch=launch,
                sandbox=f"sb-{launch}",
                workspace_present=True,
                restored=False,
                base="a" * 40,
                note="",
                seconds=0,
            ),
        )
        await self.engine.tell(
            ID,
            NoteReady(
                at=now, launch=launch, agent="a", agent_session="s", resumed=False, seconds=0
            ),
        )

    async def ask(self, number: int) -> None:
        source = Source(
            kind=SourceKind.ISSUE_COMMENT,
            id=number,
            thread=41,
            updated_at=self.clock.now(),
            sha256="",
            url="",
        )
        prompt = Prompt(
            key=PromptKey(f"comment-{number}"),
            author=Person(id=UserId(1), login="alice"),
            text="fix it",
            source=source,
        )
        opening = Opening(
            repository="acme/app",
            home=Home.ISSUE,
            title="t",
            branch="b",
            public=False,
            plan=Plan(),
        )
        await self.engine.tell(ID, AddPrompt(at=self.clock.now(), prompt=prompt, opening=opening))

    async def state(self) -> Session:
        return await self.engine.get(ID)

    async def at_rest(self) -> bool:
        state = await self.state()
        return state.turn is None and state.ref(f"turn/{len(state.turns)}/label-off") is not None


async def rest(world: World) -> Session:
    async with asyncio.timeout(10):
        while not await world.at_rest():
            await asyncio.sleep(0.001)
    return await world.state()


async def turns_of_the_loop(number: int = 300) -> None:
    for _ in range(number):
        await asyncio.sleep(0)
