"""`openinspect run`: ask a server for work from a terminal or a script, and follow it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from bot import settings as deployment
from orchestrator.config.keys import EFFORTS
from orchestrator.messages import figures, inert
from orchestrator.secret import Secret

from .word import DONE, FAILED, USAGE, Word

EVERY_SECONDS = 3.0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repo", required=True, metavar="OWNER/NAME")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--issue", type=_issue, metavar="N|new", help="work on this issue, or open one"
    )
    where.add_argument("--pull", type=_number, metavar="N", help="work on this pull request")
    parser.add_argument("--title", help="of the new issue")
    parser.add_argument("prompt", metavar="PROMPT", help="what to do; `-` reads it from the input")
    parser.add_argument("--model", metavar="PROVIDER/NAME")
    parser.add_argument("--effort", choices=EFFORTS)
    parser.add_argument(
        "--server", metavar="URL", help="[OPENINSPECT_SERVER, else http://127.0.0.1:8080]"
    )
    parser.add_argument(
        "--follow", action="store_true", help="print what happens until the turn ends"
    )


def _number(text: str) -> int:
    text = text.removeprefix("#")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number")
    return int(text)


def _issue(text: str) -> int | str:
    return text if text == "new" else _number(text)


def _run(arguments: argparse.Namespace) -> int:
    from bot.client import server_problem

    server, token = deployment.client_from_environment()
    server = arguments.server or server
    problem = server_problem(server)
    if token is None:
        problem = (
            "OPENINSPECT_TOKEN is missing: whoever runs the server makes one with "
            "`openinspect tokens create`"
        )
    if (arguments.issue == "new") != bool(arguments.title):
        problem = "`--issue new` and `--title` belong together"
    if problem or token is None:
        print(problem, file=sys.stderr)
        return USAGE
    request: dict[str, object] = {
        "repository": arguments.repo,
        "prompt": sys.stdin.read() if arguments.prompt == "-" else arguments.prompt,
    }
    given = {
        "issue": arguments.issue,
        "pull_request": arguments.pull,
        "title": arguments.title,
        "model": arguments.model,
        "effort": arguments.effort,
    }
    request |= {name: value for name, value in given.items() if value is not None}
    return asyncio.run(ask(server, token, request, follow=arguments.follow))


async def ask(
    server: str,
    token: Secret,
    request: Mapping[str, object],
    *,
    follow: bool,
    every: float = EVERY_SECONDS,
) -> int:
    """Prints the session and its thread; with `follow` the exit code tells how the turn ended."""
    from bot.client import Client, ClientError

    async with Client(server=server, token=token, wait=asyncio.sleep) as client:
        try:
            answer = await client.start(request)
            _say(f"Session {answer.session['id']}, prompt {answer.prompt}")
            _say(str(answer.session["links"]["thread"]))
            if not follow:
                return DONE
            return await _follow(client, answer.session, answer.prompt, every)
        except ClientError as error:
            print(inert.without_controls(str(error)), file=sys.stderr)
            return FAILED


async def _follow(client: Any, session: Mapping[str, Any], prompt: str, every: float) -> int:
    shown = ""
    while True:
        line, outcome = _state(session, prompt)
        if line != shown:
            _say(line)
            shown = line
        if outcome is not None:
            return DONE if outcome == "succeeded" else FAILED
        await asyncio.sleep(every)
        session = await client.session(str(session["id"]))


def _state(session: Mapping[str, Any], prompt: str) -> tuple[str, str | None]:
    """What there is to say of our prompt, and how it ended once it has."""
    waiting = [one["prompt"] for one in session["waiting"]]
    if prompt in waiting:
        before = waiting.index(prompt) + sum(1 for turn in session["turns"] if not turn["outcome"])
        return f"queued, {figures.count(before, 'turn')} before it", None
    turn = next((one for one in session["turns"] if one["prompt"] == prompt), None)
    if turn is None:
        return "dropped: the session was cancelled before it began", "cancelled"
    words = [f"turn {turn['number']}", str(turn["outcome"] or turn["phase"])]
    if turn["outcome"] is None:
        if turn["step"]:
            words.append(str(turn["step"]))
        return " · ".join(words), None
    words.append(figures.money(int(turn["cost"]["microdollars"])))
    link = session["links"]["pull_request"]
    if link:
        words.append(str(link))
    if turn["reason"]:
        words.append(str(turn["reason"]))
    return " · ".join(words), str(turn["outcome"])


def _say(line: str) -> None:
    print(inert.without_controls(line.replace("\n", " ")), flush=True)


WORD = Word(
    name="run",
    help="ask a server for work, as a mention would",
    description="Ask in a thread of a repository, as the person that the token acts for.\n"
    "The token comes from OPENINSPECT_TOKEN.",
    epilog="""examples:
  openinspect run --repo acme/app --issue 41 "fix the flaky retry test" --follow
  openinspect run --repo acme/app --issue new --title "Flaky retry test" - < task.md

With --follow the exit code is 0 if the turn succeeded and 1 if it did not.
""",
    arguments=_arguments,
    run=_run,
)
