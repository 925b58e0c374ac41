"""`create_pull_request`: what the agent would have its pull request say; nothing is opened here."""

from __future__ import annotations

from orchestrator.session import Session
from orchestrator.session.values import Home
from orchestrator.shown import home_number


def already(s: Session) -> str | None:
    """Why there is nothing to propose, as the answer to the agent; None where there is."""
    assert s.opened is not None
    branch = s.branch
    if s.opened.home is Home.PULL_REQUEST:
        return (
            f"This session works on pull request #{home_number(s)}: your commits are pushed to"
            f" its branch `{branch}` when this turn ends, and no other pull request is opened."
        )
    if s.pull_request is not None:
        return (
            f"This session has pull request #{s.pull_request.number} already: your commits are"
            f" added to it (`{branch}`) when this turn ends. Its title and description stay."
        )
    if s.opened.plan.pull_request == "none":
        return (
            f"This repository's configuration opens no pull requests (`pull_request: none`)."
            f" Your commits are pushed to `{branch}` when this turn ends."
        )
    return None


def noted(s: Session) -> str:
    """What happens next."""
    assert s.opened is not None
    plan = s.opened.plan
    what = "as a draft" if plan.pull_request == "draft" else "ready for review"
    return (
        f"Noted. When this turn ends, your commits are pushed to `{s.branch}` and a pull"
        f" request into `{plan.base_branch}` is opened {what}, with this title and description."
        " Where there are no commits, none is opened. Call again to change what it says."
    )
