"""What each kind of call needs, so that a token can be cut to it.

From GitHub's list "Permissions required for GitHub Apps". `metadata: read` is in every token. A
comment or label on a pull request needs `pull_requests`, on an issue `issues`, though the path is
the same and the list says that either will do: github.com/resend/react-email/pull/3512,
github.com/commit-check/commit-check-action/issues/143. So calls on a thread ask for both.
"""

from __future__ import annotations

from dataclasses import dataclass

Grant = frozenset[tuple[str, str]]


def grant(**permissions: str) -> Grant:
    return frozenset(permissions.items())


METADATA = grant(metadata="read")
READ_MEMBERS = grant(members="read")
READ_CODE = grant(contents="read")
PUSH_CODE = grant(contents="write")
PUSH_WORKFLOWS = grant(contents="write", workflows="write")
READ_THREAD = grant(issues="read", pull_requests="read")
WRITE_THREAD = grant(issues="write", pull_requests="write")
READ_PULLS = grant(pull_requests="read")
WRITE_PULLS = grant(pull_requests="write")
WRITE_LABELS = grant(issues="write")
WRITE_ISSUES = grant(issues="write")
READ_CHECKS = grant(checks="read")
WRITE_CHECKS = grant(checks="write")
READ_ACTIONS = grant(actions="read")
READ_TEMPLATES = grant(contents="read", pull_requests="read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one token is good for: one repository, and these permissions."""

    installation: int
    repository: int | None
    grant: Grant
    opaque: bool = False
    """The older, short token. A stopgap, should private git refuse the newer ones:
    github.com/orgs/community/discussions/211387."""

    def __str__(self) -> str:
        permissions = ", ".join(f"{name}: {level}" for name, level in sorted(self.grant))
        return f"repository {self.repository}, {permissions}"
