"""The hidden, signed last line by which our own comments and pull requests are found again.

Anyone may copy a marker, so whoever looks for one also checks that our App wrote the text; the
signature says that it was made for this session and effect.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

_MARKER = re.compile(
    r"<!-- openinspect:v1 session=(?P<session>[0-9a-z-]{1,100})"
    r" effect=(?P<effect>[0-9a-z/_.-]{1,200}) mac=(?P<mac>[0-9a-f]{32}) -->"
)
_EFFECT = re.compile(r"[0-9a-z/_.-]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    session: str
    effect: str


def marker(session: str, effect: str, key: bytes) -> str:
    """One line, to be the last one. `effect` is the effect's key: `status`, `turn/1/result`."""
    if not _EFFECT.fullmatch(effect):
        raise ValueError(f"not an effect's key: {effect[:80]!r}")
    mac = _mac(session, effect, key)
    return f"<!-- openinspect:v1 session={session} effect={effect} mac={mac} -->"


def find_marker(body: str, key: bytes) -> Marker | None:
    """The marker in the last line of `body`, if it is there and genuine."""
    last = body.rstrip().rpartition("\n")[2].strip()
    match = _MARKER.fullmatch(last)
    if match is None:
        return None
    session, effect = match.group("session"), match.group("effect")
    if not hmac.compare_digest(match.group("mac"), _mac(session, effect, key)):
        return None
    return Marker(session=session, effect=effect)


def _mac(session: str, effect: str, key: bytes) -> str:
    signed = f"openinspect/marker/v1\n{session}\n{effect}".encode()
    return hmac.new(key, signed, hashlib.sha256).hexdigest()[:32]
