"""Holding every process of a sandbox still, by control group or else by signals."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

from ..provider import SandboxError
from . import local_limits
from .local_processes import Process, family, process_state
from .local_registry import Record


@contextlib.contextmanager
def frozen(record: Record) -> Iterator[None]:
    try:
        if not local_limits.freeze(record.groups) and not _stop_all(record):
            raise SandboxError(f"sandbox {record.id} could not be frozen")
        yield
    finally:
        thaw(record)


def thaw(record: Record) -> None:
    """Safe to repeat, and where nothing was frozen."""
    local_limits.thaw(record.groups)
    if not record.groups and record.init is not None:
        _signal_all(record.init, signal.SIGCONT)


def _stop_all(record: Record, *, within: float = 5.0) -> bool:
    """Stop every process, again until no new one appears."""
    assert record.init is not None
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        _signal_all(record.init, signal.SIGSTOP)
        if all(process_state(pid) in "TtZX" for pid in family(record.init)):
            return True
        time.sleep(0.001)
    return False


def _signal_all(init: Process, number: signal.Signals) -> None:
    for pid in family(init):
        process = Process.of(pid)
        if process is not None:
            process.signal(number)
