"""The loop itself."""

import functools
from typing import Any, Callable, Optional, Tuple, Type, TypeVar

from .backoff import Backoff, Exponential
from .clock import Clock, SystemClock
from .deadline import Deadline
from .errors import GaveUp

T = TypeVar("T")


def retry(
    call: Callable[[], T],
    *,
    backoff: Backoff = Exponential(),
    attempts: int = 5,
    deadline: Optional[float] = None,
    retry_on: Tuple[Type[Exception], ...] = (Exception,),
    clock: Clock = SystemClock(),
) -> T:
    """The first result of `call`; raises GaveUp after `attempts` failures or at the deadline.

    No attempt starts after `deadline` seconds, and an exception that is not in `retry_on` comes
    through at once.
    """
    if attempts < 1:
        raise ValueError("at least one attempt has to be allowed")
    limit = Deadline(deadline, clock)
    attempt = 0
    while True:
        attempt += 1
        try:
            return call()
        except retry_on as error:
            if attempt == attempts:
                raise GaveUp(attempt, "no attempt is left") from error
            pause = backoff.pause(attempt)
            if limit.passed():
                raise GaveUp(attempt, "the deadline has passed") from error
            clock.sleep(pause)


def retrying(**options: Any) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """`retry` as a decorator, with the same options."""

    def decorate(function: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(function)
        def patient(*args: Any, **kwargs: Any) -> T:
            return retry(lambda: function(*args, **kwargs), **options)

        return patient

    return decorate
