"""A hostile agent tries to get out, or up: namespaces, mounts, devices, setuid, the kernel."""

from __future__ import annotations

import pytest
from support.attempts_escape import ATTEMPTS
from support.cell import Cell

pytestmark = [pytest.mark.sandboxed]


@pytest.mark.parametrize("name", ATTEMPTS)
def test_there_is_no_way_out_by(cell: Cell, name: str) -> None:
    assert cell.attempt(ATTEMPTS[name], within=60).reached == []
