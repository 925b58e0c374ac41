"""`openinspect demo`: the whole product on this machine, with no accounts."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from pathlib import Path

from .word import Word


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="serve until Ctrl-C and print the URLs")
    parser.add_argument(
        "--repo", type=Path, metavar="PATH", help="work on a copy of this repository"
    )
    parser.add_argument(
        "--model", metavar="PROVIDER/NAME", help="a real model; its key comes from the environment"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="what to ask for")


def _run(arguments: argparse.Namespace) -> int:
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


WORD = Word(
    name="demo",
    help="watch the whole product work on this machine, with no accounts",
    description="An embedded GitHub, a real sandbox, the real agent, a scripted model.",
    arguments=_arguments,
    run=_run,
)
