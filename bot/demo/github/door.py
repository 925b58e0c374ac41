"""From an HTTP request to a REST handler and back: who is calling, faults, limits, ETags."""

import base64
import binascii
import hashlib
import json
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aiohttp import hdrs, web

from . import routes
from .accounts import App
from .apps import Unauthorized, app_of_jwt, token_of
from .faulty import with_faults
from .hooks import Hooks
from .model import Installation, Json, Token
from .rest import PER_HOUR, Answer, ApiError, Call, Route, check_repository, problem
from .world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer, as kept by the recorder for validation."""

    method: str
    template: str
    path: str
    query: dict[str, str]
    request: Json | list[Json] | None
    status: int
    content_type: str
    answer: object


class Credentials:
    """What an Authorization header says: an App's JWT, a token, or nothing."""

    def __init__(self, world: World, header: str | None) -> None:
        self.app: App | None = None
        self.token: Token | None = None
        if header is None:
            return
        scheme, _, value = header.partition(" ")
        value = value.strip()
        if scheme.lower() == "basic":
            try:
                _, _, value = base64.b64decode(value).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise Unauthorized("Bad credentials") from None
        elif scheme.lower() not in ("bearer", "token"):
            raise Unauthorized("Bad credentials")
        if value.count(".") == 2 and not value.startswith("gh"):
            self.app = app_of_jwt(world, value)
        else:
            self.token = token_of(world, value)


class RestDoor:
    """The handler of everything under `/api/v3`."""

    def __init__(self, world: World, hooks: Hooks, *, record: bool) -> None:
        self.world, self.hooks = world, hooks
        self.exchanges: list[Exchange] = []
        self.enforce_limits = False
        self.requests = 0
        self._record = record
        self._used: dict[str, tuple[datetime, int]] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        path = request.rel_url.raw_path.removeprefix("/api/v3")
        return await with_faults(self.world, request, path, lambda: self._answer(request, path))

    async def _answer(self, request: web.Request, path: str) -> web.StreamResponse:
        found = routes.find(request.method, path)
        body = await _json_body(request)
        limits: dict[str, str] = {}
        if found is None:
            self.world.unhandled.append(f"{request.method} {path}")
            answer = problem(501, f"The embedded GitHub does not know {request.method} {path}")
        elif isinstance(body, Answer):
            answer = body
        else:
            try:
                if not request.headers.get(hdrs.USER_AGENT):
                    raise ApiError(403, "Request forbidden by administrative rules: no User-Agent")
                who = Credentials(self.world, request.headers.get(hdrs.AUTHORIZATION))
                limits = self._limits(who, request)
                answer = await self._call(request, path, *found, body, who)
            except ApiError as refusal:
                answer = refusal.answer
            except Unauthorized as refusal:
                answer = problem(401, str(refusal))
        if found is not None and self._record:
            self._keep(request, path, found[0], body, answer)
        return _response(request, answer, limits)

    async def _call(
        self,
        request: web.Request,
        path: str,
        route: Route,
        params: object,
        body: Json,
        who: Credentials,
    ) -> Answer:
        assert isinstance(params, dict)
        call = Call(
            world=self.world,
            hooks=self.hooks,
            method=request.method,
            path=path,
            params=params,
            query=dict(request.query),
            body=body,
            accept=request.headers.get(hdrs.ACCEPT, ""),
            token=who.token,
            app=who.app,
        )
        match route.door:
            case "app" if who.app is None:
                raise ApiError(401, "A JSON web token could not be decoded")
            case "token" if who.token is None:
                raise ApiError(401, "Requires authentication")
            case "repo":
                if who.app is not None:
                    # https://docs.github.com/rest/authentication: a JWT opens App routes only
                    raise ApiError(401, "A JSON web token cannot be used here")
                repo = self.world.repository(f"{params['owner']}/{params['repo']}")
                call.at = check_repository(who.token, repo, route.need)
            case _:
                pass
        answer = route.handler(call)
        return answer if isinstance(answer, Answer) else await answer

    # -- limits

    def _limits(self, who: Credentials, request: web.Request) -> dict[str, str]:
        """Counted per installation, person or App; enforced only when a test asks for it."""
        key = "anonymous"
        if who.token is not None:
            one = who.token.installation
            key = f"installation {one.id}" if one else f"person {who.token.user.id}"
        elif who.app is not None:
            key = f"app {who.app.id}"
        now = self.world.now()
        start, used = self._used.get(key, (now, 0))
        if now - start >= timedelta(hours=1):
            start, used = now, 0
        if request.rel_url.path != "/api/v3/rate_limit":
            used += 1
        self._used[key] = (start, used)
        left = max(0, PER_HOUR - used)
        headers = {
            "X-RateLimit-Limit": str(PER_HOUR),
            "X-RateLimit-Remaining": str(left if self.enforce_limits else max(1, left)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int((start + timedelta(hours=1)).timestamp())),
            "X-RateLimit-Resource": "core",
        }
        if self.enforce_limits and used > PER_HOUR:
            refusal = ApiError(403, "API rate limit exceeded")
            refusal.answer = replace(refusal.answer, headers=headers)
            raise refusal
        return headers

    def spend(self, installation: Installation, requests: int) -> None:
        """As if the installation had made this many requests in its current hour."""
        key = f"installation {installation.id}"
        start, used = self._used.get(key, (self.world.now(), 0))
        self._used[key] = (start, used + requests)

    def _keep(
        self, request: web.Request, path: str, route: Route, body: Json | Answer, answer: Answer
    ) -> None:
        sent = None if isinstance(body, Answer) or not body else body
        self.exchanges.append(
            Exchange(
                method=request.method,
                template=route.template,
                path=path,
                query=dict(request.query),
                request=sent,
                status=answer.status,
                content_type=answer.content_type,
                answer=json.loads(json.dumps(answer.body)) if answer.raw is None else answer.raw,
            )
        )


async def _json_body(request: web.Request) -> Json | Answer:
    if not request.can_read_body:
        return {}
    raw = await request.read()
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        return problem(400, "Problems parsing JSON")
    if isinstance(body, list):
        # Labels may be sent as a bare list.
        return {"labels": body}
    return body if isinstance(body, dict) else problem(400, "Body should be a JSON object")


def _response(request: web.Request, answer: Answer, limits: dict[str, str]) -> web.Response:
    headers = {
        "X-GitHub-Request-Id": uuid.uuid4().hex.upper(),
        "X-GitHub-Api-Version-Selected": "2022-11-28",
        **limits,
        **answer.headers,
    }
    if answer.status == 204:
        return web.Response(status=204, headers=headers)
    raw = answer.raw
    if raw is None:
        raw = json.dumps(answer.body, separators=(",", ":")).encode()
    headers[hdrs.CONTENT_TYPE] = answer.content_type
    if request.method == "GET" and answer.status == 200:
        etag = f'W/"{hashlib.sha256(raw).hexdigest()}"'
        headers[hdrs.ETAG] = etag
        if request.headers.get(hdrs.IF_NONE_MATCH) == etag:
            del headers[hdrs.CONTENT_TYPE]
            return web.Response(status=304, headers=headers)
    return web.Response(status=answer.status, body=raw, headers=headers)
