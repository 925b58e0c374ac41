"""Lines that vouch for one another: each carries a hash over itself and all before it.

`{"v":1,"e":"turn_started",...,"n":12,"k":"0f3a9c1d","h":"..."}`: `n` is the place in the session,
`k` names the key, `h` is an HMAC over the hash before, the place, the repository, the session
and the line as the codec wrote it. So a line cannot be altered, moved, left out in the middle,
or brought from another session. Without a key `k` is `none` and `h` a plain hash, which shows
accidents but stops nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.secret import Secret
from orchestrator.session.values import RepositoryId, SessionId

UNSIGNED: Final = "none"
_SEALED = re.compile(
    r'(?P<line>\{.*),"n":(?P<n>[1-9]\d{0,9}),"k":"(?P<k>[0-9a-z]{4,16})","h":"(?P<h>[0-9a-f]{32})"\}',
    re.DOTALL,
)


class ChainBroken(Exception):
    """A line that does not belong where it stands; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last line of a session: its place and its hash."""

    n: int = 0
    h: str = ""


class Keys:
    """Writes with `key`, reads what `key` and `older` have signed.

    `accept_unsigned` takes lines without a key as well. Who holds no key at all (an Actions job)
    takes every line: there is nothing to check it with, and state grants no right.
    """

    def __init__(
        self,
        key: Secret | None = None,
        *,
        older: Sequence[Secret] = (),
        accept_unsigned: bool = False,
    ) -> None:
        self._secrets = {key_id(k): k.reveal().encode() for k in (*older, key) if k is not None}
        self._writing = UNSIGNED if key is None else key_id(key)
        self._lenient = accept_unsigned or key is None
        self._blind = key is None

    def seal(
        self, before: Head, line: str, repository: RepositoryId, session: SessionId
    ) -> tuple[str, Head]:
        """The line as it is stored, and the new head."""
        n = before.n + 1
        h = self._hash(self._writing, before, line, repository, session)
        sealed = f'{line[:-1]},"n":{n},"k":"{self._writing}","h":"{h}"}}'
        return sealed, Head(n=n, h=h)

    def unseal(
        self, before: Head, sealed: str, repository: RepositoryId, session: SessionId
    ) -> tuple[str, Head]:
        """The line as the codec wrote it, and the new head. Raises `ChainBroken`."""
        match = _SEALED.fullmatch(sealed)
        if match is None:
            raise ChainBroken("no place, key or hash")
        line, n, key, h = match["line"] + "}", int(match["n"]), match["k"], match["h"]
        if n != before.n + 1:
            raise ChainBroken(f"line {n} stands where line {before.n + 1} belongs")
        if key == UNSIGNED and not self._lenient:
            raise ChainBroken("is not signed (`state.accept_unsigned` would take it)")
        if key == UNSIGNED or key in self._secrets:
            expected = self._hash(key, before, line, repository, session)
            if not hmac.compare_digest(expected, h):
                raise ChainBroken("was altered, or belongs to another session or repository")
        elif not self._blind:
            raise ChainBroken(f"is signed with key {key}, which is not one of ours")
        return line, Head(n=n, h=h)

    def _hash(
        self, key: str, before: Head, line: str, repository: RepositoryId, session: SessionId
    ) -> str:
        said = f"{before.h}\n{before.n + 1}\n{repository}\n{session}\n{key}\n{line}".encode()
        if key == UNSIGNED:
            return hashlib.sha256(said).hexdigest()[:32]
        return hmac.digest(self._secrets[key], said, "sha256").hex()[:32]


def key_id(key: Secret) -> str:
    """Names a key and tells nothing of it."""
    return hmac.digest(key.reveal().encode(), b"openinspect state key id", "sha256").hex()[:8]
