"""Deliveries as GitHub sends them, small, and one call from payload to decision."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.config import RepoConfig
from orchestrator.session.values import UserId
from orchestrator.triggers import (
    BotIdentity,
    Decision,
    Head,
    Known,
    Permission,
    delivered,
    trigger,
)

Json = dict[str, Any]
BOT = BotIdentity(name="openinspect", app_id=4242, bot_user_id=999)
REPOSITORY = {
    "id": 7001,
    "full_name": "acme/app",
    "private": False,
    "default_branch": "main",
}
MONA = {"id": 101, "login": "mona", "type": "User"}
AT = "2026-11-24T14:02:11Z"


def user(login: str = "mona", id: int = 101, type: str = "User") -> Json:
    return {"id": id, "login": login, "type": type}


def envelope(action: str, sender: Json | None = None) -> Json:
    return {
        "action": action,
        "repository": copy.deepcopy(REPOSITORY),
        "installation": {"id": 55},
        "sender": sender or dict(MONA),
    }


def issue(body: str | None = "It is flaky.", **changes: Any) -> Json:
    return {
        "id": 5001,
        "number": 41,
        "title": "Flaky retry test",
        "body": body,
        "state": "open",
        "user": dict(MONA),
        "created_at": AT,
        "updated_at": AT,
        "html_url": "https://github.com/acme/app/issues/41",
        "performed_via_github_app": None,
        **changes,
    }


def pull(head: int | None = 7001, **changes: Any) -> Json:
    repo = (
        None if head is None else {"id": head, "full_name": "acme/app" if head == 7001 else "e/f"}
    )
    return {
        **issue(),
        "id": 6001,
        "number": 128,
        "html_url": "https://github.com/acme/app/pull/128",
        "merged": False,
        "head": {"ref": "topic", "sha": "a" * 40, "repo": repo},
        "base": {"ref": "main", "sha": "b" * 40, "repo": dict(REPOSITORY)},
        **changes,
    }


def written(body: str | None, **changes: Any) -> Json:
    return {
        "id": 9001,
        "body": body,
        "user": dict(MONA),
        "created_at": AT,
        "updated_at": AT,
        "html_url": "https://github.com/acme/app/issues/41#issuecomment-9001",
        "performed_via_github_app": None,
        **changes,
    }


def commented(
    body: str, *, on_pull: bool = False, sender: Json | None = None, **changes: Any
) -> Json:
    on = issue(pull_request={"url": "x"}) if on_pull else issue()
    comment = written(body, **{"user": sender or dict(MONA), **changes})
    return {**envelope("created", sender), "issue": on, "comment": comment}


def opened(title: str, body: str | None, **changes: Any) -> Json:
    return {**envelope("opened"), "issue": issue(body, title=title, **changes)}


def pull_opened(body: str, *, head: int | None = 7001) -> Json:
    return {**envelope("opened"), "pull_request": pull(head, body=body)}


def marked(action: str, on: Json, *, sender: Json | None = None, **mark: Any) -> Json:
    """`marked("labeled", issue("fix"), label={"name": "agent"})`."""
    return {**envelope(action, sender), "issue": on, **mark}


def reviewed(body: str | None, *, head: int | None = 7001) -> Json:
    review = {**written(body), "submitted_at": AT, "state": "commented"}
    del review["created_at"], review["updated_at"]
    return {**envelope("submitted"), "review": review, "pull_request": pull(head)}


def review_commented(body: str, *, head: int | None = 7001, **changes: Any) -> Json:
    comment = {
        **written(body),
        "path": "retry.py",
        "line": 12,
        "start_line": None,
        "side": "RIGHT",
        "diff_hunk": "@@ -1 +1 @@",
        "commit_id": "a" * 40,
        **changes,
    }
    return {**envelope("created"), "comment": comment, "pull_request": pull(head)}


def edited(payload: Json, **before: str) -> Json:
    changes = {key: {"from": value} for key, value in before.items()}
    return {**payload, "action": "edited", "changes": changes}


WRITE = Permission(user_id=UserId(101), push=True, role="write")
OWN_HEAD = Head(
    repository=7001,
    repository_name="acme/app",
    branch="topic",
    commit="a" * 40,
    base_branch="main",
    base_commit="b" * 40,
    pushed_at=datetime(2026, 11, 24, 13, 0, tzinfo=UTC),
)


def decide(
    event: str,
    payload: Json,
    *,
    permission: Permission | None = WRITE,
    config: RepoConfig | None = None,
    head: Head | None = OWN_HEAD,
    bot: BotIdentity = BOT,
    team: bool | None = None,
    lately: int = 0,
    approved: str = "",
) -> Decision:
    told = delivered(event, payload)
    known = Known(permission=permission, team=team, lately=lately, head=head, approved=approved)
    return trigger(told, bot=bot, config=config or RepoConfig(), known=known)


class Say:
    """All of the above, for tests: conftest modules cannot be imported."""

    envelope = staticmethod(envelope)
    user = staticmethod(user)
    issue = staticmethod(issue)
    pull = staticmethod(pull)
    written = staticmethod(written)
    commented = staticmethod(commented)
    opened = staticmethod(opened)
    pull_opened = staticmethod(pull_opened)
    reviewed = staticmethod(reviewed)
    review_commented = staticmethod(review_commented)
    edited = staticmethod(edited)
    marked = staticmethod(marked)
    decide: Callable[..., Decision] = staticmethod(decide)
    BOT = BOT
    WRITE = WRITE
    OWN_HEAD = OWN_HEAD


@pytest.fixture
def say() -> type[Say]:
    return Say
