"""One call to GitHub with all its attempts, as a `gidgethub` client.

`gidgethub` makes headers, pages, ETags and JSON; `_request` below is what it sends through. There
the table of `answers` is acted on: wait when limited, log in again once, follow a rename, repeat
what is safe to repeat. A write that may have happened is never sent again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, assert_never

import aiohttp
import gidgethub.abc
import structlog
from yarl import URL

from orchestrator.ports import Clock
from orchestrator.secret import Secret

from .answers import Broken, Fine, Limited, Moved, RawAnswer, Refused, Unauthorized, Verdict, judge
from .endpoints import Endpoints, origin
from .errors import (
    BadAnswer,
    BadCredentials,
    GitHubError,
    NotFound,
    Unavailable,
    UncertainOutcome,
    Unreachable,
)
from .etags import EtagCache
from .limits import PATIENCE_SECONDS, Limiter, Turn
from .transport import Lost, NotSent, TooLarge, send

log = structlog.get_logger(__name__)

API_VERSION = "2022-11-28"
ACCEPT = "application/vnd.github+json"
TRIES = 5
BACKOFF_SECONDS = (1.0, 3.0, 9.0, 30.0)
LAG_SECONDS = (2.0, 8.0)
"""How long a new object may stay unknown to GitHub's replicas."""
MOST_HOPS = 3
LARGEST_CACHED = 64 * 1024

Observe = Callable[[str, int, float], None]
"""Called per attempt with the path template, the status (0: none came) and the seconds."""


class Credentials(Protocol):
    """What a call shows to GitHub."""

    async def secret(self) -> Secret | None: ...

    def refused(self, secret: Secret, answer: RawAnswer) -> None:
        """GitHub does not take `secret` (any more): the next one should be new."""
        ...


