"""The scripted model, asked over HTTP in each of its dialects."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from bot.demo.model import ModelServer
from bot.demo.screenplay import ANY_REPOSITORY, NOTE_PATH, STORY
from bot.demo.script import Edit, Read, Run, Script, ScriptedTurn, Step
from orchestrator.prompt import Ask, Remark, ThreadTold, context, follow_up
from orchestrator.sealing import Author

TWO_TURNS = Script(
    turns=(
        ScriptedTurn(when="second", steps=(Step(text="Second done."),)),
        ScriptedTurn(
            when="first",
            steps=(
                Step(text="Looking.", actions=(Read(path="a.py"), Run(command="ls"))),
                Step(actions=(Edit(path="a.py", old="x", new="y"),)),
                Step(text="First done."),
            ),
        ),
    ),
    otherwise=(Step(text="Nothing fits."),),
)

OPENCODE_TOOLS = {
    "bash": ["command", "timeout"],
    "read": ["filePath", "offset"],
    "edit": ["filePath", "oldString", "newString"],
    "write": ["content", "filePath"],
}
SYSTEM = "You are an agent.\nWorking directory: /srv/here\nIs directory a git repo: yes"


def properties(names: list[str]) -> dict[str, dict[str, str]]:
    return {name: {} for name in names}


class Chat:
    path = "/v1/chat/completions"

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}]

    def say(self, text: str) -> None:
        self.messages.append({"role": "user", "content": text})

    def body(self, tools: dict[str, list[str]]) -> dict[str, Any]:
        offered = [
            {
                "type": "function",
                "function": {"name": name, "parameters": {"properties": properties(args)}},
            }
            for name, args in tools.items()
        ]
        return {"model": "demo", "messages": self.messages, "tools": offered}

    def take(self, answer: dict[str, Any]) -> tuple[str, list[tuple[str, dict[str, str]]]]:
        message = answer["choices"][0]["message"]
        self.messages.append(message)
        calls = message.get("tool_calls", [])
        for call in calls:
            result = {"role": "tool", "tool_call_id": call["id"], "content": "ok"}
            self.messages.append(result)
        return message["content"] or "", [
            (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls
        ]

    def whole(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        text, calls, usage, finish = "", list[dict[str, Any]](), None, None
        for event in events:
            usage = event.get("usage", usage)
            for choice in event["choices"]:
                finish = choice["finish_reason"] or finish
                text += choice["delta"].get("content") or ""
                for piece in choice["delta"].get("tool_calls", []):
                    if "id" in piece:
                        calls.append({**piece, "function": dict(piece["function"])})
                    else:
                        function = calls[piece["index"]]["function"]
                        function["arguments"] += piece["function"]["arguments"]
        calls = [{key: call[key] for key in call if key != "index"} for call in calls]
        message: dict[str, Any] = {"role": "assistant", "content": text or None}
        if calls:
            message["tool_calls"] = calls
        return {
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": usage,
        }

    same = ("choices", "usage")


class Messages:
    path = "/v1/messages"

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def say(self, text: str) -> None:
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}]})

    def body(self, tools: dict[str, list[str]]) -> dict[str, Any]:
        offered = [
            {"name": name, "input_schema": {"properties": properties(args)}}
            for name, args in tools.items()
        ]
        system = [{"type": "text", "text": SYSTEM}]
        return {"model": "demo", "system": system, "messages": self.messages, "tools": offered}

    def take(self, answer: dict[str, Any]) -> tuple[str, list[tuple[str, dict[str, str]]]]:
        self.messages.append({"role": "assistant", "content": answer["content"]})
        calls = [block for block in answer["content"] if block["type"] == "tool_use"]
        if calls:
            results = [
                {"type": "tool_result", "tool_use_id": call["id"], "content": "ok"}
                for call in calls
            ]
            self.messages.append({"role": "user", "content": results})
        text = "".join(b["text"] for b in answer["content"] if b["type"] == "text")
        return text, [(call["name"], call["input"]) for call in calls]

    def whole(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        message: dict[str, Any] = {}
        partial = ""
        for event in events:
            match event["type"]:
                case "message_start":
                    message = event["message"]
                case "content_block_start":
                    assert event["index"] == len(message["content"])
                    message["content"].append(event["content_block"])
                    partial = ""
                case "content_block_delta" if event["delta"]["type"] == "text_delta":
                    message["content"][-1]["text"] += event["delta"]["text"]
                case "content_block_delta":
                    partial += event["delta"]["partial_json"]
                case "content_block_stop" if partial:
                    message["content"][-1]["input"] = json.loads(partial)
                case "message_delta":
                    message["stop_reason"] = event["delta"]["stop_reason"]
                    message["usage"] = {**message["usage"], **event["usage"]}
        assert events[-1]["type"] == "message_stop"
        return message

    same = ("content", "stop_reason", "usage", "role")


class Responses:
    path = "/v1/responses"

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def say(self, text: str) -> None:
        self.items.append({"role": "user", "content": [{"type": "input_text", "text": text}]})

    def body(self, tools: dict[str, list[str]]) -> dict[str, Any]:
        offered = [
            {"type": "function", "name": n, "parameters": {"properties": properties(args)}}
            for n, args in tools.items()
        ]
        return {"model": "demo", "instructions": SYSTEM, "input": self.items, "tools": offered}

    def take(self, answer: dict[str, Any]) -> tuple[str, list[tuple[str, dict[str, str]]]]:
        self.items += answer["output"]
        calls = [item for item in answer["output"] if item["type"] == "function_call"]
        self.items += [
            {"type": "function_call_output", "call_id": call["call_id"], "output": "ok"}
            for call in calls
        ]
        said = [item for item in answer["output"] if item["type"] == "message"]
        text = "".join(part["text"] for item in said for part in item["content"])
        return text, [(call["name"], json.loads(call["arguments"])) for call in calls]

    def whole(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        numbers = [event["sequence_number"] for event in events]
        assert numbers == list(range(1, len(events) + 1))
        response: dict[str, Any] = events[-1]["response"]
        streamed = [e["delta"] for e in events if e["type"].endswith(".delta")]
        said = [
            item["arguments"] if item["type"] == "function_call" else item["content"][0]["text"]
            for item in response["output"]
        ]
        assert "".join(streamed) == "".join(said)
        return response

    same = ("output", "usage", "status")


Person = Chat | Messages | Responses


async def ask(person: Person, url: str, tools: dict[str, list[str]]) -> dict[str, Any]:
    """Ask both ways, which must come to the same, and give the whole answer."""
    body = person.body(tools)
    async with httpx.AsyncClient(base_url=url) as client:
        whole = await client.post(person.path, json=body)
        streamed = await client.post(person.path, json={**body, "stream": True})
    assert whole.status_code == streamed.status_code == 200, whole.text
    assert streamed.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in streamed.text.splitlines()]
    events = [json.loads(line) for line in lines if line.startswith("{")]
    answer: dict[str, Any] = whole.json()
    put_together = person.whole(events)
    for key in person.same:
        if key == "usage":  # the request to stream is a little longer
            assert set(put_together[key]) == set(answer[key])
        else:
            assert put_together[key] == answer[key]
    return answer


@pytest.mark.parametrize("dialect", [Chat, Messages, Responses])
async def test_a_conversation_of_two_turns(dialect: type[Person]) -> None:
    person = dialect()
    async with ModelServer(TWO_TURNS) as serving:
        person.say("please do the first thing")
        assert person.take(await ask(person, serving.url, OPENCODE_TOOLS)) == (
            "Looking.",
            [("read", {"filePath": "/srv/here/a.py"}), ("bash", {"command": "ls"})],
        )
        edit = {"filePath": "/srv/here/a.py", "oldString": "x", "newString": "y"}
        assert person.take(await ask(person, serving.url, OPENCODE_TOOLS)) == ("", [("edit", edit)])
        last = await ask(person, serving.url, OPENCODE_TOOLS)
        assert person.take(last) == ("First done.", [])

        person.say("and now the second, after the first")
        last = await ask(person, serving.url, OPENCODE_TOOLS)
        assert person.take(last) == ("Second done.", [])


@pytest.mark.parametrize("dialect", [Chat, Messages, Responses])
async def test_a_request_without_tools_is_for_a_title(dialect: type[Person]) -> None:
    person = dialect()
    person.say("Generate a title for this conversation:\n")
    person.say('"please do the first thing"')
    async with ModelServer(TWO_TURNS) as serving:
        answer = await ask(person, serving.url, {})
    assert person.take(answer) == ("please do the first thing", [])


async def test_other_agents_tools_are_called_by_their_names() -> None:
    person = Messages()
    person.say("first")
    tools = {"Bash": ["command", "description"], "Read": ["file_path"]}
    async with ModelServer(TWO_TURNS) as serving:
        _, calls = person.take(await ask(person, serving.url, tools))
        assert calls == [
            ("Read", {"file_path": "/srv/here/a.py"}),
            ("Bash", {"command": "ls", "description": "ls"}),
        ]
        _, calls = person.take(await ask(person, serving.url, tools))
    (name, arguments), *rest = calls
    assert (name, rest) == ("Bash", [])
    assert arguments["command"].startswith("python3 -c"), "no editor on offer: the shell does it"


async def test_many_conversations_at_once_do_not_mix() -> None:
    async def whole_turn(url: str) -> list[str]:
        person = Chat()
        person.say("first")
        return [person.take(await ask(person, url, OPENCODE_TOOLS))[0] for _ in range(3)]

    async with ModelServer(TWO_TURNS) as serving:
        said = await asyncio.gather(*(whole_turn(serving.url) for _ in range(8)))
    assert said == [["Looking.", "", "First done."]] * 8


@pytest.mark.parametrize("header", ["x-api-key", "Authorization"])
async def test_a_request_without_the_key_is_refused(header: str) -> None:
    person = Chat()
    person.say("first")
    async with (
        ModelServer(TWO_TURNS, key="obviously-fake") as serving,
        httpx.AsyncClient(base_url=serving.url) as client,
    ):
        without = await client.post(person.path, json=person.body({}))
        value = "obviously-fake" if header == "x-api-key" else "Bearer obviously-fake"
        body = person.body({})
        given = await client.post(person.path, json=body, headers={header: value})
        wrong = await client.post(person.path, json=body, headers={header: value[:-1]})
    assert (without.status_code, given.status_code, wrong.status_code) == (401, 200, 401)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", "{not json"),
        ("/v1/chat/completions", "[]"),
        ("/v1/chat/completions", '{"messages": [{"role": "wizard"}]}'),
        ("/v1/chat/completions", '{"messages": ["text"]}'),
        ("/v1/messages", '{"messages": 7}'),
        ("/v1/messages", '{"messages": [{"role": "system", "content": "x"}]}'),
        ("/v1/responses", '{"input": [{"type": "computer_call"}]}'),
    ],
)
async def test_what_no_model_would_take_is_refused(path: str, body: str) -> None:
    async with (
        ModelServer(TWO_TURNS) as serving,
        httpx.AsyncClient(base_url=serving.url) as client,
    ):
        answer = await client.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


async def test_the_story_says_what_the_tests_really_said() -> None:
    async def summary(output: str) -> str:
        person = Chat()
        person.say("fix the failing retry test")
        text = ""
        async with ModelServer(STORY) as serving:
            for _ in range(len(STORY.turns[0].steps)):
                text, calls = person.take(await ask(person, serving.url, OPENCODE_TOOLS))
                for message in person.messages[len(person.messages) - len(calls) :]:
                    message["content"] = output
        return text

    assert "20 passed" in await summary("Ran 20 tests in 0.01s\n\nOK")
    assert "**failed** (failures=2 of 20)" in await summary("Ran 20 tests\n\nFAILED (failures=2)")
    assert "not run" in await summary("command not found")


def as_we_ask(text: str, *, earlier: str) -> str:
    """A later prompt as the agent gets it, with the thread around it."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    octocat = Author(login="octocat", may_write=True)
    remark = Remark(key="comment-1", author=octocat, body=earlier, created_at=at, updated_at=at)
    thread = ThreadTold(
        repository="acme/patient",
        number=1,
        title="fix the failing retry test",
        body="",
        author=octocat,
        remarks=(remark,),
    )
    ask = Ask(key="comment-2", login="octocat", text=text, at=at)
    return follow_up(ask, context=context(thread, ask), branch="openinspect/1")


