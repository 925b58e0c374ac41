"""From an API request to its decision: the token's person asks as if on GitHub, and no more.

Everything here may be repeated for the same request: a key names it, and what it led to is kept,
so neither an issue nor a prompt comes about twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Protocol

from orchestrator.apitokens import ApiToken, Scope
from orchestrator.asking import Asking
from orchestrator.engine import Engine
from orchestrator.filing import Filing
from orchestrator.github.errors import GitHubError, NotFound
from orchestrator.github.repository import Repository
from orchestrator.looking import Looking, RequestRefused, need, unseen
from orchestrator.opening import Threads, prompt_of
from orchestrator.ports import Clock
from orchestrator.session import Session, SessionId
from orchestrator.session.commands import AddPrompt
from orchestrator.session.errors import SessionError
from orchestrator.session.values import Person, PromptKey, RepositoryId
from orchestrator.standing import place_now, thread_now, thread_of, unopened
from orchestrator.stores.tokenbook import Request, TokenBook
from orchestrator.triggers import Accepted, DecisionRecord, Refused, Rule, record
from orchestrator.triggers.delivery import Requested, Thread
from orchestrator.triggers.requested import (
    SessionRequest,
    after_door,
    door_record,
    moved_to,
    requested,
)
from orchestrator.triggers.ruling import Decided

_LOCKS = 64


class Keep(Protocol):
    """Keep a decision record, JSON, under its id."""

    async def __call__(
        self,
        guid: str,
        record: str,
        at: datetime,
        *,
        repository: RepositoryId | None,
        thread: int | None,
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """`replayed`: the request was known, and this is what it led to then."""

    session: Session
    prompt: PromptKey
    decision: str
    replayed: bool


@dataclass(slots=True, kw_only=True)
class _Going:
    """One request under way, and the rules that it has passed."""

    token: ApiToken
    request: SessionRequest
    name: str
    """Of token and key together: what makes the same request the same."""
    decision: str
    passed: tuple[Rule, ...] = ()
    repository: RepositoryId | None = None

    @property
    def number(self) -> int:
        """The name as a number that every store takes; never 0."""
        return int(self.name[:13], 16) + 1

    @property
    def fingerprint(self) -> bytes:
        """What makes it another request under the same key."""
        plain = json.dumps(asdict(self.request), sort_keys=True)
        return hashlib.sha256(plain.encode()).digest()

    def has_passed(self, rule: str, detail: str) -> None:
        self.passed = (*self.passed, Rule(name=rule, passed=True, detail=detail))


class Requesting:
    def __init__(
        self,
        *,
        engine: Engine,
        looking: Looking,
        asking: Asking,
        threads: Threads,
        filing: Filing,
        book: TokenBook,
        keep: Keep,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._looking = looking
        self._asking = asking
        self._threads = threads
        self._filing = filing
        self._book = book
        self._keep = keep
        self._clock = clock
        self._locks = [asyncio.Lock() for _ in range(_LOCKS)]

    async def start(
        self, token: ApiToken, request: SessionRequest, *, key: str, decision: str
    ) -> Started:
        """`key` is what the caller names this request, `decision` the id of the record that is
        left of it. Raises `RequestRefused` and `GitHubError`."""
        name = hashlib.sha256(f"{token.id}\n{key}".encode()).hexdigest()
        going = _Going(token=token, request=request, name=name, decision=decision)
        async with self._locks[int(name[:8], 16) % _LOCKS]:
            try:
                return await self._start(going)
            except RequestRefused as refusal:
                if not refusal.decision:
                    refusal.decision = decision
                    await self._record(_at_door(going, refusal), going.repository)
                raise
            except GitHubError as error:
                await self._keep(
                    decision,
                    json.dumps(_failure(going, str(error))),
                    self._clock.now(),
                    repository=going.repository,
                    thread=request.thread,
                )
                raise

    async def _start(self, going: _Going) -> Started:
        request = going.request
        need(going.token, Scope.WRITE)
        going.has_passed("scope", f"`{Scope.WRITE}`")
        repository = await self._looking.repository(going.token, request.repository)
        try:
            place = await place_now(repository)
        except NotFound as error:
            raise RequestRefused("repository", unseen(request.repository)) from error
        going.repository = place.id
        going.has_passed("repository", place.full_name)
        known = await self._known(going)
        if known is not None and known.session is not None:
            return await self._again(repository, going, known, known.session)
        person = await self._person(repository, going)
        thread, url = await _thread(repository, request, known)
        now = self._clock.now()
        asked = Request(
            fingerprint=going.fingerprint,
            asked_at=now,
            thread=thread.number or None,
            session=None,
            decision=going.decision,
        )
        told = requested(
            request,
            number=going.number,
            token=going.token.name,
            person=person,
            repository=place,
            installation=repository.installation,
            thread=thread,
            url=url,
            at=now,
        )
        answer = after_door(await self._asking.judge(told), going.passed)
        session: SessionId | None = None
        if isinstance(answer, Accepted):
            if not thread.number:
                issue = await self._filing.issue(
                    repository, going.name, request.title, by=person, asked=asked
                )
                thread, url = thread_of(issue), issue.html_url
                answer = moved_to(answer, thread, url)
            answer, session = await self._tell(repository, answer)
        await self._record(_record(answer, told, going, thread, url), place.id)
        if session is None or not isinstance(answer, Accepted):
            assert not isinstance(answer, Accepted)
            raise RequestRefused(answer.rule, answer.reason, going.decision)
        done = replace(asked, thread=thread.number, session=session)
        await asyncio.to_thread(self._book.note_request, going.name, done)
        return Started(
            session=await self._engine.get(session),
            prompt=answer.asked.key,
            decision=going.decision,
            replayed=False,
        )

    async def _known(self, going: _Going) -> Request | None:
        known = await asyncio.to_thread(self._book.request, going.name, self._clock.now())
        if known is not None and known.fingerprint != going.fingerprint:
            raise RequestRefused(
                "key",
                "This key came with another request before. A key names one request: choose a "
                "new one.",
            )
        return known

    async def _again(
        self, repository: Repository, going: _Going, known: Request, session: str
    ) -> Started:
        if not await self._looking.may_read(repository, going.token):
            raise RequestRefused("repository", unseen(going.request.repository))
        return Started(
            session=await self._engine.get(SessionId(session)),
            prompt=PromptKey(f"api-{going.number}"),
            decision=known.decision or "",
            replayed=True,
        )

    async def _person(self, repository: Repository, going: _Going) -> Person:
        """Asked for by number: a login changes hands."""
        bound = going.token.person
        person = await self._looking.person(repository, going.token)
        if person is None:
            reason = f"The account of this token (`{bound.login}`, {bound.id}) is not there now."
            raise RequestRefused("person", reason)
        return person

    async def _tell(
        self, repository: Repository, accepted: Accepted
    ) -> tuple[Accepted | Refused, SessionId]:
        asked = accepted.asked
        session = await self._threads.session_for(asked)
        opening = await self._threads.opening(asked, session, repository)
        command = AddPrompt(at=self._clock.now(), prompt=prompt_of(asked), opening=opening)
        try:
            await self._engine.tell(session, command)
        except SessionError as refusal:
            reason = str(refusal)
            rules = (*accepted.rules, Rule(name="session", passed=False, detail=reason))
            return Refused(rule="session", reason=reason, rules=rules, tell=False), session
        return accepted, session

    async def _record(self, kept: DecisionRecord, repository: RepositoryId | None) -> None:
        await self._keep(
            kept.delivery,
            json.dumps(kept.to_json()),
            self._clock.now(),
            repository=repository,
            thread=kept.thread or None,
        )


async def _thread(
    repository: Repository, request: SessionRequest, known: Request | None
) -> tuple[Thread, str]:
    """As it stands now; one with the number 0 where it is yet to be opened."""
    number = request.thread or (known.thread if known is not None else None)
    if number is None:
        return unopened(request.title), ""
    try:
        thread, url = await thread_now(repository, number)
    except NotFound as error:
        reason = f"{repository.full_name} has no #{number}."
        raise RequestRefused("thread", reason) from error
    if thread.is_pull_request != (request.pull_request is not None):
        what, field = ("an issue", "issue")
        if thread.is_pull_request:
            what, field = ("a pull request", "pull_request")
        raise RequestRefused("thread", f"#{number} is {what}: name it as `{field}`.")
    return thread, url


def _record(
    answer: Decided, told: Requested, going: _Going, thread: Thread, url: str
) -> DecisionRecord:
    kept = record(answer, told, delivery=going.decision)
    return replace(kept, thread=thread.number or None, url=url)


def _at_door(going: _Going, refusal: RequestRefused) -> DecisionRecord:
    return door_record(
        going.request,
        delivery=going.decision,
        person=going.token.person,
        passed=going.passed,
        rule=refusal.rule,
        reason=refusal.reason,
    )


def _failure(going: _Going, reason: str) -> dict[str, object]:
    return {
        "v": 1,
        "delivery": going.decision,
        "event": "api",
        "repository": going.request.repository,
        "url": "",
        "outcome": "failed",
        "reason": reason,
    }
