"""A hostile agent tries to reach anybody. There is nobody: not the host, not a neighbour."""

from __future__ import annotations

import pytest
from support.attempts_network import ATTEMPTS
from support.cell import Cell, attempt_outside

pytestmark = [pytest.mark.sandboxed]

HEARD_OUTSIDE = (
    "tcp to the host's loopback",
    "tcp over ipv6",
    "abstract sockets of the host",
    "named sockets of the host",
    "udp to the host",
)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_nobody_is_reached_by(cell: Cell, name: str) -> None:
    before = len(cell.sink.heard)
    assert cell.attempt(ATTEMPTS[name], within=90).reached == []
    assert cell.sink.heard[before:] == []


@pytest.mark.parametrize("name", HEARD_OUTSIDE)
def test_on_the_host_somebody_is_reached_by(cell: Cell, name: str) -> None:
    """Else the tests above would prove nothing."""
    outcome = attempt_outside(ATTEMPTS[name], cell.facts)
    assert outcome.reached or cell.sink.heard
