"""Whether somebody may ask, as GitHub's collaborator permission answers it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.session.values import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """`user_id` is whom GitHub answered about: a login may have changed hands since the event.

    `push` is the capability that counts; `role` is only shown. Never `author_association`.
    """

    user_id: UserId | None
    push: bool
    role: str
    maintain: bool = False
    admin: bool = False

    def reaches(self, level: str) -> bool:
        """`write`, `maintain` or `admin`; by capability, whatever the role is called."""
        match level:
            case "admin":
                return self.push and self.admin
            case "maintain":
                return self.push and (self.maintain or self.admin)
            case _:
                return self.push


NO_PERMISSION = Permission(user_id=None, push=False, role="none")
"""GitHub's 404: not a collaborator, and nothing public to see."""
