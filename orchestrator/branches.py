"""Which branch a session's work is on, and which it may be pushed to. Pure."""

from __future__ import annotations

from orchestrator.courier import AllowedBranches
from orchestrator.session import Session
from orchestrator.session.values import Home
from orchestrator.shown import home_number, newest_work


def known_head(s: Session) -> str:
    """What the workspace has: the work that was pushed last, else the commit it began at."""
    work = newest_work(s)
    return work.head if work is not None else s.base


def left_at(s: Session) -> tuple[str, ...]:
    """Branches where the work may be taken up again, best first."""
    work = newest_work(s)
    return (s.branch,) if work is None else tuple(dict.fromkeys((work.branch, s.branch)))


def allowed_branches(s: Session) -> AllowedBranches:
    """A session's own branches below the prefix, and the head of the pull request it lives on."""
    assert s.opened is not None
    on_pull = s.opened.home is Home.PULL_REQUEST
    return AllowedBranches(
        default_branch=s.opened.plan.base_branch,
        prefix=s.opened.plan.branch_prefix,
        pull_head=s.opened.branch if on_pull else None,
    )


def beside(s: Session, branch: str, turn: int) -> tuple[str, str]:
    """Where work goes when its branch has moved: names that nobody else uses."""
    allowed = allowed_branches(s)
    stem = branch
    if branch == allowed.pull_head:
        stem = f"{allowed.prefix}{home_number(s)}"
    return f"{stem}-turn-{turn}", f"{stem}-turn-{turn}-{s.version}"
