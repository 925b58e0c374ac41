"""From a delivery to what was asked, or why nothing was."""

from .asked import Asked
from .decide import (
    Accepted,
    BotIdentity,
    Decision,
    Ignored,
    NeedsHead,
    NeedsPermission,
    Refused,
    trigger,
)
from .delivery import BadPayload, Delivered, Head, NotForUs, PullRequestClosed
from .door import EVENTS, delivered
from .permission import NO_PERMISSION, Permission
from .record import DecisionRecord, Rule, record_from_json
from .recording import record
from .words import PromptText, Word, WordName

__all__ = [
    "EVENTS",
    "NO_PERMISSION",
    "Accepted",
    "Asked",
    "BadPayload",
    "BotIdentity",
    "Decision",
    "DecisionRecord",
    "Delivered",
    "Head",
    "Ignored",
    "NeedsHead",
    "NeedsPermission",
    "NotForUs",
    "Permission",
    "PromptText",
    "PullRequestClosed",
    "Refused",
    "Rule",
    "Word",
    "WordName",
    "delivered",
    "record",
    "record_from_json",
    "trigger",
]
