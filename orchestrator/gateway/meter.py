"""What the gateway needs of whoever keeps the budget."""

from __future__ import annotations

from typing import Protocol

from orchestrator.session.values import Usage


class Meter(Protocol):
    """Every call that is granted is settled exactly once, whatever becomes of it."""

    async def reserve(self, call: str, microdollars: int) -> bool:
        """Set the worst case aside before the call; False means it must not be made."""
        ...

    async def settle(self, call: str, usage: Usage) -> None:
        """What the call really cost, in place of the reservation."""
        ...
