"""What is wrong with a configuration file: one place, one sentence, one hint."""

from __future__ import annotations

from dataclasses import dataclass

from .keys import CONFIG_PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """Lines and columns count from 1. `key` is the dotted path, or empty."""

    line: int
    column: int
    key: str
    message: str
    hint: str

    def explain(self, path: str = CONFIG_PATH) -> str:
        """As `openinspect lint` prints it."""
        subject = f"{self.key}: " if self.key else ""
        first = f"{path}:{self.line}:{self.column}  {subject}{self.message}"
        return f"{first}\n    {self.hint}" if self.hint else first
