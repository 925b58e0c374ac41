"""Send one call upstream, again only while not a byte of an answer has come."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from orchestrator.ports import Clock

from .answers import Sent
from .errors import Refused
from .headers import retry_after
from .watch import Watch

_PASSING = frozenset({429, 500, 502, 503, 504, 529})
"""529 is Anthropic's `overloaded`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """`longest_wait`: where the upstream asks for more, its answer goes to the agent instead."""

    count: int = 3
    first_wait: float = 1.0
    longest_wait: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An answer whose status is known and, where it is a success, whose first bytes are here."""

    response: aiohttp.ClientResponse
    first: bytes


def model_session() -> aiohttp.ClientSession:
    """For the gateway alone: cookies of one sandbox's answer never go with another's call."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)
    )


class Sender:
    def __init__(
        self,
        session: aiohttp.ClientSession,
        clock: Clock,
        tries: Tries,
        jitter: Callable[[], float],
    ) -> None:
        self._session = session
        self._clock = clock
        self._tries = tries
        self._jitter = jitter

    @contextlib.asynccontextmanager
    async def opened(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        sent: Sent,
        watch: Watch,
    ) -> AsyncIterator[Opened]:
        """Raises `Refused` where no upstream could be reached. Leaving closes the connection of
        an answer that was not read to its end."""
        opened = await self._open(method, url, headers, body, sent, watch)
        try:
            yield opened
        finally:
            opened.response.close()

    async def _open(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        sent: Sent,
        watch: Watch,
    ) -> Opened:
        while True:
            sent.attempts += 1
            last = sent.attempts >= self._tries.count
            try:
                opened = await self._once(method, url, headers, body)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                if last:
                    kind = type(error).__name__
                    raise Refused(
                        502, f"the model provider could not be reached ({kind})", final=False
                    ) from None
                wait = self._backoff(sent.attempts)
            else:
                sent.status = opened.response.status
                asked = retry_after(opened.response.headers, self._clock.now())
                wait = asked if asked is not None else self._backoff(sent.attempts)
                if sent.status not in _PASSING or last or wait > self._tries.longest_wait:
                    return opened
                opened.response.close()
            await self._clock.sleep(wait)
            watch.moved()

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Opened:
        response = await self._session.request(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=body,
            allow_redirects=False,
            auto_decompress=True,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        )
        try:
            first = await response.content.readany() if response.status < 300 else b""
        except BaseException:
            response.close()
            raise
        return Opened(response=response, first=first)

    def _backoff(self, attempt: int) -> float:
        return float(self._tries.first_wait * 2 ** (attempt - 1) * (1 + self._jitter() / 4))
