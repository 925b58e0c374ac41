"""The hidden last line: found when genuine, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.messages import Marker, find_marker, marker

KEY = b"not a real key, only for tests!!"
GOOD = marker("7001-41-main-1", "turn/1/result", KEY)


def test_a_marker_is_found_again() -> None:
    found = Marker(session="7001-41-main-1", effect="turn/1/result")
    assert find_marker(f"text\n\n{GOOD}", KEY) == found
    # GitHub keeps what it is given, but people and proxies may touch line ends.
    assert find_marker(f"text\r\n\r\n{GOOD}\r\n", KEY) == found
    assert find_marker(GOOD, KEY) == found


FORGED = [
    "",
    "no marker",
    f"{GOOD}\nnot the last line",
    f"text {GOOD}",
    GOOD.replace("7001", "7002"),
    GOOD.replace("turn/1", "turn/2"),
    GOOD[:-5] + "0 -->",
    GOOD.replace("v1", "v2"),
    GOOD.upper(),
    f"`{GOOD}`",
    f"> {GOOD}",
    GOOD.replace("mac=", "mac=0"),
]


@pytest.mark.parametrize("body", FORGED)
def test_what_is_not_genuine_is_not_found(body: str) -> None:
    assert find_marker(body, KEY) is None


def test_another_key_made_another_marker() -> None:
    assert find_marker(GOOD, b"another key") is None


@pytest.mark.parametrize("effect", ["", "a b", "a-->", "x" * 201, "A\n"])
def test_only_keys_are_effects(effect: Any) -> None:
    with pytest.raises(ValueError, match="effect"):
        marker("7001-41-main-1", effect, KEY)
