"""Which branch a session's work is on, and which it may be pushed to. Pure."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _NeitherBase(AllowedBranches):
    """Not the branch that work starts from either, where the configuration names one."""

    base_branch: str

    def allows(self, name: str) -> bool:
        return name.lower() != self.base_branch.lower() and AllowedBranches.allows(self, name)


def allowed_branches(s: Session) -> AllowedBranches:
    """A session's own branches below the prefix, and the head of the pull request it lives on;
    neither the repository's default branch nor the configured base, even as that head."""
    assert s.opened is not None
    plan = s.opened.plan
    on_pull = s.opened.home is Home.PULL_REQUEST
    return _NeitherBase(
        default_branch=plan.default_branch or plan.base_branch,
        base_branch=plan.base_branch,
        prefix=plan.branch_prefix,
        pull_head=s.opened.branch if on_pull else None,
    )


def beside(s: Session, branch: str, turn: int) -> tuple[str, str]:
    """Where work goes when its branch has moved: names that nobody else uses."""
    allowed = allowed_branches(s)
    stem = branch
    if branch == allowed.pull_head:
        stem = f"{allowed.prefix}{home_number(s)}"
    return f"{stem}-turn-{turn}", f"{stem}-turn-{turn}-{s.version}"
