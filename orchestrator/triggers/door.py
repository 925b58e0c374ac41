"""GitHub's deliveries parsed once, at the door: event name and JSON to typed values."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from orchestrator.session.values import Person, RepositoryId, SourceKind, UserId

from .delivery import (
    Actor,
    Before,
    CommentCreated,
    CommentEdited,
    Delivered,
    Envelope,
    Head,
    IssueAssigned,
    IssueEdited,
    IssueLabeled,
    IssueOpened,
    NotForUs,
    Place,
    PullRequestClosed,
    PullRequestEdited,
    PullRequestOpened,
    Repository,
    ReviewCommentCreated,
    ReviewCommentEdited,
    ReviewEdited,
    ReviewSubmitted,
    Thread,
    Written,
)
from .payload import Payload

EVENTS = (
    "issues",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
)
"""The events that can ask for something; the App subscribes to these."""


def delivered(event: str, document: object) -> Delivered | NotForUs:
    """Raises `BadPayload` where the document is not what GitHub sends for `event`."""
    payload = Payload.of(document)
    action = payload.text("action") if payload.has("action") else ""
    if event not in EVENTS:
        return NotForUs(event=event, action=action, reason=f"`{event}` events ask for nothing")
    envelope = _envelope(event, payload)
    match event, envelope.action:
        case "issues", "opened" | "edited":
            return _issue(payload, envelope)
        case "issues", "labeled" if payload.has("label"):
            issue = payload.object("issue")
            return IssueLabeled(
                envelope=envelope,
                thread=_thread_of_issue(issue),
                written=_written(SourceKind.ISSUE, issue),
                label=payload.object("label").text("name"),
            )
        case "issues", "assigned" if payload.has("assignee"):
            issue = payload.object("issue")
            return IssueAssigned(
                envelope=envelope,
                thread=_thread_of_issue(issue),
                written=_written(SourceKind.ISSUE, issue),
                assignee=payload.object("assignee").text("login"),
            )
        case "issue_comment", "created" | "edited":
            return _comment(payload, envelope)
        case "pull_request", "opened" | "edited":
            return _pull_request(payload, envelope)
        case "pull_request", "closed":
            pull = payload.object("pull_request")
            return PullRequestClosed(
                envelope=envelope, number=pull.id("number"), merged=pull.flag("merged")
            )
        case "pull_request_review", "submitted" | "edited":
            return _review(payload, envelope)
        case "pull_request_review_comment", "created" | "edited":
            return _review_comment(payload, envelope)
        case _:
            return NotForUs(
                event=event,
                action=envelope.action,
                reason=f"`{event}.{envelope.action}` asks for nothing",
                envelope=envelope,
            )


def _envelope(event: str, payload: Payload) -> Envelope:
    repository = payload.object("repository")
    installation = payload.optional("installation")
    return Envelope(
        event=event,
        action=payload.text("action"),
        repository=Repository(
            id=RepositoryId(repository.id("id")),
            full_name=repository.text("full_name"),
            private=repository.flag("private"),
            default_branch=repository.text("default_branch"),
        ),
        installation=installation.id("id") if installation else None,
        sender=_actor(payload.object("sender")),
    )


def _actor(user: Payload) -> Actor:
    return Actor(
        person=Person(id=UserId(user.id("id")), login=user.text("login")),
        type=user.text("type"),
    )


def _author(owner: Payload) -> Actor | None:
    user = owner.optional("user")
    return _actor(user) if user else None


def _before(payload: Payload) -> Before:
    changes = payload.optional("changes")

    def replaced(key: Literal["title", "body"]) -> str | None:
        change = changes.optional(key) if changes else None
        return change.text_or_empty("from") if change else None

    return Before(title=replaced("title"), body=replaced("body"))


def _thread_of_issue(issue: Payload) -> Thread:
    return Thread(
        number=issue.id("number"),
        title=issue.text("title"),
        body=issue.text_or_empty("body"),
        author=_author(issue),
        is_pull_request=issue.has("pull_request"),
        open=issue.text("state") == "open",
    )


def _thread_of_pull(pull: Payload) -> Thread:
    head, base = pull.object("head"), pull.object("base")
    source = head.optional("repo")
    return Thread(
        number=pull.id("number"),
        title=pull.text("title"),
        body=pull.text_or_empty("body"),
        author=_author(pull),
        is_pull_request=True,
        open=pull.text("state") == "open",
        head=Head(
            repository=source.id("id") if source else None,
            repository_name=source.text("full_name") if source else "",
            branch=head.text("ref"),
            commit=head.text("sha"),
            base_branch=base.text("ref"),
            base_commit=base.text("sha"),
            pushed_at=source.time("pushed_at") if source and source.has("pushed_at") else None,
        ),
    )


def _written(kind: SourceKind, text: Payload) -> Written:
    app = text.optional("performed_via_github_app")
    created = "submitted_at" if kind is SourceKind.REVIEW else "created_at"
    return Written(
        kind=kind,
        id=text.id("id"),
        body=text.text_or_empty("body"),
        author=_author(text),
        app=app.id("id") if app else None,
        created_at=text.time(created),
        updated_at=text.time("updated_at") if text.has("updated_at") else text.time(created),
        url=text.text("html_url"),
    )


def _issue(payload: Payload, envelope: Envelope) -> Delivered:
    issue = payload.object("issue")
    thread = _thread_of_issue(issue)
    written = _written(SourceKind.ISSUE, issue)
    if envelope.action == "opened":
        return IssueOpened(envelope=envelope, thread=thread, written=written)
    return IssueEdited(envelope=envelope, thread=thread, written=written, before=_before(payload))


def _pull_request(payload: Payload, envelope: Envelope) -> Delivered:
    pull = payload.object("pull_request")
    thread = _thread_of_pull(pull)
    written = _written(SourceKind.PULL_REQUEST, pull)
    if envelope.action == "opened":
        return PullRequestOpened(envelope=envelope, thread=thread, written=written)
    return PullRequestEdited(
        envelope=envelope, thread=thread, written=written, before=_before(payload)
    )


def _comment(payload: Payload, envelope: Envelope) -> Delivered:
    thread = _thread_of_issue(payload.object("issue"))
    written = _written(SourceKind.ISSUE_COMMENT, payload.object("comment"))
    if envelope.action == "created":
        return CommentCreated(envelope=envelope, thread=thread, written=written)
    return CommentEdited(envelope=envelope, thread=thread, written=written, before=_before(payload))


def _review(payload: Payload, envelope: Envelope) -> Delivered:
    thread = _thread_of_pull(payload.object("pull_request"))
    written = _written(SourceKind.REVIEW, payload.object("review"))
    if envelope.action == "submitted":
        return ReviewSubmitted(envelope=envelope, thread=thread, written=written)
    return ReviewEdited(envelope=envelope, thread=thread, written=written, before=_before(payload))


def _review_comment(payload: Payload, envelope: Envelope) -> Delivered:
    comment = payload.object("comment")
    thread = _thread_of_pull(payload.object("pull_request"))
    written = _written(SourceKind.REVIEW_COMMENT, comment)
    top = comment.optional_id("in_reply_to_id") or written.id
    written = replace(written, in_reply_to=top)
    place = Place(
        path=comment.text("path"),
        line=comment.optional_id("line"),
        start_line=comment.optional_id("start_line"),
        side=comment.text_or_empty("side"),
        diff_hunk=comment.text_or_empty("diff_hunk"),
        commit=comment.text_or_empty("commit_id"),
    )
    if envelope.action == "created":
        return ReviewCommentCreated(envelope=envelope, thread=thread, written=written, place=place)
    return ReviewCommentEdited(
        envelope=envelope, thread=thread, written=written, place=place, before=_before(payload)
    )
