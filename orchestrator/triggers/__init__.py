"""From a delivery to what was asked, or why nothing was."""

from .asked import Asked
from .decide import trigger
from .delivery import BadPayload, Delivered, Head, NotForUs, PullRequestClosed
from .door import EVENTS, delivered
from .known import BotIdentity, Known
from .permission import NO_PERMISSION, Permission
from .record import DecisionRecord, Rule, record_from_json
from .recording import record
from .ruling import (
    Accepted,
    Decided,
    Decision,
    Ignored,
    NeedsHead,
    NeedsPermission,
    NeedsTeam,
    Refused,
)
from .words import PromptText, Word, WordName

__all__ = [
    "EVENTS",
    "NO_PERMISSION",
    "Accepted",
    "Asked",
    "BadPayload",
    "BotIdentity",
    "Decided",
    "Decision",
    "DecisionRecord",
    "Delivered",
    "Head",
    "Ignored",
    "Known",
    "NeedsHead",
    "NeedsPermission",
    "NeedsTeam",
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
