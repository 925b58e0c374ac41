"""The words people type: `openinspect serve | demo | lint`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bot import settings as deployment
from bot.settings import Settings, SettingsError
from orchestrator.config import CONFIG_PATH, config_problems
from orchestrator.github.errors import GitHubError
from orchestrator.outgoing import Outgoing

DONE, FAILED, USAGE = 0, 1, 2
"""Exit codes: done or nothing to do, it failed, wrong usage or configuration."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="openinspect", description="Coding agents that live on GitHub issues and pull requests"
    )
    words = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = words.add_parser(
        "serve",
        help="run the server",
        description="Take GitHub's webhooks and run sessions until SIGTERM or Ctrl-C.",
        epilog=deployment.help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--settings", type=Path, metavar="FILE", help="NAME=value lines")
    serve.add_argument("--check", action="store_true", help="check the settings and exit")
    serve.set_defaults(run=_serve)

    demo = words.add_parser(
        "demo",
        help="watch the whole product work on this machine, with no accounts",
        description="An embedded GitHub, a real sandbox, the real agent, a scripted model.",
    )
    demo.add_argument("--keep", action="store_true", help="serve until Ctrl-C and print the URLs")
    demo.add_argument("--repo", type=Path, metavar="PATH", help="work on a copy of this repository")
    demo.add_argument(
        "--model", metavar="PROVIDER/NAME", help="a real model; its key comes from the environment"
    )
    demo.add_argument("--prompt", metavar="TEXT", help="what to ask for")
    demo.set_defaults(run=_demo)

    lint = words.add_parser("lint", help="check a configuration file")
    lint.add_argument("file", nargs="?", type=Path, default=Path(CONFIG_PATH))
    lint.set_defaults(run=_lint)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    try:
        settings = deployment.from_environment(arguments.settings)
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        print("\n`openinspect serve --help` lists all settings.", file=sys.stderr)
        return USAGE
    if arguments.check:
        print("The settings are well-formed.")
        return DONE
    return asyncio.run(_serve_until_told(settings))


async def _serve_until_told(settings: Settings) -> int:
    from bot.app import Server
    from bot.deployment import secrets_of
    from bot.logging import set_up

    outgoing = Outgoing(secrets_of(settings))
    set_up(style=settings.log_format, level=settings.log_level, clean=outgoing.clean)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings, outgoing)
    try:
        await server.start()
    except (GitHubError, OSError) as error:
        print(outgoing.clean(str(error)), file=sys.stderr)
        return FAILED
    try:
        await stop.wait()
    finally:
        await server.close()
    return DONE


def _demo(arguments: argparse.Namespace) -> int:
    from bot.demo.run import DemoOptions, run_demo

    options = DemoOptions(
        keep=arguments.keep,
        repository=arguments.repo,
        model=arguments.model,
        prompt=arguments.prompt,
    )
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(run_demo(options))
    return 130


def _lint(arguments: argparse.Namespace) -> int:
    path: Path = arguments.file
    try:
        data = path.read_bytes()
    except OSError as error:
        print(f"{path}: cannot be read: {error.strerror}", file=sys.stderr)
        return USAGE
    problems = config_problems(data)
    for problem in problems:
        print(problem.explain(str(path)), file=sys.stderr)
    if problems:
        return USAGE
    print(f"{path}: good")
    return DONE
