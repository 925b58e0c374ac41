"""Small deliveries for stories of attacks: who says what, where, with which rights."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestrator.config import DEFAULTS, RepoConfig
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

BOT = BotIdentity(name="openinspect", app_id=4242, bot_user_id=999)
REPOSITORY, FORK = 7001, 8888
ALICE = {"id": 101, "login": "alice", "type": "User"}
STRANGER = {"id": 666, "login": "drive-by", "type": "User"}
SAID_AT = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def may(level: str = "write", user: int = 101) -> Permission:
    push = level in ("write", "maintain", "admin")
    return Permission(user_id=UserId(user), push=push, role=level)


def comment(text: str, by: dict[str, Any] = ALICE, *, pull: bool = False, **more: Any) -> Any:
    at = SAID_AT.isoformat()
    issue: dict[str, Any] = {
        "id": 5001, "number": 41, "title": "T", "body": "B", "state": "open",
        "user": dict(STRANGER),
    }  # fmt: skip
    if pull:
        issue["pull_request"] = {"url": "x"}
    return {
        "action": "created",
        "repository": {
            "id": REPOSITORY, "full_name": "acme/app", "private": False, "default_branch": "main",
        },
        "installation": {"id": 55},
        "sender": dict(by),
        "issue": issue,
        "comment": {
            "id": 9001, "body": text, "user": dict(by), "created_at": at, "updated_at": at,
            "html_url": "https://github.com/acme/app/issues/41#issuecomment-9001", **more,
        },
    }  # fmt: skip


def head(commit: str = "a1" * 20, **changes: Any) -> Head:
    facts: dict[str, Any] = {
        "repository": FORK,
        "repository_name": "drive-by/app",
        "branch": "main",
        "commit": commit,
        "base_branch": "main",
        "base_commit": "b" * 40,
        "pushed_at": datetime(2026, 11, 24, 13, 0, tzinfo=UTC),
        **changes,
    }
    return Head(**facts)


def decide(
    payload: Any,
    *,
    config: RepoConfig = DEFAULTS,
    event: str = "issue_comment",
    **known: Any,
) -> Decision:
    return trigger(delivered(event, payload), bot=BOT, config=config, known=Known(**known))
