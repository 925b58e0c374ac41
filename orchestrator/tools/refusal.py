"""What a tool says where it does not do what was asked. The agent reads it, so it says how to."""

from __future__ import annotations


class ToolRefused(Exception):
    """The message is the whole answer."""
