"""Reads what a call used from its answer, while the bytes pass by. Never raises, never delays.

Anthropic: `message_start` has the input, `message_delta` the running total of the output.
Chat completions: one chunk before `[DONE]` has `usage`. Responses: the closing event has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol

from .errors import Dialect
from .prices import Tokens

MAX_LINE = 16 << 20
MAX_WHOLE = 32 << 20


class UsageReader(Protocol):
    def feed(self, data: bytes) -> None: ...

    @property
    def tokens(self) -> Tokens | None:
        """What was read so far, or None where the answer has not told yet."""
        ...

    @property
    def complete(self) -> bool:
        """The provider has told the final figures."""
        ...


class StreamUsage:
    """For server-sent events. Only the lines that mention usage are parsed."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._line = bytearray()
        self._skipping = False
        self._tokens: Tokens | None = None
        self.complete = False

    @property
    def tokens(self) -> Tokens | None:
        return self._tokens

    def feed(self, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._line += part
            if not self._skipping:
                self._take(bytes(self._line))
            self._line.clear()
            self._skipping = False
        self._line += rest
        if len(self._line) > MAX_LINE:
            self._line.clear()
            self._skipping = True

    def _take(self, line: bytes) -> None:
        if not line.startswith(b"data:") or b'"usage"' not in line:
            return
        event = _object(line[5:])
        if event is None:
            return
        match self._dialect:
            case Dialect.MESSAGES:
                self._take_message(event)
            case Dialect.CHAT:
                self._close(event.get("usage"))
            case Dialect.RESPONSES:
                response = event.get("response")
                if isinstance(response, Mapping):
                    self._close(response.get("usage"))

    def _take_message(self, event: Mapping[str, object]) -> None:
        message = event.get("message")
        if event.get("type") == "message_start" and isinstance(message, Mapping):
            self._tokens = tokens_from(self._dialect, message.get("usage"))
        elif event.get("type") == "message_delta":
            told = event.get("usage")
            later = tokens_from(self._dialect, told)
            if later is None or not isinstance(told, Mapping):
                return
            before = self._tokens or Tokens()
            self._tokens = later if "input_tokens" in told else _with_output(before, later.output)
            self.complete = True

    def _close(self, usage: object) -> None:
        tokens = tokens_from(self._dialect, usage)
        if tokens is not None:
            self._tokens, self.complete = tokens, True


class WholeUsage:
    """For one JSON document, parsed when the figures are asked for."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._body = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> None:
        if len(self._body) + len(data) > MAX_WHOLE:
            self._too_long = True
            self._body.clear()
        elif not self._too_long:
            self._body += data

    @property
    def tokens(self) -> Tokens | None:
        document = _object(bytes(self._body))
        return None if document is None else tokens_from(self._dialect, document.get("usage"))

    @property
    def complete(self) -> bool:
        return self.tokens is not None


def tokens_from(dialect: Dialect, usage: object) -> Tokens | None:
    """The three spellings of a usage object. Numbers that make no sense count as zero."""
    if not isinstance(usage, Mapping):
        return None
    if dialect is Dialect.MESSAGES:
        split = usage.get("cache_creation")
        hour = _number(split, "ephemeral_1h_input_tokens") if isinstance(split, Mapping) else 0
        written = _number(usage, "cache_creation_input_tokens")
        return Tokens(
            fresh=_number(usage, "input_tokens"),
            cache_read=_number(usage, "cache_read_input_tokens"),
            cache_write=max(0, written - hour),
            cache_write_hour=hour,
            output=_number(usage, "output_tokens"),
        )
    into, out, details = (
        ("prompt_tokens", "completion_tokens", "prompt_tokens_details")
        if dialect is Dialect.CHAT
        else ("input_tokens", "output_tokens", "input_tokens_details")
    )
    told = usage.get(details)
    cached = _number(told, "cached_tokens") if isinstance(told, Mapping) else 0
    written = _number(told, "cache_write_tokens") if isinstance(told, Mapping) else 0
    return Tokens(
        fresh=max(0, _number(usage, into) - cached - written),
        cache_read=cached,
        cache_write=written,
        output=_number(usage, out),
    )


def _with_output(tokens: Tokens, output: int) -> Tokens:
    return Tokens(
        fresh=tokens.fresh,
        cache_read=tokens.cache_read,
        cache_write=tokens.cache_write,
        cache_write_hour=tokens.cache_write_hour,
        output=output,
    )


def _number(usage: Mapping[object, object], name: str) -> int:
    value = usage.get(name)
    sensible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40
    return value if sensible and isinstance(value, int) else 0


def _object(data: bytes) -> Mapping[str, object] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
