"""How often a token may ask: so many times in any minute."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

PER_MINUTE = 60
_MINUTE = timedelta(minutes=1)


class Rate:
    """Remembers one minute; a token that rests is forgotten."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self._most = per_minute
        self._asked: dict[str, deque[datetime]] = {}

    def wait(self, token: str, now: datetime) -> float:
        """Seconds until this token may ask again; 0 counts as asked now."""
        self._forget(now)
        asked = self._asked.setdefault(token, deque())
        if len(asked) >= self._most:
            return max(0.001, (asked[0] + _MINUTE - now).total_seconds())
        asked.append(now)
        return 0.0

    def _forget(self, now: datetime) -> None:
        for token, asked in list(self._asked.items()):
            while asked and asked[0] + _MINUTE <= now:
                asked.popleft()
            if not asked:
                del self._asked[token]
