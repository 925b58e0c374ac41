"""From GitHub's JSON to our values. Fields that are not needed are not looked at."""

from __future__ import annotations

from .fields import Fields, WrongShape
from .values import (
    GHOST,
    NO_PERMISSION,
    CheckRun,
    Comment,
    Delivery,
    Issue,
    Permission,
    Person,
    Pull,
    PullFile,
    RepositoryInfo,
    ReviewComment,
    Side,
)


def read_person(data: Fields) -> Person:
    """GitHub shows null for some deleted accounts, and the account `ghost` for others."""
    if data.absent:
        return GHOST
    return Person(id=data["id"].whole(), login=data["login"].text(), type=data["type"].text("User"))


def read_repository(data: Fields) -> RepositoryInfo:
    return RepositoryInfo(
        id=data["id"].whole(),
        full_name=data["full_name"].text(),
        default_branch=data["default_branch"].text(),
        private=data["private"].flag(),
        archived=data["archived"].flag(False),
    )


def read_permission(data: Fields) -> Permission:
    """Fails closed: without a user, or without the right spelled out, nobody may push."""
    user = data["user"]
    if user.absent:
        return NO_PERMISSION
    level = data["permission"].text("none")
    can = user["permissions"]
    if can.absent:
        push, admin = level in ("admin", "write"), level == "admin"
        maintain = admin
    else:
        push, admin = can["push"].flag(False), can["admin"].flag(False)
        maintain = can["maintain"].flag(False)
    role = data["role_name"].text("") or level
    return Permission(
        user_id=user["id"].whole(),
        can_push=push,
        can_maintain=maintain,
        can_admin=admin,
        role=role,
    )


def read_membership(data: Fields) -> bool:
    """An invitation that nobody has accepted is `pending`, and counts for nothing."""
    return data["state"].text("") == "active"


def read_issue(data: Fields) -> Issue:
    return Issue(
        number=data["number"].whole(),
        title=data["title"].text(),
        body=data["body"].text(""),
        author=read_person(data["user"]),
        state=data["state"].text(),
        is_pull_request=not data["pull_request"].absent,
        created_at=data["created_at"].moment(),
        updated_at=data["updated_at"].moment(),
        labels=tuple(_label(label) for label in data["labels"]),
        html_url=data["html_url"].text(),
        node_id=data["node_id"].text(),
        locked=data["locked"].flag(False),
    )


def _label(data: Fields) -> str:
    """Issues from old servers list labels as plain text."""
    return data.text() if isinstance(data.value, str) else data["name"].text("")


def read_comment(data: Fields) -> Comment:
    app = data["performed_via_github_app"]
    return Comment(
        id=data["id"].whole(),
        node_id=data["node_id"].text(),
        body=data["body"].text(""),
        author=read_person(data["user"]),
        app_id=None if app.absent else app["id"].whole(),
        created_at=data["created_at"].moment(),
        updated_at=data["updated_at"].moment(),
        html_url=data["html_url"].text(),
    )


def read_review_comment(data: Fields) -> ReviewComment:
    return ReviewComment(
        id=data["id"].whole(),
        node_id=data["node_id"].text(),
        body=data["body"].text(""),
        author=read_person(data["user"]),
        path=data["path"].text(),
        line=data["line"].whole_or_none(),
        original_line=data["original_line"].whole_or_none(),
        side=data["side"].text("RIGHT"),
        diff_hunk=data["diff_hunk"].text(""),
        commit_id=data["commit_id"].text(),
        in_reply_to=data["in_reply_to_id"].whole_or_none(),
        review_id=data["pull_request_review_id"].whole_or_none(),
        created_at=data["created_at"].moment(),
        updated_at=data["updated_at"].moment(),
        html_url=data["html_url"].text(),
    )


def _side(data: Fields) -> Side:
    repository = data["repo"]
    gone = repository.absent
    pushed = None if gone or repository["pushed_at"].absent else repository["pushed_at"].moment()
    return Side(
        ref=data["ref"].text(),
        sha=data["sha"].text(),
        repository=None if gone else repository["id"].whole(),
        full_name=None if gone else repository["full_name"].text(),
        pushed_at=pushed,
    )


def read_pull(data: Fields) -> Pull:
    """`merged` is spelled out for one pull request, and only dated in lists."""
    merged = data["merged"]
    return Pull(
        number=data["number"].whole(),
        title=data["title"].text(),
        body=data["body"].text(""),
        state=data["state"].text(),
        draft=data["draft"].flag(False),
        merged=(not data["merged_at"].absent) if merged.absent else merged.flag(),
        head=_side(data["head"]),
        base=_side(data["base"]),
        author=read_person(data["user"]),
        html_url=data["html_url"].text(),
        maintainer_can_modify=data["maintainer_can_modify"].flag(False),
        created_at=data["created_at"].moment(),
        updated_at=data["updated_at"].moment(),
    )


def read_pull_file(data: Fields) -> PullFile:
    previous = data["previous_filename"]
    return PullFile(
        path=data["filename"].text(),
        status=data["status"].text(),
        added=data["additions"].whole(),
        removed=data["deletions"].whole(),
        previous_path=None if previous.absent else previous.text(),
    )


def read_check_run(data: Fields) -> CheckRun:
    app, conclusion = data["app"], data["conclusion"]
    return CheckRun(
        id=data["id"].whole(),
        name=data["name"].text(),
        head_sha=data["head_sha"].text(),
        external_id=data["external_id"].text(""),
        status=data["status"].text(),
        conclusion=None if conclusion.absent else conclusion.text(),
        app_id=None if app.absent else app["id"].whole(),
        html_url=data["html_url"].text(""),
    )


def read_delivery(data: Fields) -> Delivery:
    action = data["action"]
    return Delivery(
        id=data["id"].whole(),
        guid=data["guid"].text(),
        event=data["event"].text(),
        action=None if action.absent else action.text(),
        delivered_at=data["delivered_at"].moment(),
        redelivery=data["redelivery"].flag(False),
        status=data["status"].text(),
        status_code=data["status_code"].whole(),
        installation=data["installation_id"].whole_or_none(),
        repository=data["repository_id"].whole_or_none(),
    )


def read_words(data: Fields) -> dict[str, str]:
    """An object of texts, such as permissions or headers."""
    if not isinstance(data.value, dict):
        raise WrongShape(f"{data.place} should be an object")
    return {str(name): data[name].text("") for name in data.value}
