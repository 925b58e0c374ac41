"""`/api/sessions`: who is it, may they ask so often, is the body one; then it is only an ask.

Only a bearer token counts: no cookie and no header that a browser sends by itself, so no other
site can ask in somebody's name.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from orchestrator.apitokens import ApiToken, Scope, TokenRefused
from orchestrator.github.errors import GitHubError, RateLimited, TryLater, UncertainOutcome
from orchestrator.looking import Looking, RequestRefused
from orchestrator.ports import Clock
from orchestrator.requesting import Requesting
from orchestrator.session import Session
from orchestrator.stores.groupwriter import JournalUnavailable
from orchestrator.stores.tokenbook import TokenBook, TokensUnavailable

from .body import KEY, body_from
from .problems import NEVER_KEPT, Problem
from .rate import Rate
from .shapes import session_json

log = structlog.get_logger()

MAX_BODY = 256 * 1024
_AFTER_LAG = "12"
"""By then what was created shows in GitHub's listings."""
_STATUS = {
    "repository": 404,
    "thread": 404,
    "session": 409,
    "text": 422,
    "key": 422,
    "often": 429,
}
"""By the rule that refused; any other one is 403."""

Answer = Callable[[web.Request, ApiToken], Awaitable[web.Response]]


class Api:
    def __init__(
        self,
        *,
        requesting: Requesting,
        looking: Looking,
        book: TokenBook,
        clean: Callable[[str], str],
        server_url: str,
        clock: Clock,
        observe: Callable[[str], None],
    ) -> None:
        """`clean` takes secrets out of what is answered; `observe` is told each outcome."""
        self._requesting = requesting
        self._looking = looking
        self._book = book
        self._clean = clean
        self._server_url = server_url
        self._clock = clock
        self._observe = observe
        self._rate = Rate()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/sessions", self._door(self._start)),
            web.get("/api/sessions", self._door(self._list)),
            web.get("/api/sessions/{session}", self._door(self._show)),
        ]

    def _door(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                token = await self._token(request)
                self._not_too_often(token)
                return await answer(request, token)
            except Problem as problem:
                shown = problem
            except RequestRefused as refusal:
                shown = _refused(refusal)
            except GitHubError as error:
                shown = self._github(error)
            except (TokensUnavailable, JournalUnavailable) as error:
                log.error("api_unavailable", reason=str(error))
                shown = Problem(503, "unavailable", "This cannot be stored now; send it again.")
            except Exception:  # an edge: logged whole, and the answer says so
                log.exception("api_broke")
                shown = Problem(500, "broken", "Something broke on our side; the log has it.")
            log.info("api_refused", status=shown.status, kind=shown.kind, decision=shown.decision)
            return shown.response()

        return handle

    async def _token(self, request: web.Request) -> ApiToken:
        given = request.headers.getall("Authorization", [])
        scheme, _, text = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer":
            detail = "An API token is needed: `Authorization: Bearer oi_…`."
            raise _unauthorized("token", detail, 'Bearer realm="openinspect"')
        try:
            return await asyncio.to_thread(self._book.find, text.strip(), self._clock.now())
        except TokenRefused as refusal:
            challenge = 'Bearer realm="openinspect", error="invalid_token"'
            raise _unauthorized("token", str(refusal), challenge) from None

    def _not_too_often(self, token: ApiToken) -> None:
        wait = self._rate.wait(token.id, self._clock.now())
        if wait:
            seconds = math.ceil(wait)
            raise Problem(
                429,
                "rate",
                f"This token has asked 60 times within a minute. Ask again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )

    async def _start(self, request: web.Request, token: ApiToken) -> web.Response:
        if request.content_type != "application/json":
            raise Problem(415, "type", "The body must be `Content-Type: application/json`.")
        if request.headers.get("Content-Encoding"):
            raise Problem(415, "type", "Compressed bodies are not taken.")
        body = body_from(await _read(request))
        started = await self._requesting.start(
            token,
            body.request,
            key=_key(request, body.key) or secrets.token_hex(16),
            decision=f"api-{secrets.token_hex(8)}",
        )
        self._observe("accepted")
        log.info("api_accepted", decision=started.decision, session=started.session.id)
        answer = {
            "session": self._shown(started.session),
            "prompt": started.prompt,
            "decision": started.decision,
        }
        headers = {"Location": f"/api/sessions/{started.session.id}"}
        if started.replayed:
            headers["Idempotency-Replayed"] = "true"
        return self._json(answer, 200 if started.replayed else 201, headers)

    async def _show(self, request: web.Request, token: ApiToken) -> web.Response:
        try:
            session = await self._looking.session(token, request.match_info["session"])
        except RequestRefused as refusal:
            if refusal.rule == "session":
                raise Problem(404, "session", refusal.reason) from refusal
            raise
        return self._json(self._shown(session))

    async def _list(self, request: web.Request, token: ApiToken) -> web.Response:
        asked = request.query.getall("repository", [])
        if len(asked) != 1 or len(request.query) != 1:
            detail = "Name one repository: `GET /api/sessions?repository=owner/name`."
            raise Problem(400, "query", detail)
        sessions = await self._looking.sessions(token, asked[0][:200])
        return self._json({"sessions": [self._shown(session) for session in sessions]})

    def _shown(self, session: Session) -> dict[str, object]:
        web_address = f"{self._server_url}/{self._looking.name_of(session)}"
        return session_json(session, web=web_address)

    def _json(
        self, answer: object, status: int = 200, headers: dict[str, str] | None = None
    ) -> web.Response:
        return web.Response(
            status=status,
            body=json.dumps(_cleaned(answer, self._clean)).encode(),
            content_type="application/json",
            headers=NEVER_KEPT | (headers or {}),
        )

    def _github(self, error: GitHubError) -> Problem:
        """No answer of GitHub's is no permission."""
        if isinstance(error, RateLimited):
            seconds = max(1, math.ceil((error.until - self._clock.now()).total_seconds()))
            return Problem(503, "github", str(error), headers={"Retry-After": str(seconds)})
        if isinstance(error, TryLater | UncertainOutcome):
            headers = {"Retry-After": _AFTER_LAG}
            return Problem(503, "github", self._clean(str(error)), headers=headers)
        return Problem(502, "github", self._clean(str(error)))


async def _read(request: web.Request) -> bytes:
    """At most `MAX_BODY`, however long it says it is."""
    if (request.content_length or 0) > MAX_BODY:
        raise _too_large()
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > MAX_BODY:
            raise _too_large()
    return bytes(data)


def _too_large() -> Problem:
    return Problem(413, "size", f"A body has at most {MAX_BODY:,} bytes.")


def _key(request: web.Request, in_body: str | None) -> str | None:
    """Of `Idempotency-Key`, bare or in quotes, or of the body; both only where they agree.

    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    given = request.headers.getall("Idempotency-Key", [])
    if not given:
        return in_body
    key = given[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(given) > 1 or KEY.fullmatch(key) is None:
        raise Problem(
            400, "key", "`Idempotency-Key` must be one key of 1 to 255 visible ASCII characters."
        )
    if in_body not in (None, key):
        raise Problem(400, "key", "`Idempotency-Key` and `key` differ: give one of them.")
    return key


def _refused(refusal: RequestRefused) -> Problem:
    headers = {}
    if refusal.rule == "scope":
        scopes = " ".join(Scope)
        challenge = f'Bearer realm="openinspect", error="insufficient_scope", scope="{scopes}"'
        headers["WWW-Authenticate"] = challenge
    status = _STATUS.get(refusal.rule, 403)
    return Problem(status, refusal.rule, refusal.reason, decision=refusal.decision, headers=headers)


def _unauthorized(kind: str, detail: str, challenge: str) -> Problem:
    return Problem(401, kind, detail, headers={"WWW-Authenticate": challenge})


def _cleaned(value: object, clean: Callable[[str], str]) -> object:
    match value:
        case str():
            return clean(value)
        case dict():
            return {key: _cleaned(part, clean) for key, part in value.items()}
        case list():
            return [_cleaned(part, clean) for part in value]
        case _:
            return value
