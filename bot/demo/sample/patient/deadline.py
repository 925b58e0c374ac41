"""A moment after which nothing more may start."""

import math
from typing import Optional

from .clock import Clock


class Deadline:
    """`seconds` from now; None means never."""

    def __init__(self, seconds: Optional[float], clock: Clock) -> None:
        if seconds is not None and seconds < 0:
            raise ValueError("a deadline cannot lie in the past")
        self._clock = clock
        self._at = math.inf if seconds is None else clock.now() + seconds

    def remaining(self) -> float:
        """Seconds left: 0 once it has passed, infinity where there is no deadline."""
        return max(0.0, self._at - self._clock.now())

    def passed(self) -> bool:
        return self._clock.now() >= self._at
