"""A repository, an issue or a pull request as it stands now, in the words of deliveries."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.github.repository import Repository
from orchestrator.github.values import Issue
from orchestrator.session.values import Person, RepositoryId, UserId
from orchestrator.triggers import Head
from orchestrator.triggers.delivery import Actor, Thread
from orchestrator.triggers.delivery import Repository as Place


async def place_now(repository: Repository) -> Place:
    """Raises `NotFound`."""
    info = await repository.info()
    return Place(
        id=RepositoryId(info.id),
        full_name=info.full_name,
        private=info.private,
        default_branch=info.default_branch,
    )


async def thread_now(repository: Repository, number: int) -> tuple[Thread, str]:
    """With its address. Raises `NotFound`."""
    issue = await repository.issue(number)
    if not issue.is_pull_request:
        return thread_of(issue), issue.html_url
    pull = await repository.pull(number)
    head = Head(
        repository=pull.head.repository,
        repository_name=pull.head.full_name or "",
        branch=pull.head.ref,
        commit=pull.head.sha,
        base_branch=pull.base.ref,
        base_commit=pull.base.sha,
        pushed_at=pull.head.pushed_at,
    )
    return replace(thread_of(issue), head=head), pull.html_url


def thread_of(issue: Issue) -> Thread:
    author = issue.author
    person = Person(id=UserId(author.id), login=author.login)
    return Thread(
        number=issue.number,
        title=issue.title,
        body=issue.body,
        author=Actor(person=person, type=author.type) if author.id else None,
        is_pull_request=issue.is_pull_request,
        open=issue.state == "open",
    )


def unopened(title: str) -> Thread:
    """An issue that is yet to be opened: its number is 0."""
    return Thread(number=0, title=title, body="", author=None, is_pull_request=False, open=True)
