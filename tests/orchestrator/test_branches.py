"""Which branches a session may push to: its own and its pull request's, never a base."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.branches import allowed_branches
from orchestrator.session import Session, replay
from orchestrator.session.events import SessionOpened
from orchestrator.session.values import Home, Plan, RepositoryId, session_id


def opened(plan: Plan, *, branch: str, home: Home = Home.PULL_REQUEST) -> Session:
    session = session_id(RepositoryId(7), 41)
    event = SessionOpened(
        at=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
        session=session,
        repository="acme/app",
        home=home,
        title="t",
        branch=branch,
        public=True,
        plan=plan,
    )
    return replay(session, [event])


CONFIGURED = Plan(base_branch="develop", default_branch="main")


@pytest.mark.parametrize("head", ["main", "Main", "develop", "DEVELOP"])
def test_neither_the_default_branch_nor_the_base_is_pushed_to_as_a_head(head: str) -> None:
    allowed = allowed_branches(opened(CONFIGURED, branch=head))
    assert not allowed.allows(head)
    assert allowed.allows("openinspect/41-turn-1")


def test_any_other_head_is() -> None:
    allowed = allowed_branches(opened(CONFIGURED, branch="fix/retry"))
    assert allowed.allows("fix/retry")
    assert not allowed.allows("fix/another")


@pytest.mark.parametrize("name", ["openinspect/main", "openinspect/develop"])
def test_both_are_refused_below_the_prefix_too(name: str) -> None:
    plan = Plan(base_branch="openinspect/develop", default_branch="openinspect/main")
    allowed = allowed_branches(opened(plan, branch="openinspect/41-retry", home=Home.ISSUE))
    assert not allowed.allows(name)
    assert allowed.allows("openinspect/41-retry")


def test_a_session_from_before_the_default_branch_was_kept_refuses_its_base() -> None:
    allowed = allowed_branches(opened(Plan(base_branch="main"), branch="main"))
    assert not allowed.allows("main")
