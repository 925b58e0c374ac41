"""One request over the wire and what came of it, told as a value.

Nothing is raised from here on purpose: the HTTP library's exceptions and frames hold the
`Authorization` header, and an exception that is chained to them carries it into every traceback.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from orchestrator.secret import Secret

from .answers import RawAnswer

TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
LARGEST_ANSWER = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class NotSent:
    """No connection: GitHub has not seen the request."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The request may have arrived; no whole answer did."""

    reason: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """Answered with more than is ever asked for."""

    status: int


async def send(
    session: aiohttp.ClientSession,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    secret: Secret | None,
    timeout: aiohttp.ClientTimeout = TIMEOUT,
) -> RawAnswer | NotSent | Lost | TooLarge:
    """Redirects come back as answers. `secret` goes into the header here and nowhere else."""
    try:
        async with session.request(
            method,
            URL(url, encoded=True),
            headers={**headers, **_authorization(secret)},
            data=body or None,
            allow_redirects=False,
            timeout=timeout,
        ) as response:
            received = bytearray()
            async for chunk in response.content.iter_any():
                received += chunk
                if len(received) > LARGEST_ANSWER:
                    return TooLarge(response.status)
            return RawAnswer(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=_without(bytes(received), secret),
            )
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
        outcome: NotSent | Lost = NotSent(_reason(problem))
    except (aiohttp.ClientError, TimeoutError) as problem:
        outcome = Lost(_reason(problem))
    return outcome


def _authorization(secret: Secret | None) -> dict[str, str]:
    return {} if secret is None else {"authorization": f"Bearer {secret.reveal()}"}


def _without(body: bytes, secret: Secret | None) -> bytes:
    """A proxy's error page may echo the request; the token does not get past this line."""
    if secret is None:
        return body
    token = secret.reveal().encode()
    return body.replace(token, b"***") if token in body else body


def _reason(problem: Exception) -> str:
    match problem:
        case aiohttp.ConnectionTimeoutError():
            return "the connection took longer than 10 s"
        case TimeoutError():
            return "no answer within 30 s"
        case aiohttp.ClientConnectorDNSError():
            return "its name was not found"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientSSLError():
            return "no TLS connection came about"
        case aiohttp.ClientConnectorError():
            return problem.os_error.strerror or "refused"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection broke"
        case aiohttp.ClientPayloadError():
            return "the answer broke off"
        case _:
            return type(problem).__name__
