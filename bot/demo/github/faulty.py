"""Requests that go wrong on request: the knobs of `faults.py` applied to HTTP."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from .faults import Fault
from .rest import PER_HOUR, problem
from .world import World


async def with_faults(
    world: World,
    request: web.Request,
    path: str,
    run: Callable[[], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Run the request as the knobs say: instead of it, before it, or after it."""
    faults = world.faults.for_request(request.method, path)
    for fault in faults:
        if (refused := _instead(world, request, fault)) is not None:
            return refused
    hidden = max((f.delay for f in faults if f.kind == "hidden_in_listings"), default=0.0)
    world.faults.hide_next(hidden)
    try:
        answer = await run()
    finally:
        world.faults.hide_next(0.0)
    for fault in faults:
        answer = await _afterwards(request, fault, answer)
    return answer


def _instead(world: World, request: web.Request, fault: Fault) -> web.Response | None:
    graphql = fault.status is None and request.rel_url.path == "/api/graphql"
    after = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    match fault.kind:
        case "before_effect_500":
            return _problem(fault.status or 500, "Server Error", {})
        case "before_effect_drop":
            return _dropped(request)
        case "primary_limit":
            reset = int(world.now().timestamp()) + (fault.retry_after or 60)
            headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
            headers |= {"X-RateLimit-Limit": str(PER_HOUR)}
            if graphql:
                # https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
                errors = [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]
                return web.json_response({"errors": errors}, headers=headers)
            return _problem(fault.status or 403, "API rate limit exceeded", headers)
        case "secondary_limit":
            message = "You have exceeded a secondary rate limit. Please wait a few minutes."
            return _problem(fault.status or 403, message, after)
        case "html":
            page = "<html><body><h1>We had issues producing the response</h1></body></html>"
            return web.Response(status=fault.status or 200, text=page, content_type="text/html")
        case _:
            return None


def _problem(status: int, message: str, headers: dict[str, str]) -> web.Response:
    return web.json_response(problem(status, message).body, status=status, headers=headers)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _afterwards(
    request: web.Request, fault: Fault, answer: web.StreamResponse
) -> web.StreamResponse:
    match fault.kind:
        case "delay":
            await asyncio.sleep(fault.delay)
        case "after_effect_500":
            return _problem(fault.status or 500, "Server Error", {})
        case "after_effect_drop":
            return _dropped(request)
        case "truncated":
            assert isinstance(answer, web.Response)
            raw = answer.body if isinstance(answer.body, bytes) else b""
            half = web.StreamResponse(status=answer.status, headers=answer.headers)
            half.content_length = len(raw)
            await half.prepare(request)
            await half.write(raw[: len(raw) // 2])
            if request.transport is not None:
                request.transport.close()
            return half
        case _:
            pass
    return answer
