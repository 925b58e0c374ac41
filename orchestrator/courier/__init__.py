"""Code in and out: a mirror per repository, packs to a sandbox, judged commits back, one push."""

from __future__ import annotations

from .errors import (
    CourierRefused,
    GitError,
    GitFailed,
    GitTimedOut,
    GitTooLarge,
    PushUncertain,
)
from .hostgit import HostGit, Remote
from .mirror import Mirror, Mirrors
from .packscan import PackLimits
from .policy import TakePolicy
from .push import AlreadyThere, Moved, Pushed, PushOutcome, Rejected, push, remote_tip
from .refs import AllowedBranches, allowed_branch, is_branch
from .sending import bring, send_repository
from .take import Taken, take

__all__ = [
    "AllowedBranches",
    "AlreadyThere",
    "CourierRefused",
    "GitError",
    "GitFailed",
    "GitTimedOut",
    "GitTooLarge",
    "HostGit",
    "Mirror",
    "Mirrors",
    "Moved",
    "PackLimits",
    "PushOutcome",
    "PushUncertain",
    "Pushed",
    "Rejected",
    "Remote",
    "TakePolicy",
    "Taken",
    "allowed_branch",
    "bring",
    "is_branch",
    "push",
    "remote_tip",
    "send_repository",
    "take",
]
