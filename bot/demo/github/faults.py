"""What can be made to go wrong, on request: a knob per request or delivery.

A request fault matches `method` and a regular expression searched in the path (without host and
without `/api/v3`; git paths begin with the repository, GraphQL is `/graphql`). It applies to
the next `times` matches, after letting `after` matches through.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

RequestFault = Literal[
    "delay",  # answer `delay` seconds late, the effect happens first
    "before_effect_500",  # `status` (default 500), nothing happened
    "after_effect_500",  # `status` (default 500), but it happened
    "before_effect_drop",  # the connection closes, nothing happened
    "after_effect_drop",  # the connection closes, but it happened
    "primary_limit",  # 403 (or `status`) with x-ratelimit-remaining: 0
    "secondary_limit",  # 403 (or `status`), Retry-After only if `retry_after` is given
    "hidden_in_listings",  # what this call creates is missing from lists for `delay` seconds
    "truncated",  # half the body with the right Content-Length, then the connection closes
    "html",  # `status` (default 200) and a web page instead of JSON
]
DeliveryFault = Literal[
    "lost",  # never arrives, and is listed as failed
    "vanished",  # never arrives, and is listed nowhere
    "doubled",  # arrives twice with the same GUID
    "doubled_new_guid",  # arrives a second time under another GUID
    "reordered",  # arrives after the delivery that follows it
    "delayed",  # arrives `delay` seconds late; others overtake it
]


@dataclass(kw_only=True, slots=True)
class Fault:
    """One knob: give `method` and `path` for requests, or `event` (and `action`) for deliveries."""

    kind: RequestFault | DeliveryFault
    method: str = ".*"
    path: str | None = None
    event: str | None = None
    action: str | None = None
    times: int = 1
    after: int = 0
    delay: float = 0.0
    status: int | None = None
    retry_after: int | None = None
    hits: int = 0

    def _take(self) -> bool:
        if self.after > 0:
            self.after -= 1
            return False
        if self.times <= 0:
            return False
        self.times -= 1
        self.hits += 1
        return True

    def takes_request(self, method: str, path: str) -> bool:
        return (
            self.path is not None
            and re.fullmatch(self.method, method) is not None
            and re.search(self.path, path) is not None
            and self._take()
        )

    def takes_delivery(self, event: str, action: str | None) -> bool:
        return (
            self.path is None
            and (self.event is None or self.event == event)
            and (self.action is None or self.action == action)
            and self._take()
        )


class Faults:
    """The knobs that are set, and how long what is being created now stays out of listings."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._set: list[Fault] = []
        # Requests run side by side; each hides only what itself creates.
        self._hide_for: ContextVar[float] = ContextVar("hide_for", default=0.0)
        self.drop_deliveries = False

    def add(self, fault: Fault) -> None:
        self._set.append(fault)

    def clear(self) -> None:
        self._set.clear()
        self.drop_deliveries = False

    def for_request(self, method: str, path: str) -> list[Fault]:
        return [f for f in self._set if f.takes_request(method, path)]

    def for_delivery(self, event: str, action: str | None) -> list[Fault]:
        return [f for f in self._set if f.takes_delivery(event, action)]

    def hide_next(self, seconds: float) -> None:
        self._hide_for.set(seconds)

    def visible_from(self) -> datetime:
        return self._now() + timedelta(seconds=self._hide_for.get())
