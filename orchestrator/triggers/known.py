"""What a decision needs beside the delivery: who we are, and what GitHub and the store know."""

from __future__ import annotations

from dataclasses import dataclass

from .delivery import Head
from .permission import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class BotIdentity:
    """Our own App. Ids prove who wrote something; the name is only what people type."""

    name: str
    app_id: int
    bot_user_id: int | None
    """None until GitHub has told; the App's id on what it wrote counts as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is not in the delivery; None where nobody has looked yet."""

    permission: Permission | None = None
    team: bool | None = None
    """Whether the sender is an active member of a team that may ask."""
    members_unseen: bool = False
    """The App may not see who is in a team."""
    lately: int = 0
    """How much was taken in this thread within the last hour."""
    head: Head | None = None
    approved: str = ""
    """The commit that the thread's session runs at, where a person named it."""
