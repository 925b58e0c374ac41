"""What a call costs: prices per model, in whole millionths of a dollar per million tokens.

The figures are the providers' published list prices (platform.claude.com and
developers.openai.com pricing pages and, for the models of OpenCode Zen, their makers' pages, as
collected by the `genai-prices` data set 0.2.3), read in November 2026. Prices change: a
deployment overrides what it pays differently, and an unknown model costs `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.session.values import Usage

MILLION = 1_000_000
CONTEXT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Of one call. `fresh` is input that was neither read from nor written to a cache."""

    fresh: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_hour: int = 0
    output: int = 0

    @property
    def input(self) -> int:
        return self.fresh + self.cache_read + self.cache_write + self.cache_write_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Microdollars per million tokens. Above `long_from` input tokens the whole call costs
    `long_input` and `long_output` times as much (both in hundredths)."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_hour: int
    long_from: int | None = None
    long_input: int = 200
    long_output: int = 150
    context: int = CONTEXT

    def of(self, tokens: Tokens) -> int:
        """Rounded up, so that sums never say less than was spent."""
        into = (
            tokens.fresh * self.input
            + tokens.cache_read * self.cache_read
            + tokens.cache_write * self.cache_write
            + tokens.cache_write_hour * self.cache_write_hour
        )
        out = tokens.output * self.output
        if self.long_from is not None and tokens.input > self.long_from:
            into, out = into * self.long_input // 100, out * self.long_output // 100
        return -(-(into + out) // MILLION)

    def worst(self, *, input_tokens: int, output_tokens: int) -> int:
        """All input at the dearest rate, and all the output that was asked for."""
        dearest = max(self.input, self.cache_read, self.cache_write, self.cache_write_hour)
        bounded = min(input_tokens, self.context)
        return replace(self, input=dearest).of(Tokens(fresh=bounded, output=output_tokens))


def dollars(
    input: float,
    output: float,
    *,
    read: float | None = None,
    write: float | None = None,
    hour: float | None = None,
    long_from: int | None = None,
    long_output: int = 150,
    context: int = CONTEXT,
) -> Price:
    """A price as it is published: dollars per million tokens. What is not said costs as input."""
    return Price(
        input=round(input * MILLION),
        output=round(output * MILLION),
        cache_read=round((input if read is None else read) * MILLION),
        cache_write=round((input if write is None else write) * MILLION),
        cache_write_hour=round((hour if hour is not None else write or input) * MILLION),
        long_from=long_from,
        long_output=long_output,
        context=context,
    )


def _claude(input: float, output: float, context: int = CONTEXT) -> Price:
    """Anthropic's usual ratios: reads a tenth, 5-minute writes 1.25, 1-hour writes twice."""
    return dollars(
        input, output, read=input / 10, write=input * 1.25, hour=input * 2, context=context
    )


def _gpt(input: float, output: float, *, write: float | None = None) -> Price:
    return dollars(input, output, read=input / 10, write=write, long_from=272_000)


def _grok(input: float, output: float, *, read: float, context: int) -> Price:
    return dollars(input, output, read=read, long_from=199_999, long_output=200, context=context)


FREE = dollars(0, 0)
UNKNOWN = dollars(15, 75)

PUBLISHED: Mapping[str, Price] = {
    "claude-haiku-4-5": _claude(1, 5, 200_000),
    "claude-sonnet-4-5": replace(_claude(3, 15), long_from=200_000),
    "claude-sonnet-4-6": _claude(3, 15),
    "claude-sonnet-5": _claude(2, 10),
    "claude-sonnet-5-5": dollars(2, 10, read=0.1, write=2.5, hour=4),
    "claude-opus-4-5": _claude(5, 25, 200_000),
    "claude-opus-4-6": _claude(5, 25),
    "claude-opus-4-7": _claude(5, 25),
    "claude-opus-4-8": _claude(5, 25),
    "claude-opus-5": _claude(5, 25),
    "claude-opus-5-5": dollars(4, 20, read=0.2, write=5, hour=8),
    "claude-fable-5": _claude(10, 50),
    "claude-fable-5-1": dollars(10, 50, read=0.25, write=12.5, hour=20),
    "gpt-5.3-codex": dollars(1.75, 14, read=0.175, context=400_000),
    "gpt-5.3-codex-spark": dollars(1.75, 14, read=0.175, context=400_000),  # priced as its sibling
    "gpt-5.4": _gpt(2.5, 15),
    "gpt-5.4-mini": dollars(0.75, 4.5, read=0.075, context=400_000),
    "gpt-5.4-nano": dollars(0.2, 1.25, read=0.02, context=400_000),
    "gpt-5.5": _gpt(5, 30),
    "gpt-5.6-sol": _gpt(4, 20, write=5),
    "gpt-5.6-terra": _gpt(2, 12, write=2.5),
    "gpt-5.6-luna": _gpt(0.2, 1.2, write=0.25),
    "gpt-6-sol": _gpt(2, 10, write=2.5),
    "gpt-6-luna": _gpt(0.1, 0.5, write=0.125),
    "kimi-k2.5": dollars(0.6, 3, read=0.1, context=262_144),
    "kimi-k2.6": dollars(0.95, 4, read=0.16, context=262_144),
    "kimi-k3": dollars(3, 15, read=0.3, write=3, hour=6),
    "minimax-m2.5": dollars(0.3, 1.2, read=0.06, write=0.375, context=204_800),
    "qwen3.7-max": dollars(1.25, 3.75, read=0.25, write=1.5625),
    "glm-5": dollars(1, 3.2, read=0.2, context=202_752),
    "glm-5.1": dollars(1.4, 4.4, read=0.26),
    "glm-5.2": dollars(1.4, 4.4, read=0.26),
    "glm-5.3": dollars(1.4, 4.4, read=0.26),
    "grok-4.5": _grok(2, 6, read=0.5, context=500_000),
    "grok-4.6": _grok(2, 6, read=0.5, context=500_000),
    "grok-build-0.1": _grok(1, 2, read=0.2, context=256_000),
    "deepseek-v4-flash": dollars(0.3, 1.2, read=0.006),  # the rate of peak hours
    "deepseek-v4-pro": dollars(1.32, 3.96, read=0.044),  # the rate of peak hours
}

_DATED = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The table in force. `assumed_output` stands in where a call does not bound its output."""

    models: Mapping[str, Price] = field(default_factory=lambda: PUBLISHED)
    unknown: Price = UNKNOWN
    assumed_output: int = 32_000

    def of(self, model: str, *, unknown_is_free: bool = False) -> Price:
        """By exact name, without a `provider/` before it and a date or `latest` behind it."""
        name = model.lower()
        for candidate in (name, name.rpartition("/")[2]):
            price = self.models.get(candidate) or self.models.get(_DATED.sub("", candidate))
            if price is not None:
                return price
        return FREE if unknown_is_free else self.unknown


def usage_from(tokens: Tokens, price: Price) -> Usage:
    """`input_tokens` counts everything that was read, cached or not."""
    return Usage(
        calls=1,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_tokens=tokens.cache_read,
        microdollars=price.of(tokens),
    )
