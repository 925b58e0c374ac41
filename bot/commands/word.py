"""What a word of the command line is, and how it tells whether it went well."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

DONE, FAILED, USAGE = 0, 1, 2
"""Exit codes: done or nothing to do, it failed, wrong usage or configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """`arguments` fills the word's own parser; `run` returns the exit code."""

    name: str
    help: str
    description: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    epilog: str = ""
