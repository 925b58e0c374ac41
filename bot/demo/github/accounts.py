"""Accounts: people, organizations, Apps and their bots, and what one may do in a repository."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(slots=True, kw_only=True)
class Person:
    """An account: a human, an organization, or an App's bot (`type` says which)."""

    id: int
    login: str
    name: str
    type: Literal["User", "Bot", "Organization"] = "User"
    created_at: datetime

    @property
    def email(self) -> str:
        """The address GitHub attributes to this account without publishing a real one."""
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(slots=True, kw_only=True)
class Grant:
    """What one person may do in one repository; `role_name` may be a custom role's name."""

    level: Literal["admin", "maintain", "write", "triage", "read", "none"]
    role_name: str

    def allows(self, level: str) -> bool:
        ladder = ("none", "read", "triage", "write", "maintain", "admin")
        return ladder.index(self.level) >= ladder.index(level)

    @property
    def permission(self) -> str:
        """The folded value of the API: maintain reads as write, triage as read."""
        return {"maintain": "write", "triage": "read"}.get(self.level, self.level)

    @property
    def capabilities(self) -> dict[str, bool]:
        return {
            "pull": self.allows("read"),
            "triage": self.allows("triage"),
            "push": self.allows("write"),
            "maintain": self.allows("maintain"),
            "admin": self.allows("admin"),
        }


@dataclass(slots=True, kw_only=True, eq=False)
class App:
    id: int
    slug: str
    name: str
    client_id: str
    owner: Person
    bot: Person
    permissions: dict[str, str]
    private_key_pem: str = field(repr=False)
    public_key_pem: str = field(repr=False)
    webhook_url: str | None
    webhook_secret: str = field(repr=False)
    hook_id: int
    created_at: datetime
    long_tokens: bool = False
