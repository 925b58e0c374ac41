"""Whether somebody may ask, as GitHub's collaborator permission answers it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.session.values import UserId

from .payload import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """`user_id` is whom GitHub answered about: a login may have changed hands since the event.

    `push` is the capability that counts; `role` is only shown. Never `author_association`.
    """

    user_id: UserId | None
    push: bool
    role: str


NO_PERMISSION = Permission(user_id=None, push=False, role="none")
"""GitHub's 404: not a collaborator, and nothing public to see."""


def permission_from_api(document: object) -> Permission:
    """Of `GET /repos/{owner}/{repo}/collaborators/{login}/permission`. Raises `BadPayload`."""
    answer = Payload.of(document)
    user = answer.optional("user")
    capabilities = user.optional("permissions") if user else None
    return Permission(
        user_id=UserId(user.id("id")) if user else None,
        push=capabilities.flag("push") if capabilities else False,
        role=answer.text("role_name") if answer.has("role_name") else answer.text("permission"),
    )
