"""Five exact paths per provider leave the sandbox; everything else is refused in words."""

from __future__ import annotations

import pytest
from support.model_upstream import House, Stream, answer

from orchestrator.gateway import anthropic, openai, opencode
from orchestrator.secret import Secret

BODY = {"model": "claude-sonnet-5", "max_tokens": 1, "messages": []}

PATHS = [
    "",
    "/",
    "*",
    "anthropic/v1/messages",
    "//anthropic/v1/messages",
    "/anthropic//v1/messages",
    "/anthropic/v1//messages",
    "/anthropic/v1/messages/",
    "/anthropic/v1/messages//",
    "/anthropic/v1/./messages",
    "/anthropic/v1/x/../messages",
    "/anthropic/../openai/v1/chat/completions",
    "/anthropic/v1/messages/../files",
    "/anthropic/v1/%6d%65ssages",
    "/anthropic/v1%2fmessages",
    "/anthropic/v1/messages%00",
    "/anthropic/v1/messages%2e%2e/files",
    "/anthropic/v1/..%2ffiles",
    "/anthropic/v1/%2e%2e/files",
    "\\anthropic\\v1\\messages",
    "/anthropic\\v1\\messages",
    "/anthropic/v1/messages\\..\\files",
    "/anthropic/v1/messages#x",
    "/anthropic/v1/messages;x=1",
    "/anthropic/v1/messages\r\nX-Evil: 1",
    "/anthropic/v1/messages HTTP/1.1",
    "/anthropic/v1/messages\n",
    "/ANTHROPIC/v1/messages",
    "/anthropic/V1/messages",
    "/anthropic/v1/Messages",
    "/anthropic/v2/messages",
    "/anthropic/v1beta/messages",
    "http://evil.test/anthropic/v1/messages",
    "https://api.anthropic.com/v1/messages",
    "//evil.test/anthropic/v1/messages",
    "evil.test:443",
    "/evil@host/v1/messages",
    "/metadata/v1/messages",
    "/169.254.169.254/v1/messages",
    "/anthropic/v1/files",
    "/anthropic/v1/files/file_1/content",
    "/anthropic/v1/messages/batches",
    "/anthropic/v1/messages/batches/x/results",
    "/anthropic/v1/skills",
    "/anthropic/v1/organizations/me",
    "/anthropic/v1/complete",
    "/openai/v1/files",
    "/openai/v1/batches",
    "/openai/v1/responses/resp_1",
    "/openai/v1/responses/resp_1/input_items",
    "/openai/v1/conversations",
    "/openai/v1/vector_stores",
    "/openai/v1/containers",
    "/openai/v1/assistants",
    "/openai/v1/threads/runs",
    "/openai/v1/embeddings",
    "/openai/v1/images/generations",
    "/openai/v1/audio/transcriptions",
    "/openai/v1/fine_tuning/jobs",
    "/openai/v1/uploads",
    "/openai/v1/evals",
    "/openai/v1/realtime",
    "/openai/v1/organization/usage",
    "/openai/v1/messages",
    "/anthropic/v1/chat/completions",
    "/anthropic/v1/responses",
    "/opencode/v1/models/gemini-3-pro:generateContent",
    "/anthropic/v1/messages?beta=false",
    "/anthropic/v1/messages?beta=true&x=1",
    "/anthropic/v1/messages?url=http://evil.test",
    "/anthropic/v1/messages?beta=true#",
    "/anthropic/v1/messages?%62eta=true",
    "/anthropic/v1/messages??beta=true",
    "/anthropic/v1/" + "m" * 5000,
    "/anthropic/v1/messages\u0000",
    "/anthropic/v1/mess\u0430ges",
]


@pytest.mark.parametrize("path", PATHS)
async def test_a_path_that_is_not_on_the_list_goes_nowhere(house: House, path: str):
    house.model.says(answer())
    assert await house.refused(path, BODY)


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "post", ""]
)
async def test_methods_that_are_not_the_ones_of_a_path(house: House, method: str):
    await house.refused("/anthropic/v1/messages", BODY, method=method)
    if method != "GET":
        await house.refused("/anthropic/v1/models", BODY, method=method)
    await house.refused("evil.test:443", BODY, method=method)


async def test_no_other_protocol_is_changed_to(house: House):
    for headers in ({"Upgrade": "websocket"}, {"upgrade": "h2c", "Connection": "Upgrade"}):
        said = await house.refused("/anthropic/v1/messages", BODY, headers=headers)
        assert said == "the gateway does not change protocols"


async def test_a_compressed_body_is_not_guessed_at(house: House):
    await house.refused("/anthropic/v1/messages", BODY, headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"method": "POST"},
        {"method": 1, "path": "/anthropic/v1/messages", "headers": []},
        {"method": "POST", "path": None, "headers": []},
        {"method": "POST", "path": "/anthropic/v1/messages", "headers": {}},
        {"method": "POST", "path": "/anthropic/v1/messages", "headers": [["a"]]},
        {"method": "POST", "path": "/anthropic/v1/messages", "headers": [["a", 1]]},
        {"method": "POST", "path": "/anthropic/v1/messages", "headers": [["a", "b"]] * 101},
        {"method": ["POST"], "path": {"x": 1}, "headers": "x"},
    ],
)
async def test_an_opening_that_is_not_a_request(house: House, meta: dict[str, object]):
    stream = Stream(meta, b"{}")
    await house.gateway.handler_for(house.till)(stream)
    assert stream.status == 400 and stream.closed and not house.model.requests


async def test_an_unknown_provider_is_told_which_there_are(house: House):
    said = await house.refused("/mistral/v1/chat/completions", BODY)
    assert said == (
        "no model provider called mistral is configured; there is: anthropic, openai, opencode"
    )


async def test_redirects_are_not_followed_with_our_key(house: House):
    for status in (301, 302, 303, 307, 308):
        house.model.says(answer(status=status, Location=f"{house.model.url}/v1/elsewhere"))
        stream = await house.call("/anthropic/v1/messages", BODY)
        assert stream.status == 502
        assert stream.error == "anthropic answered with a redirect, which is not followed"
    assert {request.path for request in house.model.requests} == {"/v1/messages"}


def test_base_urls_are_taken_as_the_sdks_take_them():
    key = Secret("not-a-key")
    roots = [
        (anthropic(key).root, "https://api.anthropic.com/v1"),
        (anthropic(key, "https://proxy.test/a/").root, "https://proxy.test/a/v1"),
        (anthropic(key, "https://proxy.test/v1").root, "https://proxy.test/v1"),
        (openai(key).root, "https://api.openai.com/v1"),
        (openai(key, "http://localhost:11434").root, "http://localhost:11434/v1"),
        (openai(key, "https://proxy.test/api/v4/").root, "https://proxy.test/api/v4"),
        (opencode(key).root, "https://opencode.ai/zen/v1"),
    ]
    assert [found for found, _ in roots] == [wanted for _, wanted in roots]
    for bad in ("ftp://x.test", "https://u:p@x.test", "https://x.test?a=b", "x.test", "https://"):
        with pytest.raises(ValueError, match="the base URL"):
            openai(key, bad)


def test_a_local_model_needs_no_key_and_a_real_one_does():
    assert openai(None).needs_key and not openai(None, "http://127.0.0.1:1/v1").needs_key
    assert openai(None, "http://[::1]:1/v1").unknown_is_free
    assert not openai(None, "https://proxy.test/v1").unknown_is_free
