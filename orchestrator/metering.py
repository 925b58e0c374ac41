"""The gateway's meter on a session's own events: what a call may cost is set aside first."""

from __future__ import annotations

from orchestrator.engine import Engine
from orchestrator.ports import Clock
from orchestrator.session import SessionId
from orchestrator.session.commands import ReserveModelCall, SettleModelCall
from orchestrator.session.values import Usage


class SessionMeter:
    """Calls count towards the turn that runs when they are made; between turns there are none."""

    def __init__(self, engine: Engine, session: SessionId, clock: Clock) -> None:
        self._engine = engine
        self._session = session
        self._clock = clock

    async def reserve(self, call: str, microdollars: int) -> bool:
        """False where the call could pass the budget, or no turn runs: it must not be made."""
        state = await self._engine.get(self._session)
        turn = state.turn
        if turn is None:
            return False
        told = await self._engine.tell(
            self._session,
            ReserveModelCall(
                at=self._clock.now(), turn=turn.number, call=call, microdollars=microdollars
            ),
        )
        return any(call in t.reserved for t in told.session.turns[-1:])

    async def settle(self, call: str, usage: Usage) -> None:
        await self._engine.tell(
            self._session,
            SettleModelCall(at=self._clock.now(), turn=0, call=call, usage=usage),
        )
