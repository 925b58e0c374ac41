"""Each way out of the sandbox that a model API offers is closed, with a test of its own."""

from __future__ import annotations

from typing import Any

import pytest
from support.model_upstream import House, answer

MESSAGES = "/anthropic/v1/messages"
CHAT = "/openai/v1/chat/completions"
RESPONSES = "/openai/v1/responses"
PICTURE = "data:image/png;base64,aGVsbG8="


def message(*content: object, **more: object) -> dict[str, Any]:
    asked = {"model": "claude-sonnet-5", "max_tokens": 10}
    return asked | {"messages": [{"role": "user", "content": list(content)}]} | more


def chat(*content: object, **more: object) -> dict[str, Any]:
    return {"model": "gpt-5.4", "messages": [{"role": "user", "content": list(content)}]} | more


def response(*items: object, **more: object) -> dict[str, Any]:
    return {"model": "gpt-5.4", "input": list(items)} | more


def user(*parts: object) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": list(parts)}


def tool(kind: str, **more: object) -> dict[str, Any]:
    return {"tools": [{"type": kind, "name": "x"} | more]}


MESSAGE_EXITS = {
    "web search": message(**tool("web_search_20250305")),
    "web fetch": message(**tool("web_fetch_20250910")),
    "code execution": message(**tool("code_execution_20250825")),
    "computer use": message(**tool("computer_20250124")),
    "tool search": message(**tool("tool_search_tool_regex_20251119")),
    "an mcp toolset": message(**tool("mcp_toolset", mcp_server_name="x")),
    "an unknown tool": message(**tool("telepathy_20300101")),
    "a tool hidden behind a good one": message(
        tools=[{"name": "ok", "input_schema": {}}, {"type": "web_search_20250305", "name": "x"}]
    ),
    "remote mcp": message(mcp_servers=[{"type": "url", "url": "https://evil.test", "name": "x"}]),
    "a container": message(container="container_1"),
    "skills": message(container={"skills": [{"type": "custom", "skill_id": "x"}]}),
    "an image by address": message(
        {"type": "image", "source": {"type": "url", "url": "https://evil.test/?secret"}}
    ),
    "an image by id": message({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
    "a document by address": message(
        {"type": "document", "source": {"type": "url", "url": "https://evil.test/x.pdf"}}
    ),
    "a document by id": message(
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    ),
    "a document with an address within": message(
        {
            "type": "document",
            "source": {
                "type": "content",
                "content": [
                    {"type": "image", "source": {"type": "url", "url": "https://evil.test"}}
                ],
            },
        }
    ),
    "an image in a tool result": message(
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "image", "source": {"type": "url", "url": "http://evil.test"}}],
        }
    ),
    "an address beside inline data": message(
        {
            "type": "image",
            "source": {"type": "base64", "data": "aGk=", "url": "https://evil.test"},
        }
    ),
    "an image source of no type": message({"type": "image", "source": {"url": "https://x"}}),
    "a container upload": message({"type": "container_upload", "file_id": "file_1"}),
    "a server tool's result": message({"type": "web_search_tool_result", "content": []}),
    "a server tool's use": message({"type": "server_tool_use", "name": "web_search"}),
    "an mcp tool's use": message({"type": "mcp_tool_use", "server_name": "x"}),
    "content of an unknown type": message({"type": "hologram"}),
    "content of no type": message({"text": "x"}),
    "an address in the system prompt": message(
        system=[{"type": "image", "source": {"type": "url", "url": "https://evil.test"}}]
    ),
    "a dearer tier": message(service_tier="priority"),
}

CHAT_EXITS = {
    "web search": chat(web_search_options={"search_context_size": "low"}),
    "web search by name": chat(**tool("web_search")),
    "web search of a preview": chat(**tool("web_search_preview")),
    "a built-in function": chat(**tool("builtin_function", function={"name": "$web_search"})),
    "code execution": chat(**tool("code_interpreter")),
    "a browser": chat(**tool("browser_automation")),
    "an mcp server": chat(**tool("mcp", server_url="https://evil.test")),
    "a tool of no type": chat(tools=[{"name": "x"}]),
    "live search of xai": chat(search_parameters={"mode": "on"}),
    "search of qwen": chat(enable_search=True),
    "plugins of openrouter": chat(plugins=[{"id": "web"}]),
    "other models of openrouter": chat(models=["x/y:online"]),
    "data sources of azure": chat(data_sources=[{"type": "azure_search"}]),
    "storing": chat(store=True),
    "a background call": chat(background=True),
    "fields for the provider alone": chat(extra_body={"google": {"tools": []}}),
    "an image by address": chat(
        {"type": "image_url", "image_url": {"url": "https://evil.test/?secret"}}
    ),
    "an image by address, short": chat({"type": "image_url", "image_url": "http://evil.test"}),
    "an image by an odd address": chat({"type": "image_url", "image_url": {"url": " data:x"}}),
    "an image by a local path": chat({"type": "image_url", "image_url": {"url": "file:///x"}}),
    "an image of no address": chat({"type": "image_url"}),
    "a file by id": chat({"type": "file", "file": {"file_id": "file-1"}}),
    "a file by address": chat({"type": "file", "file": {"file_data": "https://evil.test"}}),
    "a file by both": chat({"type": "file", "file": {"file_data": PICTURE, "file_id": "file-1"}}),
    "audio by address": chat({"type": "input_audio", "input_audio": {"url": "https://evil.test"}}),
    "an address beside a text": chat(
        {"type": "text", "text": "x", "image_url": {"url": "https://evil.test"}}
    ),
    "a video": chat({"type": "video_url", "video_url": {"url": "https://evil.test"}}),
    "content of an unknown type": chat({"type": "hologram"}),
    "a model that searches": chat(model="gpt-5-search-api"),
    "a preview that searches": chat(model="gpt-4o-search-preview-2025-03-11"),
    "a model that is online": chat(model="openai/gpt-5.4:online"),
    "a model that researches": chat(model="o3-deep-research"),
    "a model that browses": chat(model="perplexity/sonar-pro"),
    "a model that runs code": chat(model="groq/compound-mini"),
    "a dearer tier": chat(service_tier="priority"),
}

