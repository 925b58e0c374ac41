"""Names of branches and commits: what is well-formed, and which branch may be pushed to. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

STATE_BRANCH = "openinspect/state"

_COMMIT = re.compile(r"[0-9a-f]{40}")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
"""https://git-scm.com/docs/git-check-ref-format"""
_OURS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


def is_commit(text: object) -> bool:
    return isinstance(text, str) and _COMMIT.fullmatch(text) is not None


def is_branch(name: str) -> bool:
    """What git takes for a branch, without the names that look like something else."""
    if not name or len(name.encode("utf-8", "replace")) > 240 or _FORBIDDEN.search(name):
        return False
    if name.startswith(("-", "/", "refs/")) or name.endswith(("/", ".")):
        return False
    if name in ("@", "HEAD") or is_commit(name):
        return False
    if any(part.startswith(".") or part.endswith(".lock") for part in name.split("/")):
        return False
    return all(c.isprintable() for c in name)


def branch_ref(name: str) -> str:
    """The full name of a branch. Raises `ValueError` for anything that is not one."""
    if not is_branch(name):
        raise ValueError(f"not a branch name: {name[:80]!r}")
    return f"refs/heads/{name}"


def is_state(name: str) -> bool:
    """The branch where sessions are kept, in any spelling that a file system may confuse."""
    lower = name.lower()
    return lower == STATE_BRANCH or lower.startswith(f"{STATE_BRANCH}/")


def allowed_branch(
    name: str, *, default_branch: str, prefix: str, pull_head: str | None = None
) -> bool:
    """A session pushes to a branch of its own below `prefix`, or to the head branch of the pull
    request it belongs to; never to the default branch, the state branch, a tag or another ref."""
    if not is_branch(name) or is_state(name) or name.lower() == default_branch.lower():
        return False
    if pull_head is not None and name == pull_head:
        return True
    mine = bool(prefix) and name.startswith(prefix) and len(name) > len(prefix)
    return mine and _OURS.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedBranches:
    """`allowed_branch` for one session."""

    default_branch: str
    prefix: str
    pull_head: str | None = None

    def allows(self, name: str) -> bool:
        return allowed_branch(
            name,
            default_branch=self.default_branch,
            prefix=self.prefix,
            pull_head=self.pull_head,
        )
