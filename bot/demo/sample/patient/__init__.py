"""Retry with backoff and a deadline that holds."""

from .backoff import Backoff, Constant, Exponential, Jittered
from .clock import Clock, ManualClock, SystemClock
from .deadline import Deadline
from .errors import GaveUp
from .retry import retry, retrying

__all__ = [
    "Backoff",
    "Clock",
    "Constant",
    "Deadline",
    "Exponential",
    "GaveUp",
    "Jittered",
    "ManualClock",
    "SystemClock",
    "retry",
    "retrying",
]
