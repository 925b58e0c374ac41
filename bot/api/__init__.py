"""The HTTP API for people's own tools: the same road as a mention, with a token for a signature."""

from .door import Api

__all__ = ["Api"]
