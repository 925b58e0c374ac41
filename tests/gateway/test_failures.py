"""Upstreams fail, agents leave, budgets end: each call is settled once and the agent is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs
from support.model_upstream import KEY, Handler, House, Till, answer, events, until

from orchestrator.gateway import Gateway, Prices, anthropic, dollars
from orchestrator.gateway.headers import retry_after, without
from orchestrator.secret import Secret
from orchestrator.session.values import Usage

PATH = "/anthropic/v1/messages"
MESSAGE: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "hello " * 50}],
}
STREAM = MESSAGE | {"stream": True}
OK = {"content": [], "usage": {"input_tokens": 10, "output_tokens": 20}}
START = (
    b'data: {"type": "message_start", "message": {"usage": {"input_tokens": 100,'
    b' "output_tokens": 1}}}\n\n'
)
DELTA = b'data: {"type": "content_block_delta", "delta": {"text": "' + b"x" * 300 + b'"}}\n\n'


def dropped() -> Handler:
    """The connection is closed without an answer."""

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    return handle


async def run(house: House, task: asyncio.Task[None], seconds: float = 60) -> None:
    """Let time pass until the call is over."""
    for _ in range(int(seconds * 4)):
        if task.done():
            break
        await asyncio.sleep(0.002)
        await house.clock.advance(0.25)
    await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
async def test_a_passing_trouble_is_tried_again(house: House, status: int):
    house.model.says(answer({"error": {"message": "busy"}}, status=status), answer(OK))
    stream, task = house.start(PATH, MESSAGE)
    await run(house, task)
    assert stream.status == 200 and len(house.model.requests) == 2
    assert 1.0 in house.clock.slept
    assert house.till.usage == Usage(calls=1, input_tokens=10, output_tokens=20, microdollars=330)


async def test_a_lost_connection_is_tried_again(house: House):
    house.model.says(dropped(), dropped(), answer(OK))
    stream, task = house.start(PATH, MESSAGE)
    await run(house, task)
    assert stream.status == 200 and len(house.model.requests) == 3
    assert [s for s in house.clock.slept if s >= 1.0 and s != 1.0] == [2.0]


async def test_after_three_tries_the_agent_is_told(house: House):
    house.model.says(answer({"error": {"message": "busy"}}, status=529, Retry_After="1"))
    stream, task = house.start(PATH, MESSAGE)
    await run(house, task)
    assert stream.status == 529 and stream.headers["retry-after"] == "1"
    assert json.loads(stream.body) == {"error": {"message": "busy"}}
    assert len(house.model.requests) == 3
    assert house.till.usage == Usage(calls=1)


async def test_an_upstream_that_is_not_there_is_said_without_its_address(
    house: House, session: aiohttp.ClientSession
):
    house.gateway = Gateway(
        session=session,
        upstreams=[anthropic(Secret(KEY), "http://127.0.0.1:1")],
        clock=house.clock,
        jitter=lambda: 0.0,
    )
    stream, task = house.start(PATH, MESSAGE)
    await run(house, task)
    assert stream.status == 502 and "could not be reached" in stream.error
    assert "127.0.0.1" not in stream.error and "x-should-retry" not in stream.headers
    assert house.till.usage == Usage(calls=1)


async def test_a_long_wait_is_left_to_the_agent(house: House):
    house.model.says(answer({}, status=429, retry_after="3600"))
    stream = await house.call(PATH, MESSAGE)
    assert stream.status == 429 and stream.headers["retry-after"] == "3600"
    assert len(house.model.requests) == 1


async def test_the_upstream_says_when_to_try_again(house: House):
    house.model.says(answer({}, status=429, retry_after="7"), answer(OK))
    stream, task = house.start(PATH, MESSAGE)
    await house.clock.wait_for_sleep(7.0)
    await run(house, task)
    assert stream.status == 200


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_a_mistake_of_the_agent_is_told_once_and_costs_nothing(house: House, status: int):
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": "wrong"}}
    house.model.says(answer(said, status=status))
    stream = await house.call(PATH, MESSAGE)
    assert stream.status == status and json.loads(stream.body) == said
    assert house.till.usage == Usage(calls=1) and len(house.model.requests) == 1


async def test_an_answer_that_has_begun_is_never_asked_for_again(house: House):
    house.model.says(events(START, DELTA, cut=True))
    stream = await house.call(PATH, STREAM)
    assert len(house.model.requests) == 1
    assert stream.body.startswith(START + DELTA) and stream.closed
    last = stream.body.rstrip().rpartition(b"\n")[2].removeprefix(b"data: ")
    assert json.loads(last)["type"] == "error"
    assert "broke off" in json.loads(last)["error"]["message"]
    # 100 tokens of input as told; the output at most what came, a third of its bytes
    seen = len(START + DELTA) // 3 + 1
    assert house.till.usage == Usage(
        calls=1, input_tokens=100, output_tokens=seen, microdollars=300 + 15 * seen
    )


async def test_a_whole_answer_that_breaks_off_is_no_answer(house: House):
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Content-Length": "1000"}
        )
        await response.prepare(request)
        await response.write(b'{"content": ')
        assert request.transport is not None
        await asyncio.sleep(0)
        request.transport.close()
        return response

    house.model.says(half)
    stream = await house.call(PATH, MESSAGE)
    assert stream.was_reset is not None and "broke off" in stream.was_reset
    assert house.till.usage.calls == 1 and house.till.usage.microdollars > 0


async def test_silence_ends_a_stream_with_an_error_the_agent_sees(house: House):
    hold = asyncio.Event()
    house.model.says(events(START, b"", hold=hold))
    stream, task = house.start(PATH, STREAM)
    await until(lambda: START in stream.out)
    await house.clock.advance(119)
    assert not task.done()
    await house.clock.advance(2)
    await task
    assert b"event: error" in stream.body and stream.closed
    assert b"no byte came from anthropic for 120 s" in stream.body
    await until(lambda: house.model.broken == 1)
    assert house.till.usage.input_tokens == 100
    hold.set()


async def test_a_stream_that_keeps_talking_may_last(house: House):
    go = [asyncio.Event() for _ in range(4)]

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, event in enumerate(go):
            await response.write(b": ping %d\n\n" % number)
            await event.wait()
        return response

    house.model.says(slow)
    stream, task = house.start(PATH, STREAM)
    for number, event in enumerate(go):
        await until(lambda n=number: b": ping %d" % n in stream.out)
        await house.clock.advance(100)
        assert not task.done()
        event.set()
    await task
    assert b"error" not in stream.body


async def test_an_answer_that_is_not_streamed_may_take_longer(house: House):
    hold = asyncio.Event()

    async def think(request: web.Request) -> web.StreamResponse:
        await hold.wait()
        return web.json_response(OK)

    house.model.says(think)
    stream, task = house.start(PATH, MESSAGE)
    await until(lambda: len(house.model.requests) == 1)
    await house.clock.advance(500)
    assert not task.done()
    await house.clock.advance(101)
    await task
    assert stream.status == 504 and "no byte came" in stream.error
    assert house.till.usage == Usage(calls=1)
    hold.set()


async def test_an_agent_that_leaves_ends_the_call_upstream(house: House):
    hold = asyncio.Event()
    house.model.says(events(START, DELTA, b"", hold=hold))
    stream, task = house.start(PATH, STREAM)
    await until(lambda: DELTA in stream.out)
    stream.leave()
    await house.clock.advance(1)
    with pytest.raises(Exception, match="went away"):
        await task
    await until(lambda: house.model.broken == 1)
    assert house.till.usage.input_tokens == 100 and house.till.usage.output_tokens > 1
    hold.set()


async def test_an_agent_that_leaves_before_the_first_byte_costs_nothing(house: House):
    hold = asyncio.Event()

    async def think(request: web.Request) -> web.StreamResponse:
        await hold.wait()
        return web.json_response(OK)

    house.model.says(think)
    stream, task = house.start(PATH, MESSAGE)
    await until(lambda: len(house.model.requests) == 1)
    stream.leave()
    await house.clock.advance(1)
    with pytest.raises(Exception, match="went away"):
        await task
    assert house.till.usage == Usage(calls=1)
    hold.set()


async def test_a_cancelled_call_is_settled_all_the_same(house: House):
    hold = asyncio.Event()
    house.model.says(events(START, DELTA, b"", hold=hold))
    stream, task = house.start(PATH, STREAM)
    await until(lambda: DELTA in stream.out)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.till.usage.input_tokens == 100
    hold.set()


class SlowTill(Till):
    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def reserve(self, call: str, microdollars: int) -> bool:
        await self.open.wait()
        return await super().reserve(call, microdollars)

    async def settle(self, call: str, usage: Usage) -> None:
        await asyncio.sleep(0.01)
        await super().settle(call, usage)


async def test_a_reservation_that_nobody_waits_for_is_given_back(house: House):
    house.till = till = SlowTill()
    _, task = house.start(PATH, MESSAGE)
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    till.open.set()
    await house.gateway.close()
    assert len(till.reserved) == 1 and till.usage == Usage()


async def test_settling_outlives_a_second_cancel(house: House):
    house.till = till = SlowTill()
    till.open.set()
    hold = asyncio.Event()
    house.model.says(events(START, b"", hold=hold))
    stream, task = house.start(PATH, STREAM)
    await until(lambda: START in stream.out)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await house.gateway.close()
    assert till.usage.calls == 1
    hold.set()


async def test_the_worst_case_is_set_aside_before_anything_is_sent(house: House):
    house.model.says(answer(OK))
    await house.call(PATH, MESSAGE)
    [reserved] = house.till.reserved.values()
    body = len(json.dumps(MESSAGE, separators=(",", ":")))
    assert reserved == (body // 3) * 6 + 1000 * 15  # all input as if written for an hour
    assert house.till.usage.microdollars < reserved


async def test_a_call_that_could_pass_the_budget_is_not_made(house: House):
    house.till.budget = 15_000
    stream = await house.call(PATH, MESSAGE)
    assert stream.status == 402 and not house.model.requests and not house.till.settled
    assert json.loads(stream.body)["error"] == {
        "type": "billing_error",
        "message": "the budget is used up: this call could exceed it, so it was not made",
    }
    stream = await house.call("/openai/v1/chat/completions", {"model": "gpt-5.4", "messages": []})
    assert stream.status == 402 and json.loads(stream.body)["error"]["code"] == "insufficient_quota"


async def test_several_answers_are_several_times_the_worst_case(house: House):
    house.model.says(answer({}))
    asked = {"model": "gpt-5.4", "messages": [], "max_tokens": 100, "n": 3}
    await house.call("/openai/v1/chat/completions", asked)
    [reserved] = house.till.reserved.values()
    assert reserved >= 3 * 100 * 15


async def test_images_are_not_counted_by_their_bytes(house: House):
    house.model.says(answer(OK))
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 900_000}}
    await house.call(PATH, MESSAGE | {"messages": [{"role": "user", "content": [image]}]})
    [reserved] = house.till.reserved.values()
    assert 5_000 * 6 < reserved < 5_200 * 6 + 15_000


async def test_an_answer_without_usage_costs_what_was_set_aside(house: House):
    house.model.says(answer({"content": "x" * 9000}))
    await house.call(PATH, MESSAGE)
    [reserved] = house.till.reserved.values()
    assert 0.4 * reserved < house.till.usage.microdollars <= reserved


async def test_the_key_is_in_no_error_header_or_log(house: House):
    echo = {
        "error": {
            "message": f"bad key {KEY} and {KEY[:-7]} and {KEY[7:]}",
            "headers": f"x-api-key: {KEY}",
        }
    }
    with capture_logs() as logs:
        for status in (400, 401, 403, 404, 418, 500):
            house.model.says(answer(echo, status=status, x_request_id=f"r-{status}"))
            stream, task = house.start(PATH, MESSAGE)
            await run(house, task)
            whole = bytes(stream.out).decode()
            assert "CANARY" not in whole and KEY[:16] not in whole and KEY[-16:] not in whole
            if status == 401:
                assert stream.error == (
                    "anthropic does not accept the key: check ANTHROPIC_API_KEY on the server"
                )
        house.model.says(answer({}, request_id=f"r {KEY}"))
        await house.call(PATH, MESSAGE)
    assert KEY not in repr(house.gateway.__dict__) and "CANARY" not in json.dumps(logs)
    assert any(entry["event"] == "model_call" for entry in logs)


async def test_a_request_that_never_arrives_is_ended(house: House):
    stream, task = house.start(PATH, MESSAGE)
    del stream, task
    from support.model_upstream import Stream

    half = Stream({"method": "POST", "path": PATH, "headers": []}, b"")
    half.incoming = asyncio.Queue()
    half.incoming.put_nowait(b"{")
    waiting = asyncio.ensure_future(house.gateway.handler_for(house.till)(half))
    await asyncio.sleep(0.01)
    await house.clock.advance(121)
    await waiting
    assert half.status == 408


async def test_prices_can_be_set(house: House, session: aiohttp.ClientSession):
    house.gateway = Gateway(
        session=session,
        upstreams=[anthropic(None, house.model.url)],
        clock=house.clock,
        prices=Prices(models={"claude-sonnet-4-6": dollars(100, 200)}),
    )
    house.model.says(answer(OK))
    await house.call(PATH, MESSAGE)
    assert house.till.usage.microdollars == 10 * 100 + 20 * 200
    assert "x-api-key" not in house.model.requests[0].headers


def test_retry_after_in_all_its_forms(house: House):
    now = house.clock.now()
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}, now) == 1.5
    assert retry_after({"retry-after": "9"}, now) == 9.0
    assert retry_after({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, now) == 30.0
    assert retry_after({"retry-after": "Sun, 01 Mar 2020 12:00:30 GMT"}, now) == 0.0
    for odd in ("", "soon", "-1", "nan", "inf", "1e9", "9" * 30):
        assert retry_after({"retry-after": odd}, now) is None


def test_a_secret_is_taken_out_whole_and_cut():
    secret = "abcdefghijklmnopqrstuvwxyz"
    for text in (secret, secret[7:], secret[:-7], f"x{secret}y", secret[5:20]):
        left = without(f"<{text}>", [secret])
        assert not any(secret[at : at + 12] in left for at in range(15))
    assert without("abcdefghijk is not long enough", [secret]).startswith("abcdefghijk")
