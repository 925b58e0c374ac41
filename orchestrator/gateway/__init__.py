"""Model calls on behalf of a sandbox: keys stay outside, calls are metered, exits are closed."""

from __future__ import annotations

from .gateway import Gateway, GatewayLimits
from .meter import Meter
from .prices import FREE, PUBLISHED, Price, Prices, Tokens, dollars
from .sending import Tries, model_session
from .upstream import Upstream, anthropic, openai, opencode

__all__ = [
    "FREE",
    "PUBLISHED",
    "Gateway",
    "GatewayLimits",
    "Meter",
    "Price",
    "Prices",
    "Tokens",
    "Tries",
    "Upstream",
    "anthropic",
    "dollars",
    "model_session",
    "openai",
    "opencode",
]
