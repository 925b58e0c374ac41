"""`openinspect lint`: what is wrong with a configuration file, before it is pushed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from orchestrator.config import CONFIG_PATH, config_problems

from .word import DONE, USAGE, Word


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, default=Path(CONFIG_PATH), metavar="FILE")


def _run(arguments: argparse.Namespace) -> int:
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


WORD = Word(
    name="lint",
    help="check a configuration file",
    description=f"Say everything that is wrong with FILE [{CONFIG_PATH}], with line and column.",
    arguments=_arguments,
    run=_run,
)
