"""From an allowed target and a body's bytes to what is sent and what it may cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .body import Json, canonical, parse_object
from .chat_exits import checked_chat
from .errors import Refused
from .exits import Checked, Inline
from .messages_exits import checked_messages
from .prices import Price, Prices, Tokens
from .responses_exits import checked_responses
from .routes import Route, Target

BYTES_PER_TOKEN = 3
"""English and code have about 4; three keeps the estimate on the safe side."""
TOKENS_PER_IMAGE = 5_000
"""Above what either provider counts for its largest images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """`worst` is what is reserved. `input_tokens` and `output_tokens` are the estimates in it."""

    body: bytes
    stream: bool
    model: str
    price: Price
    input_tokens: int
    output_tokens: int

    @property
    def worst(self) -> int:
        return self.price.worst(input_tokens=self.input_tokens, output_tokens=self.output_tokens)

    def broken_off(self, seen: Tokens | None, delivered: int) -> Tokens:
        """An answer that ended early: what it told, and at most as much output as came."""
        output = min(self.output_tokens, delivered // BYTES_PER_TOKEN + 1)
        if seen is None:
            return Tokens(fresh=min(self.input_tokens, self.price.context), output=output)
        return Tokens(
            fresh=seen.fresh,
            cache_read=seen.cache_read,
            cache_write=seen.cache_write,
            cache_write_hour=seen.cache_write_hour,
            output=max(seen.output, output),
        )


def prepared(target: Target, data: bytes, prices: Prices) -> Prepared:
    """Raises `Refused` where the body holds an exit, or is not what the API takes."""
    checked = _checked(target, parse_object(data))
    body = canonical(checked.body)
    price = prices.of(checked.model, unknown_is_free=target.upstream.unknown_is_free)
    text = max(0, len(body) - checked.inline.encoded)
    bound = checked.max_output if checked.max_output is not None else prices.assumed_output
    return Prepared(
        body=body,
        stream=checked.stream,
        model=checked.model,
        price=price,
        input_tokens=text // BYTES_PER_TOKEN + checked.inline.images * TOKENS_PER_IMAGE,
        output_tokens=bound * checked.answers,
    )


def _checked(target: Target, body: Json) -> Checked:
    match target.route:
        case Route.MESSAGES:
            return checked_messages(body)
        case Route.COUNT_TOKENS:
            checked = checked_messages(body)
            clean = {k: v for k, v in checked.body.items() if k not in ("stream", "max_tokens")}
            return Checked(
                body=clean, model=checked.model, stream=False, max_output=0, inline=Inline()
            )
        case Route.CHAT:
            return checked_chat(body, usage_in_stream=target.upstream.usage_in_stream)
        case Route.RESPONSES:
            return checked_responses(body)
        case Route.MODELS:
            raise Refused(400, "a list of models takes no body")
