"""A call goes out with our key, its answer comes back as it is, and its cost is settled."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from support.model_upstream import KEY, House, answer, events, until

from orchestrator.gateway import Gateway, anthropic
from orchestrator.session.values import Usage

MESSAGE: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "hello"}],
}
CHAT: dict[str, Any] = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "hello"}]}
RESPONSE: dict[str, Any] = {"model": "gpt-5.4", "input": "hello", "max_output_tokens": 500}


def sse(*data: object) -> list[bytes]:
    return [f"data: {json.dumps(item)}\n\n".encode() for item in data]


MESSAGE_EVENTS = sse(
    {
        "type": "message_start",
        "message": {
            "usage": {
                "input_tokens": 100,
                "cache_read_input_tokens": 1000,
                "cache_creation_input_tokens": 300,
                "cache_creation": {"ephemeral_1h_input_tokens": 200},
                "output_tokens": 1,
            }
        },
    },
    {"type": "content_block_delta", "delta": {"text": 'say "usage" to me'}},
    {"type": "message_delta", "usage": {"output_tokens": 50}},
    {"type": "message_stop"},
)
# 100 fresh at 3, 1000 read at 0.3, 100 written at 3.75, 200 for an hour at 6, 50 out at 15
MESSAGE_COST = 300 + 300 + 375 + 1200 + 750


async def test_a_message_is_answered_with_the_key_added_and_the_usage_counted(house: House):
    house.model.says(
        answer(
            {"content": [], "usage": {"input_tokens": 10, "output_tokens": 20}},
            set_cookie="account=ours",
            request_id="req_1",
            anthropic_organization_id="org-ours",
            x_ratelimit_remaining="17",
        )
    )
    stream = await house.call(
        "/anthropic/v1/messages?beta=true",
        MESSAGE,
        headers={
            "x-api-key": "the-agents-own",
            "Authorization": "Bearer the-agents-own",
            "Cookie": "a=b",
            "X-Forwarded-For": "10.0.0.1",
            "Host": "elsewhere.test",
            "Transfer-Encoding": "chunked",
            "anthropic-beta": "interleaved-thinking-2025-05-14,mcp-client-2025-04-04",
        },
    )
    assert stream.status == 200 and stream.closed
    assert json.loads(stream.body)["usage"]["output_tokens"] == 20
    assert stream.headers.keys() == {"content-type", "request-id"}
    request = house.model.requests[0]
    assert request.path_qs == "/v1/messages?beta=true"
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"
    assert request.headers["anthropic-version"] == "2023-06-01"
    sent = " ".join(f"{k}: {v}" for k, v in request.headers.items())
    assert "the-agents-own" not in sent and "Cookie" not in sent and "10.0.0.1" not in sent
    assert "elsewhere" not in sent and "Authorization" not in sent
    assert house.model.body == MESSAGE
    assert house.till.usage == Usage(calls=1, input_tokens=10, output_tokens=20, microdollars=330)


async def test_a_streamed_message_passes_byte_for_byte_and_is_priced_with_its_caches(house: House):
    house.model.says(events(*MESSAGE_EVENTS))
    stream = await house.call("/anthropic/v1/messages", MESSAGE | {"stream": True})
    assert stream.body == b"".join(MESSAGE_EVENTS)
    assert house.till.usage == Usage(
        calls=1,
        input_tokens=1400,
        output_tokens=50,
        cached_tokens=1000,
        microdollars=MESSAGE_COST,
    )


@pytest.mark.parametrize("size", [1, 2, 7, 64])
async def test_usage_is_read_however_the_stream_is_cut(house: House, size: int):
    whole = b"".join(MESSAGE_EVENTS).replace(b"\n\n", b"\r\n\r\n")
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    house.model.says(events(*pieces))
    stream = await house.call("/anthropic/v1/messages", MESSAGE | {"stream": True})
    assert stream.body == whole
    assert house.till.usage.microdollars == MESSAGE_COST


async def test_chat_is_asked_for_its_usage_where_the_agent_did_not(house: House):
    chunks = sse(
        {"choices": [{"delta": {"content": "hi"}}], "usage": None},
        {
            "choices": [],
            "usage": {
                "prompt_tokens": 1000,
                "completion_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 400},
            },
        },
    )
    house.model.says(events(*chunks, b"data: [DONE]\n\n"))
    await house.call("/openai/v1/chat/completions", CHAT | {"stream": True})
    assert house.model.body["stream_options"] == {"include_usage": True}
    assert house.model.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    # 600 at 2.5, 400 at 0.25, 100 at 15
    assert house.till.usage == Usage(
        calls=1, input_tokens=1000, output_tokens=100, cached_tokens=400, microdollars=3100
    )


async def test_responses_tell_their_usage_at_the_end_and_store_nothing(house: House):
    done = {"input_tokens": 50, "output_tokens": 10, "input_tokens_details": {"cached_tokens": 0}}
    house.model.says(
        events(
            *sse(
                {"type": "response.created", "response": {"usage": None}},
                {"type": "response.completed", "response": {"usage": done}},
            )
        )
    )
    await house.call("/openai/v1/responses", RESPONSE | {"stream": True})
    assert house.model.body["store"] is False
    assert house.till.usage.microdollars == 125 + 150


async def test_opencode_speaks_all_three_and_lists_its_models_for_nothing(house: House):
    house.model.says(answer({"data": []}))
    for path, body in (("messages", MESSAGE), ("chat/completions", CHAT), ("responses", RESPONSE)):
        assert (await house.call(f"/opencode/v1/{path}", body)).status == 200
        assert house.model.requests[-1].path == f"/zen/v1/{path}"
    settled = len(house.till.settled)
    stream = await house.call("/opencode/v1/models?limit=5", method="GET")
    assert json.loads(stream.body) == {"data": []}
    assert house.model.requests[-1].path_qs == "/zen/v1/models?limit=5"
    await house.call("/anthropic/v1/messages/count_tokens", MESSAGE)
    assert len(house.till.settled) == settled


async def test_a_scripted_model_on_this_machine_is_free(house: House):
    house.model.says(answer({"usage": {"prompt_tokens": 9, "completion_tokens": 9}}))
    await house.call("/openai/v1/chat/completions", CHAT | {"model": "demo"})
    assert house.till.usage == Usage(calls=1, input_tokens=9, output_tokens=9)


async def test_bytes_are_passed_on_as_they_come(house: House):
    hold = asyncio.Event()
    house.model.says(events(*MESSAGE_EVENTS, hold=hold))
    stream, task = house.start("/anthropic/v1/messages", MESSAGE | {"stream": True})
    await until(lambda: b'"usage\\" to me' in stream.out)
    assert not task.done() and not house.till.settled
    hold.set()
    await task
    assert house.till.usage.microdollars == MESSAGE_COST


async def test_a_slow_agent_slows_the_upstream_and_not_our_memory(house: House):
    sent = 0
    piece = b": " + b"x" * 65532 + b"\n\n"

    async def pour(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        nonlocal sent
        response = aiohttp.web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(400):
            await response.write(piece)
            sent += len(piece)
        return response

    house.model.says(pour)
    stream, task = house.start("/anthropic/v1/messages", MESSAGE | {"stream": True}, window=100_000)
    seen = -1
    while sent != seen:  # until nothing moves any more
        seen = sent
        for _ in range(50):
            await asyncio.sleep(0.001)
    assert sent < 20 << 20 and len(stream.out) < 400_000
    stream.window = 1 << 30
    stream.take_all()
    await task
    assert len(stream.body) == 400 * len(piece)


async def test_activity_is_told_once_a_second_at_most(house: House):
    hold = asyncio.Event()
    house.model.says(events(*[b": x\n\n"] * 50, b": y\n\n", hold=hold))
    stream, task = house.start("/anthropic/v1/messages", MESSAGE | {"stream": True})
    await until(lambda: stream.out.count(b": x") == 50)
    assert len(house.activity) == 1
    await house.clock.advance(2)
    hold.set()
    await task
    assert len(house.activity) == 2


async def test_a_missing_key_is_said_with_what_to_do(house: House, session: aiohttp.ClientSession):
    house.gateway = Gateway(session=session, upstreams=[anthropic(None)], clock=house.clock)
    stream = await house.call("/anthropic/v1/messages", MESSAGE)
    assert stream.status == 503
    assert stream.error == "no key for anthropic: set ANTHROPIC_API_KEY on the server"


async def test_a_session_that_keeps_cookies_is_not_taken():
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError, match="cookies"):
            Gateway(session=session, upstreams=[], clock=None)  # type: ignore[arg-type]


async def test_sixteen_calls_of_a_sandbox_go_on_at_once_and_the_next_one_waits(house: House):
    hold = asyncio.Event()
    house.model.says(events(b": x\n\n", b": y\n\n", hold=hold))
    handler = house.gateway.handler_for(house.till)
    streams = [house.start("/anthropic/v1/messages", MESSAGE | {"stream": True})[0].meta]
    del streams
    from support.model_upstream import Stream

    body = json.dumps(MESSAGE | {"stream": True}).encode()
    meta = {"method": "POST", "path": "/anthropic/v1/messages", "headers": []}
    tasks = [asyncio.ensure_future(handler(Stream(meta, body))) for _ in range(20)]
    await until(lambda: len(house.model.requests) == 17)
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert len(house.model.requests) == 17
    hold.set()
    await asyncio.gather(*tasks)
    assert len(house.model.requests) == 21
