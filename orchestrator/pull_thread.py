"""What a pull request shows beside its conversation: its changes and its review threads."""

from __future__ import annotations

from datetime import datetime

import structlog

from orchestrator.github.errors import GitHubError, NotFound
from orchestrator.github.reading_values import FilePatch
from orchestrator.github.repository import Repository
from orchestrator.github.values import ReviewComment
from orchestrator.prompt import MAX_DIFF
from orchestrator.session.values import SourceKind

log = structlog.get_logger()

FILES = 100


def key_of(comment: ReviewComment) -> str:
    return f"{SourceKind.REVIEW_COMMENT}-{comment.id}"


async def review_thread(
    repository: Repository, number: int, since: datetime | None
) -> list[ReviewComment]:
    """Other people's review comments, oldest first. Ours carry our marker; only an App's account
    is of type Bot, so a person who copies the marker hides nothing."""
    try:
        comments = await repository.review_comments(number)
    except NotFound:
        return []  # deleted meanwhile
    return [
        comment
        for comment in comments
        if (since is None or comment.updated_at >= since)
        and not (comment.author.type == "Bot" and "<!-- openinspect:" in comment.body)
    ]


def where(comment: ReviewComment) -> str:
    line = comment.line or comment.original_line
    return f"{comment.path}, line {line}" if line is not None else comment.path


async def diff(repository: Repository, number: int) -> str:
    """The changes of up to 100 files as one patch, cut where the prompt would cut it; empty
    where GitHub does not give them now, since the agent has the commits at hand."""
    try:
        page = await repository.patches_page(number, 1, FILES)
    except GitHubError as error:
        log.warning("no_diff", number=number, reason=str(error))
        return ""
    parts: list[str] = []
    room = MAX_DIFF
    for file in page.items:
        part = _patch(file)
        parts.append(part)
        room -= len(part)
        if room < 0:
            break
    if page.more:
        parts.append(f"More than {FILES} files are changed; `git diff` shows the others.")
    return "\n".join(parts)


def _patch(file: FilePatch) -> str:
    old = file.previous_path or file.path
    body = file.patch or "(binary, renamed only, or too large to be shown)"
    return f"--- a/{old}\n+++ b/{file.path}\n{body}"
