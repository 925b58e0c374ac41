"""Which model and effort an ACP session offers, and how to choose one of them.

Two dialects: `configOptions` with `session/set_config_option` (ACP 1, category `model` and
`thought_level`), and the older `models` with `session/set_model`. OpenCode 1.18.33 speaks both and
offers `effort` only for models that reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..strict_json import JsonObject

Choice = Literal["model", "effort"]
_CATEGORY = {"model": "model", "effort": "thought_level"}
_IDS = {
    "model": ("model",),
    "effort": ("effort", "reasoning_effort", "thought_level", "thinking"),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One option: its present value and those it can take."""

    id: str
    current: str
    values: frozenset[str]
    method: str = "session/set_config_option"

    def params(self, session: str, value: str) -> JsonObject:
        if self.method == "session/set_model":
            return {"sessionId": session, "modelId": value}
        return {"sessionId": session, "configId": self.id, "value": value}


@dataclass(slots=True)
class Options:
    """What the agent has last said it offers."""

    offers: dict[str, Offer] = field(default_factory=dict)

    def learn(self, message: Mapping[str, object]) -> None:
        """From the answer to `session/new`, `session/load` or `set_config_option`, or an update."""
        options = message.get("configOptions")
        if isinstance(options, list):
            self.offers = {
                choice: offer
                for choice in ("model", "effort")
                if (offer := _offer_among(options, choice)) is not None
            }
        models = message.get("models")
        if isinstance(models, dict) and "model" not in self.offers:
            available = models.get("availableModels")
            entries = available if isinstance(available, list) else []
            values = {e.get("modelId") for e in entries if isinstance(e, dict)}
            current = models.get("currentModelId")
            self.offers["model"] = Offer(
                "model",
                current if isinstance(current, str) else "",
                frozenset(value for value in values if isinstance(value, str)),
                "session/set_model",
            )


def _offer_among(options: list[object], choice: str) -> Offer | None:
    selects = [o for o in options if isinstance(o, dict) and o.get("type") == "select"]
    by_category = [o for o in selects if o.get("category") == _CATEGORY[choice]]
    by_id = [o for o in selects if o.get("id") in _IDS[choice]]
    for option in [*by_category, *by_id]:
        name, current = option.get("id"), option.get("currentValue")
        if isinstance(name, str):
            values = frozenset(_values(option.get("options")))
            return Offer(name, current if isinstance(current, str) else "", values)
    return None


def _values(options: object) -> list[str]:
    """Values of a flat list, or of a list of groups."""
    found: list[str] = []
    for option in options if isinstance(options, list) else []:
        if isinstance(option, dict):
            value = option.get("value")
            if isinstance(value, str):
                found.append(value)
            found.extend(_values(option.get("options")) if "group" in option else [])
    return found
