"""`openinspect`: the table of words people type, and how they are taken apart."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from bot.commands.word import Word

WORDS = ("serve", "demo", "run", "tokens", "explain", "lint")
"""Each is a module of `bot.commands`; only the one that was typed is imported."""
_EPILOG = """\
`openinspect COMMAND --help` says more about each.
Exit codes: 0 done or nothing to do, 1 it failed, 2 wrong usage or configuration.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code; wrong usage raises `SystemExit(2)`, as argparse does."""
    typed = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _parser(typed[:1]).parse_args(typed)
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return 130
    return code


def every_word() -> tuple[Word, ...]:
    return tuple(_word(name) for name in WORDS)


def _word(name: str) -> Word:
    word: Word = import_module(f"bot.commands.{name}").WORD
    return word


def _parser(typed: Sequence[str]) -> argparse.ArgumentParser:
    chosen = [_word(name) for name in WORDS if name in typed] or every_word()
    parser = argparse.ArgumentParser(
        prog="openinspect",
        description="Coding agents that live on GitHub issues and pull requests",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    words = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for word in chosen:
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
