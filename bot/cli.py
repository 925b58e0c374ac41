"""`openinspect`: the table of words people type, and how they are taken apart."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bot.commands import demo, explain, lint, run, serve, tokens
from bot.commands.word import Word

WORDS: tuple[Word, ...] = (
    serve.WORD,
    demo.WORD,
    run.WORD,
    tokens.WORD,
    explain.WORD,
    lint.WORD,
)
_EPILOG = """\
`openinspect COMMAND --help` says more about each.
Exit codes: 0 done or nothing to do, 1 it failed, 2 wrong usage or configuration.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code; wrong usage raises `SystemExit(2)`, as argparse does."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="openinspect",
        description="Coding agents that live on GitHub issues and pull requests",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    words = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for word in WORDS:
        own = words.add_parser(
            word.name,
            help=word.help,
            description=word.description,
            epilog=word.epilog or None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        word.arguments(own)
        own.set_defaults(run=word.run)
    return parser