class Nobody:
    """A stranger, to whom GitHub shows what is public."""

    async def secret(self) -> Secret | None:
        return None

    def refused(self, secret: Secret, answer: RawAnswer) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What kind of call this is, which decides what may be done when it fails."""

    method: str
    template: str
    repeatable: bool = False
    """Doing it twice is the same as once: every GET, and writes such as a reaction."""
    creates: bool = False
    """Counts against GitHub's limit on content."""
    new: bool = False
    """About an object created a moment ago: 404 may mean "not yet"."""
    graphql: bool = False
    elsewhere: bool = False
    """Answered by 302 with the address of a file on another host, which is not followed."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


@dataclass(slots=True, kw_only=True)
class Line:
    """What every call of this process shares."""

    session: aiohttp.ClientSession
    endpoints: Endpoints
    clock: Clock
    user_agent: str
    observe: Observe | None = None
    cache: EtagCache = field(default_factory=EtagCache)
    chance: random.Random = field(default_factory=random.SystemRandom)
    timeout: aiohttp.ClientTimeout | None = None


@dataclass(slots=True)
class _Spent:
    """What a call has used up of its patience."""

    failures: int = 0
    logins: int = 0
    lags: int = 0
    hops: int = 0


class OneCall(gidgethub.abc.GitHubAPI):
    """Made for one call (all its pages and attempts), then dropped."""

    def __init__(
        self, line: Line, *, nature: Nature, credentials: Credentials, limiter: Limiter, owner: str
    ) -> None:
        super().__init__(
            line.user_agent, cache=line.cache.of(owner), base_url=line.endpoints.api_url
        )
        self._line = line
        self._nature = nature
        self._credentials = credentials
        self._limiter = limiter
        self.moved = False
        """GitHub sent us elsewhere: the repository has another name now."""
        self._file = ""

    async def page(self, url: str) -> tuple[object, str | None]:
        """One page of a list as it came, and where the next one is."""
        data, following, _ = await self._make_request("GET", url, {}, b"", ACCEPT)
        return data, following

    async def download(self) -> bytes:
        """The file that GitHub gave the address of, fetched as a stranger."""
        try:
            scheme = origin(self._file)[0]
            safe = scheme == "https" or origin(self._file) == origin(self._line.endpoints.api_url)
        except ValueError:
            safe = False
        if not safe:
            raise self._unreadable("it gives no address of a file", 302)
        outcome = await self._attempt("GET", self._file, {}, b"", None)
        match outcome:
            case RawAnswer(status=200):
                return outcome.body
            case TooLarge():
                raise self._unreadable("it is larger than 32 MiB", outcome.status)
            case _:
                raise self._unreadable("the file is not where it was said to be", 302)

    async def sleep(self, seconds: float) -> None:
        await self._line.clock.sleep(seconds)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        deadline = self._line.clock.now() + timedelta(seconds=PATIENCE_SECONDS)
        spent = _Spent()
        while True:
            self._ours(url)
            secret = await self._credentials.secret()
            async with self._limiter.turn(
                resource="graphql" if self._nature.graphql else "core",
                creates=self._nature.creates,
                deadline=deadline,
            ) as turn:
                outcome = await self._attempt(method, url, headers, body, secret)
                verdict = self._verdict(turn, outcome)
            match outcome, verdict:
                case RawAnswer(), Fine():
                    return outcome.status, _kept_headers(outcome), outcome.body
                case RawAnswer(), Limited():
                    log.warning("github.limited", call=self._nature.name, kind=verdict.kind)
                case RawAnswer(status=302), Moved() if self._nature.elsewhere:
                    self._file = verdict.url
                    return 204, {}, b""
                case RawAnswer(), Moved():
                    spent.hops += 1
                    url = self._next_hop(url, verdict.url, spent, outcome)
                case RawAnswer(), Unauthorized():
                    self._log_in_again(secret, outcome, spent)
                case RawAnswer(), Refused():
                    await self._refused(verdict.error, spent)
                case NotSent(), _:
                    await self._again(spent, outcome.reason, sent=False)
                case Lost(), _:
                    await self._again(spent, outcome.reason, sent=True)
                case TooLarge(), _:
                    raise self._unreadable("it is larger than 32 MiB", outcome.status)
                case RawAnswer(), _:
                    after = outcome.number("retry-after")
                    await self._again(spent, f"status {outcome.status}", sent=True, after=after)
                case _:
                    assert_never(outcome)

    async def _attempt(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, secret: Secret | None
    ) -> RawAnswer | NotSent | Lost | TooLarge:
        started = time.perf_counter()
        outcome = await send(
            self._line.session,
            method=method,
            url=url,
            headers={**headers, "x-github-api-version": API_VERSION},
            body=body,
            secret=secret,
            **({} if self._line.timeout is None else {"timeout": self._line.timeout}),
        )
        seconds = time.perf_counter() - started
        status = 0 if isinstance(outcome, NotSent | Lost) else outcome.status
        if self._line.observe is not None:
            self._line.observe(self._nature.template, status, seconds)
        log.debug(
            "github.call",
            call=self._nature.name,
            status=status,
            ms=round(seconds * 1000, 1),
            request=outcome.request_id if isinstance(outcome, RawAnswer) else None,
            reason=outcome.reason if isinstance(outcome, NotSent | Lost) else None,
        )
        return outcome

    def _verdict(self, turn: Turn, outcome: RawAnswer | NotSent | Lost | TooLarge) -> Verdict:
        if not isinstance(outcome, RawAnswer):
            return Broken()
        verdict = judge(
            outcome,
            call=self._nature.name,
            now=self._line.clock.now(),
            graphql=self._nature.graphql,
        )
        if isinstance(verdict, Limited):
            self._limiter.limited(turn, verdict)
        else:
            self._limiter.answered(turn, outcome)
        return verdict

    async def _again(
        self, spent: _Spent, reason: str, *, sent: bool, after: float | None = None
    ) -> None:
        """Wait before the next try, with full jitter; or raise what the caller has to know."""
        if sent and not self._nature.repeatable:
            raise UncertainOutcome(call=self._nature.name, reason=reason)
        spent.failures += 1
        if spent.failures >= TRIES:
            if sent:
                raise Unavailable(call=self._nature.name, said=reason, tries=TRIES)
            raise Unreachable(call=self._nature.name, reason=reason, tries=TRIES)
        wait = self._line.chance.uniform(0, BACKOFF_SECONDS[spent.failures - 1])
        log.info("github.again", call=self._nature.name, reason=reason, wait=round(wait, 2))
        await self._line.clock.sleep(max(wait, min(after or 0.0, 60.0)))

    async def _refused(self, error: GitHubError, spent: _Spent) -> None:
        lagging = self._nature.new and isinstance(error, NotFound) and error.status == 404
        if not lagging or spent.lags >= len(LAG_SECONDS):
            raise error
        await self._line.clock.sleep(LAG_SECONDS[spent.lags])
        spent.lags += 1

    def _log_in_again(self, secret: Secret | None, answer: RawAnswer, spent: _Spent) -> None:
        if secret is None or spent.logins:
            raise BadCredentials(
                call=self._nature.name, status=answer.status, request_id=answer.request_id
            )
        spent.logins += 1
        self._credentials.refused(secret, answer)

    def _ours(self, url: str) -> None:
        """A token goes to GitHub's own API and nowhere else, whatever a link or redirect says."""
        root = self._line.endpoints
        home = root.graphql_url if self._nature.graphql else root.api_url
        try:
            same = origin(url) == origin(home)
        except ValueError:
            same = False
        if not same:
            raise BadAnswer(call=self._nature.name, reason="it leads away from GitHub's API")

    def _next_hop(self, url: str, to: str, spent: _Spent, answer: RawAnswer) -> str:
        if not to or spent.hops > MOST_HOPS:
            raise self._unreadable("a redirect without end", answer.status)
        self.moved = True
        # Relative targets are allowed by RFC 9110, 10.2.2.
        return str(URL(url, encoded=True).join(URL(to, encoded=True)))

    def _unreadable(self, reason: str, status: int) -> GitHubError:
        if not self._nature.repeatable and (status < 300 or status >= 500):
            return UncertainOutcome(call=self._nature.name, status=status, reason=reason)
        return BadAnswer(call=self._nature.name, status=status, reason=reason)


def _kept_headers(answer: RawAnswer) -> dict[str, str]:
    """What `gidgethub` works with. Without an ETag it remembers nothing."""
    names = {"content-type", "link"}
    if len(answer.body) <= LARGEST_CACHED:
        names |= {"etag", "last-modified"}
    return {name: value for name, value in answer.headers.items() if name in names}