RESPONSE_EXITS = {
    "web search": response(**tool("web_search")),
    "web search of a preview": response(**tool("web_search_preview_2025_03_11")),
    "file search": response(**tool("file_search", vector_store_ids=["vs_1"])),
    "code interpreter": response(**tool("code_interpreter", container={"type": "auto"})),
    "a hosted shell": response(**tool("shell", environment={"type": "container_auto"})),
    "computer use": response(**tool("computer_use_preview")),
    "remote mcp": response(**tool("mcp", server_url="https://evil.test", server_label="x")),
    "a connector": response(**tool("mcp", connector_id="connector_gmail")),
    "image generation": response(**tool("image_generation")),
    "an unknown tool": response(**tool("telepathy")),
    "storing": response(store=True),
    "a background call": response(background=True),
    "an answer stored earlier": response(previous_response_id="resp_1"),
    "a conversation": response(conversation="conv_1"),
    "a stored prompt": response(prompt={"id": "pmpt_1"}),
    "an item by reference": response({"type": "item_reference", "id": "msg_1"}),
    "an image by address": response(
        user({"type": "input_image", "image_url": "https://evil.test/?secret"})
    ),
    "an image by id": response(user({"type": "input_image", "file_id": "file-1"})),
    "an image by both": response(
        user({"type": "input_image", "image_url": PICTURE, "file_id": "file-1"})
    ),
    "a file by address": response(user({"type": "input_file", "file_url": "https://evil.test"})),
    "a file by id": response(user({"type": "input_file", "file_id": "file-1"})),
    "an image in a function's output": response(
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_image", "image_url": "https://evil.test"}],
        }
    ),
    "a screenshot by address": response(
        {"type": "computer_call_output", "output": {"image_url": "https://evil.test"}}
    ),
    "an mcp call": response({"type": "mcp_call", "server_label": "x"}),
    "an mcp approval": response({"type": "mcp_approval_response", "approve": True}),
    "a message without a type": response(
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://evil.test"}]}
    ),
    "an item of an unknown type": response({"type": "hologram"}),
    "a model that researches": response(model="o4-mini-deep-research"),
    "a dearer tier": response(service_tier="priority"),
}


@pytest.mark.parametrize("name", MESSAGE_EXITS)
async def test_messages(house: House, name: str):
    said = await house.refused(MESSAGES, MESSAGE_EXITS[name])
    assert "not passed on" in said or "not one that the gateway passes on" in said
    await house.refused(f"{MESSAGES}/count_tokens", MESSAGE_EXITS[name])
    await house.refused("/opencode/v1/messages", MESSAGE_EXITS[name])


@pytest.mark.parametrize("name", CHAT_EXITS)
async def test_chat_completions(house: House, name: str):
    said = await house.refused(CHAT, CHAT_EXITS[name])
    assert "not passed on" in said or "not one that the gateway passes on" in said


@pytest.mark.parametrize("name", RESPONSE_EXITS)
async def test_responses(house: House, name: str):
    said = await house.refused(RESPONSES, RESPONSE_EXITS[name])
    assert "not passed on" in said or "not one that the gateway passes on" in said


async def test_the_agent_sees_the_refusal_in_its_provider_s_shape(house: House):
    stream = await house.call(MESSAGES, MESSAGE_EXITS["web search"])
    assert stream.status == 403 and stream.headers["x-should-retry"] == "false"
    assert stream.body == (
        b'{"type": "error", "error": {"type": "permission_error", "message": "the tool type'
        b" 'web_search_20250305' (`tools[0].type`) is not passed on: it would work outside this"
        b' sandbox"}}'
    )
    stream = await house.call(CHAT, CHAT_EXITS["storing"])
    assert b'"type": "invalid_request_error"' in stream.body and b'"param": null' in stream.body


