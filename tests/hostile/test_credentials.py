"""A hostile agent looks for a credential. There is none, and nothing of the host to read."""

from __future__ import annotations

import pytest
from support.attempts_credentials import ATTEMPTS
from support.cell import Cell, attempt_outside

pytestmark = [pytest.mark.sandboxed]


@pytest.mark.parametrize("name", ATTEMPTS)
def test_no_credential_is_found_in(cell: Cell, name: str) -> None:
    assert cell.attempt(ATTEMPTS[name]).reached == []


@pytest.mark.parametrize(
    "name",
    [
        "own environment",
        "environment of every process",
        "the host's own files by their names",
        "memory of every process",
        "shared memory of the host",
    ],
)
def test_on_the_host_the_same_attempt_succeeds_with(cell: Cell, name: str) -> None:
    """Else the tests above would prove nothing."""
    assert attempt_outside(ATTEMPTS[name], cell.facts).reached != []
