"""Model calls: HTTP inside, a stream of kind `http` outside."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from sandbox.provider import SandboxGone, StreamReset


def head(status: int = 200, **headers: str) -> bytes:
    pairs = [[name.replace("_", "-"), value] for name, value in headers.items()]
    return json.dumps({"status": status, "headers": pairs}).encode() + b"\n"


async def whole(stream: Any) -> bytes:
    body = b""
    while data := await stream.read():
        body += data
    return body


async def echo(stream: Any) -> None:
    body = await whole(stream)
    said = {"meta": dict(stream.meta), "body": body.decode("latin-1")}
    await stream.write(head(content_type="application/json", connection="close", x_a="b"))
    await stream.write(json.dumps(said).encode())


class Client:
    """Raw HTTP/1.1 towards the gateway, to say what no proper client would."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def say(self, data: bytes, *, close: bool = False) -> Any:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(data)
        await self.writer.drain()
        return self

    async def head(self) -> str:
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def rest(self) -> bytes:
        return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


async def attached(bench, handler: Callable[[Any], Any], *options: str) -> Any:
    await bench.start(*options)
    return await bench.attach(handlers={"http": handler})


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as made:
        yield made


def url(link: Any, path: str = "/openai/v1/x") -> str:
    return f"http://127.0.0.1:{link.gateway_port}{path}"


async def test_a_request_and_its_answer_pass_unchanged(bench, session):
    link = await attached(bench, echo)
    headers = {"Authorization": "Bearer none", "Connection": "keep-alive, x", "TE": "trailers"}
    async with session.post(
        url(link, "/anthropic/v1/messages?beta=true"), data=b'{"a":1}\xff', headers=headers
    ) as answer:
        said = await answer.json()
        assert answer.status == 200
        assert (answer.headers["X-A"], answer.headers["Transfer-Encoding"]) == ("b", "chunked")
    assert (said["meta"]["method"], said["body"]) == ("POST", '{"a":1}\xff')
    assert said["meta"]["path"] == "/anthropic/v1/messages?beta=true"
    names = {name.lower() for name, _ in said["meta"]["headers"]}
    assert {"authorization", "host", "content-length"} <= names
    assert not {"connection", "te", "transfer-encoding"} & names


async def test_a_chunked_body_and_keep_alive(bench):
    link = await attached(bench, echo)
    client = Client(link.gateway_port)
    request = (
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: t\r\n\r\n"
    )
    await client.say(request * 2 + b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    said = (await client.rest()).decode()
    client.close()
    assert said.count("HTTP/1.1 200 OK") == 3
    assert said.count('"body": "hello!"') == 2
    assert said.count("Connection: close") == 1


async def test_a_large_body_goes_up_and_comes_down(bench, session):
    link = await attached(bench, echo)
    body = b"x" * (5 << 20)
    async with session.post(url(link), data=io.BytesIO(body)) as answer:
        assert len((await answer.json())["body"]) == len(body)


async def test_a_streamed_answer_arrives_as_it_is_written(bench, session):
    go = asyncio.Event()

    async def slow(stream: Any) -> None:
        await whole(stream)
        await stream.write(head(content_type="text/event-stream"))
        for number in range(3):
            await stream.write(f"data: {number}\n\n".encode())
            await go.wait()
            go.clear()

    link = await attached(bench, slow)
    async with session.post(url(link), data=b"{}") as answer:
        for number in range(3):
            assert await answer.content.readline() == f"data: {number}\n".encode()
            await answer.content.readline()
            go.set()
        assert await answer.content.read() == b""


async def test_the_length_and_the_status_are_the_hosts(bench, session):
    async def short(stream: Any) -> None:
        await stream.write(head(429, content_length="5", retry_after="3"))
        await stream.write(b"short and cut")

    link = await attached(bench, short)
    async with session.post(url(link), data=b"") as answer:
        assert (answer.status, await answer.read()) == (429, b"short")
        assert answer.headers["Retry-After"] == "3"


async def test_head_and_204_have_no_body(bench, session):
    async def none(stream: Any) -> None:
        await stream.write(head(204 if stream.meta["method"] == "GET" else 200, x="y"))

    link = await attached(bench, none)
    for method, status in (("HEAD", 200), ("GET", 204), ("HEAD", 200)):
        async with session.request(method, url(link, "/")) as answer:
            assert (answer.status, await answer.read()) == (status, b"")


async def test_a_client_that_leaves_resets_its_stream(bench):
    left: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def endless(stream: Any) -> None:
        await stream.write(head())
        try:
            while True:
                await stream.write(b"data\n")
                await asyncio.sleep(0)
        except StreamReset as error:
            left.set_result(str(error))
            raise

    link = await attached(bench, endless)
    client = await Client(link.gateway_port).say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.head()
    client.close()
    assert await asyncio.wait_for(left, 10) == "the client went away"


async def test_a_client_that_leaves_before_the_answer_resets_its_stream_too(bench):
    left: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    came = asyncio.Event()

    async def thinking(stream: Any) -> None:
        await whole(stream)
        came.set()
        try:
            while True:
                await stream.write(b"")
                await asyncio.sleep(0.01)
        except StreamReset as error:
            left.set_result(str(error))
            raise

    link = await attached(bench, thinking)
    client = await Client(link.gateway_port).say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await came.wait()
    client.close()
    assert await asyncio.wait_for(left, 10) == "the client went away"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET http://other/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 60_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 7000 + b"\r\n", 431),
    ],
)
async def test_requests_that_make_no_sense_are_refused(bench, request_, status):
    link = await attached(bench, echo)
    client = await Client(link.gateway_port).say(request_)
    assert f"HTTP/1.1 {status} " in await client.head()
    client.close()