async def test_only_what_is_asked_now_chooses_the_turn_not_the_thread_around_it() -> None:
    async with ModelServer(TWO_TURNS) as serving:
        for asked, said in (("the second", "Second done."), ("a third", "Nothing fits.")):
            person = Chat()
            person.say(as_we_ask(f"please do {asked} thing", earlier="first and second"))
            assert person.take(await ask(person, serving.url, OPENCODE_TOOLS)) == (said, [])
        person.say(as_we_ask("the first thing", earlier="second"))
        assert person.take(await ask(person, serving.url, OPENCODE_TOOLS))[0] == "Looking."


async def test_what_our_prompt_says_to_do_first_is_done_first() -> None:
    person = Chat()
    first = "Others have pushed. Before anything else run `git rebase origin/main`."
    person.say(f"{first}\n\n{as_we_ask('the first thing', earlier='second')}")
    async with ModelServer(TWO_TURNS) as serving:
        said = person.take(await ask(person, serving.url, OPENCODE_TOOLS))
        assert said == ("", [("bash", {"command": "git rebase origin/main"})])
        assert person.take(await ask(person, serving.url, OPENCODE_TOOLS))[0] == "Looking."


async def test_another_repository_gets_an_honest_note() -> None:
    person = Chat()
    person.say("rewrite everything in Rust")
    async with ModelServer(ANY_REPOSITORY) as serving:
        person.take(await ask(person, serving.url, OPENCODE_TOOLS))
        person.messages[-1]["content"] = "abc123 Start\n42\nsetup.py"
        _, [(name, arguments)] = person.take(await ask(person, serving.url, OPENCODE_TOOLS))
    assert name == "write"
    assert arguments["filePath"] == f"/srv/here/{NOTE_PATH}"
    assert "did not understand" in arguments["content"]
    assert "    abc123 Start\n    42" in arguments["content"]
