"""`openinspect serve`: the server, until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bot import settings as deployment
from bot.settings import Settings, SettingsError

from .word import DONE, FAILED, USAGE, Word


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--settings", type=Path, metavar="FILE", help="NAME=value lines")
    parser.add_argument("--check", action="store_true", help="check the settings and exit")


def _run(arguments: argparse.Namespace) -> int:
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
    from orchestrator.outgoing import Outgoing

    outgoing = Outgoing(secrets_of(settings))
    set_up(style=settings.log_format, level=settings.log_level, clean=outgoing.clean)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await until_told(Server(settings, outgoing), stop, outgoing.clean)


class Startable(Protocol):
    async def start(self) -> None:
        """Lets go of everything where it raises or is cancelled."""
        ...

    async def close(self) -> None: ...


async def until_told(server: Startable, stop: asyncio.Event, clean: Callable[[str], str]) -> int:
    """Run it until `stop` is set, which also ends a start that is under way."""
    from orchestrator.github.errors import GitHubError
    from orchestrator.stores.groupwriter import JournalUnavailable
    from orchestrator.stores.schema import JournalInUse, JournalRefused

    told = asyncio.create_task(stop.wait())
    start = asyncio.create_task(server.start())
    try:
        await asyncio.wait({told, start}, return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
            await asyncio.wait({start})
        if start.cancelled():
            return DONE
        await start
        await told
    except (GitHubError, OSError) as error:
        print(clean(str(error)), file=sys.stderr)
        return FAILED
    except (JournalInUse, JournalRefused, JournalUnavailable) as error:
        print(clean(f"The journal cannot be used: {error}."), file=sys.stderr)
        return FAILED
    finally:
        told.cancel()
        start.cancel()
        await asyncio.wait({start})
        await server.close()
    return DONE


WORD = Word(
    name="serve",
    help="run the server",
    description="Take GitHub's webhooks and run sessions until SIGTERM or Ctrl-C.",
    epilog=deployment.help_text(),
    arguments=_arguments,
    run=_run,
)