BAD_BODIES = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{",
    b"{}{}",
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b'{"model": "a", "model": "b"}',
    b'{"model": "m", "x": {"a": 1, "a": 2}}',
    b'{"model": "m", "temperature": NaN}',
    b'{"model": "m", "temperature": Infinity}',
    b'{"model": "m", "temperature": 1e999}',
    b'{"model": "m", "max_tokens": ' + b"9" * 5000 + b"}",
    b'{"model": "m", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"model": "m", "x": ' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"model": 1}',
    b'{"model": ""}',
    b'{"model": "' + b"m" * 300 + b'"}',
    b'{"model": "m", "messages": {"0": {}}}',
    b'{"model": "m", "messages": ["x"]}',
    b'{"model": "m", "messages": [{"role": "user", "content": 7}]}',
    b'{"model": "m", "messages": [{"role": "user", "content": ["x"]}]}',
    b'{"model": "m", "tools": {"type": "web_search"}}',
    b'{"model": "m", "tools": [["web_search"]]}',
    b'{"model": "m", "tools": [{"type": ["function"]}]}',
    b'{"model": "m", "tools": [{"type": null}]}',
    b'{"model": "m", "stream": "yes"}',
    b'{"model": "m", "max_tokens": "many"}',
    b'{"model": "m", "max_tokens": -1}',
    b'{"model": "m", "max_tokens": true}',
    b'{"model": "m", "n": 1.5}',
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_bodies_that_are_not_what_they_should_be(house: House, body: bytes):
    for path in (CHAT, MESSAGES, RESPONSES):
        if path == RESPONSES:
            body = body.replace(b'"messages"', b'"input"').replace(
                b"max_tokens", b"max_output_tokens"
            )
        if b'"n"' in body and path != CHAT:
            continue
        assert await house.refused(path, body)


async def test_a_body_beyond_the_limit(house: House):
    said = await house.refused(CHAT, chat({"type": "text", "text": "x" * (1 << 20)}))
    assert said == "the request is over 1 MiB"


async def test_what_was_checked_is_what_is_sent(house: House):
    """Unknown fields stay behind, and the rest is written anew."""
    house.model.says(answer())
    raw = (
        b'  {"model":"gpt-5.4", "messages": [{"role":"user","content":"\\ud800 h\xc3\xa9",'
        b'"surprise": {"url": "https://evil.test"}}], "metadata": {"a": "secret"},'
        b'"user": "secret", "speed": "fast", "some_new_field": "https://evil.test"}  '
    )
    await house.call(CHAT, raw)
    assert house.model.body == {
        "model": "gpt-5.4",
        "messages": [{"role": "user", "content": "\ud800 h\u00e9"}],
    }


async def test_what_agents_send_every_day_passes(house: House):
    house.model.says(answer())
    body = message(
        {
            "type": "text",
            "text": "see https://example.test",
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {"type": "document", "source": {"type": "base64", "media_type": "x", "data": "aGk="}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
        {"type": "tool_use", "id": "t", "name": "fetch", "input": {"url": "https://x.test"}},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}]},
        {"type": "thinking", "thinking": "x", "signature": "s"},
        tools=[
            {"name": "read", "input_schema": {"properties": {"type": {"type": "string"}}}},
            {"type": "custom", "name": "x", "input_schema": {}},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250728", "name": "edit"},
        ],
        system=[{"type": "text", "text": "You are", "cache_control": {"type": "ephemeral"}}],
        thinking={"type": "enabled", "budget_tokens": 16000},
        tool_choice={"type": "auto"},
        stream=False,
    )
    assert (await house.call(MESSAGES, body | {"metadata": {"user_id": "u"}})).status == 200
    assert house.model.body == body
    body = chat(
        {"type": "text", "text": "x"},
        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
        {"type": "file", "file": {"filename": "x.pdf", "file_data": "data:x;base64,aGk="}},
        tools=[{"type": "function", "function": {"name": "x", "parameters": {}}}],
        tool_choice="auto",
        max_tokens=32000,
        temperature=0,
        reasoning_effort="high",
    )
    body["messages"] += [
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "x", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "done"},
    ]
    assert (await house.call(CHAT, body)).status == 200
    assert house.model.body == body
    body = response(
        user({"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": PICTURE}),
        {"role": "developer", "content": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "function_call", "call_id": "c", "name": "x", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
        tools=[{"type": "function", "name": "x", "parameters": {}}],
        store=False,
        include=["reasoning.encrypted_content"],
        reasoning={"effort": "high", "summary": "auto"},
    )
    assert (await house.call(RESPONSES, body)).status == 200
    assert house.model.body == body
    await house.call(RESPONSES, body | {"include": ["web_search_call.action.sources"]})
    assert house.model.body["include"] == []