async def test_a_body_that_breaks_off_resets_the_stream(bench):
    broke: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def read(stream: Any) -> None:
        try:
            await whole(stream)
        except StreamReset as error:
            broke.set_result(str(error))
            raise

    link = await attached(bench, read)
    client = await Client(link.gateway_port).say(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
    )
    client.writer.write_eof()
    assert await asyncio.wait_for(broke, 10)
    client.close()


async def test_a_host_that_refuses_or_fails_is_a_502(bench, session):
    async def refuse(stream: Any) -> None:
        await stream.reset("over budget")

    link = await attached(bench, refuse)
    async with session.post(url(link), data=b"x") as answer:
        assert answer.status == 502
        assert (await answer.json())["error"]["message"] == "over budget"


@pytest.mark.parametrize(
    "said", [b"", b"no json\n", b'{"status":200}\n', b'{"status":99,"headers":[]}\n', b"x" * 70_000]
)
async def test_an_answer_of_the_host_that_makes_no_sense_is_a_502(bench, session, said):
    async def answer_badly(stream: Any) -> None:
        await stream.write(said)

    link = await attached(bench, answer_badly)
    async with session.post(url(link), data=b"x") as answer:
        assert answer.status == 502


async def test_an_answer_that_breaks_off_does_not_look_whole(bench, session):
    half = asyncio.Event()

    async def break_off(stream: Any) -> None:
        await stream.write(head() + b"half")
        await half.wait()
        await stream.reset("upstream gone")

    link = await attached(bench, break_off)
    async with session.post(url(link), data=b"x") as answer:
        assert await answer.content.read(4) == b"half"
        half.set()
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_nobody_attached_is_a_503_after_a_while(bench, session):
    link = await attached(bench, echo, "--patience-seconds", "0.3")
    await link.close()
    async with session.post(url(link), data=b"x") as answer:
        assert answer.status == 503
        assert "nobody" in (await answer.json())["error"]["message"]


async def test_a_call_without_an_answer_yet_is_sent_again_to_the_next_host(bench, session):
    came = asyncio.Event()

    async def hang(stream: Any) -> None:
        await whole(stream)
        came.set()
        try:
            while True:
                await stream.write(b"")
                await asyncio.sleep(0.01)
        except SandboxGone:
            raise

    first = await attached(bench, hang)
    asking = asyncio.create_task(session.post(url(first), data=b"the body"))
    await came.wait()
    await first.close()
    await bench.attach(handlers={"http": echo})
    async with await asking as answer:
        assert (await answer.json())["body"] == "the body"


async def test_a_call_whose_answer_has_begun_is_not_sent_again(bench, session):
    calls = 0

    async def begin(stream: Any) -> None:
        nonlocal calls
        calls += 1
        await stream.write(head() + b"begun")
        while True:
            await stream.write(b"")
            await asyncio.sleep(0.01)

    link = await attached(bench, begin)
    async with session.post(url(link), data=b"x") as answer:
        assert await answer.content.read(5) == b"begun"
        await link.close()
        await bench.attach(handlers={"http": begin})
        with pytest.raises(aiohttp.ClientError):
            await answer.content.read()
    assert calls == 1


async def test_64_calls_at_once_and_the_65th_waits(bench):
    running = 0
    most = 0
    go = asyncio.Event()

    async def hold(stream: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running >= 64:
            go.set()
        await go.wait()
        await whole(stream)
        await stream.write(head() + b"ok")
        await stream.close()
        running -= 1

    link = await attached(bench, hold)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call() -> bytes:
            async with session.post(url(link), data=b"x") as answer:
                return await answer.read()

        answers = await asyncio.wait_for(asyncio.gather(*(call() for _ in range(100))), 20)
    assert answers == [b"ok"] * 100
    assert most == 64
