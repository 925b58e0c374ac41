"""Issues and the conversation of issues and pull requests: comments, reactions, labels."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from .calls import nothing
from .errors import AlreadyExists, NotFound
from .grants import READ_THREAD, WRITE_ISSUES, WRITE_LABELS, WRITE_PULLS, WRITE_THREAD
from .parse import read_comment, read_issue
from .place import Place
from .values import Comment, Issue, OnIssue, OnIssueComment, OnReview, OnReviewComment, Subject

ONE_COMMENT = "/issues/comments/{comment_id}"


class Threads(Place):
    """What is said on an issue; a pull request is an issue here."""

    async def issue(self, n: int) -> Issue:
        return await self._get(
            READ_THREAD,
            "/issues/{issue_number}",
            read_issue,
            new=self._is_new(f"issue {n}"),
            issue_number=n,
        )

    async def create_issue(self, title: str, body: str) -> Issue:
        """Raises `UncertainOutcome` where it may be there all the same: look before a second."""
        issue = await self._write(
            WRITE_ISSUES,
            "POST",
            "/issues",
            read_issue,
            body={"title": title, "body": body},
            creates=True,
        )
        self._made(f"issue {issue.number}")
        return issue

    async def issues_since(self, since: datetime) -> list[Issue]:
        """All that were opened or changed from then on, pull requests among them."""
        query = {"state": "all", "since": _stamp(since), "sort": "created", "direction": "asc"}
        return await self._pages(READ_THREAD, "/issues", read_issue, query=query)

    async def comments(self, n: int, *, since: datetime | None = None) -> list[Comment]:
        """All of them, oldest first; with `since`, those written or changed from then on."""
        query = {} if since is None else {"since": _stamp(since)}
        return await self._pages(
            READ_THREAD,
            "/issues/{issue_number}/comments",
            read_comment,
            query=query,
            issue_number=n,
        )

    async def comment(self, id: int) -> Comment | None:
        try:
            return await self._get(
                READ_THREAD,
                ONE_COMMENT,
                read_comment,
                new=self._is_new(f"comment {id}"),
                comment_id=id,
            )
        except NotFound:
            return None

    async def create_comment(self, n: int, body: str) -> Comment:
        """Raises `UncertainOutcome` where it may be there all the same: look before a second."""
        comment = await self._write(
            WRITE_THREAD,
            "POST",
            "/issues/{issue_number}/comments",
            read_comment,
            body={"body": body},
            creates=True,
            new=self._is_new(f"issue {n}"),
            issue_number=n,
        )
        self._made(f"comment {comment.id}")
        return comment

    async def edit_comment(self, id: int, body: str) -> Comment:
        return await self._write(
            WRITE_THREAD,
            "PATCH",
            ONE_COMMENT,
            read_comment,
            body={"body": body},
            new=self._is_new(f"comment {id}"),
            comment_id=id,
        )

    async def delete_comment(self, id: int) -> None:
        """Gone already is fine."""
        try:
            await self._write(
                WRITE_THREAD,
                "DELETE",
                ONE_COMMENT,
                nothing,
                repeatable=True,
                new=self._is_new(f"comment {id}"),
                comment_id=id,
            )
        except NotFound:
            return

    async def react(self, subject: Subject, content: str) -> None:
        """The same reaction twice is one: GitHub answers 200 instead of 201."""
        match subject:
            case OnIssue(number=number):
                path, grant, target = "/issues/{target}/reactions", WRITE_THREAD, number
                new = self._is_new(f"issue {number}")
            case OnIssueComment(id=id):
                path, grant, target = "/issues/comments/{target}/reactions", WRITE_THREAD, id
                new = self._is_new(f"comment {id}")
            case OnReviewComment(id=id):
                path, grant, target = "/pulls/comments/{target}/reactions", WRITE_PULLS, id
                new = self._is_new(f"review comment {id}")
            case OnReview():
                return
        await self._write(
            grant,
            "POST",
            path,
            nothing,
            body={"content": content},
            repeatable=True,
            new=new,
            target=target,
        )

    async def ensure_label(self, name: str, color: str, description: str) -> None:
        """The repository has the label; if it had it already, its looks are left to its owners."""
        if name in self._known.labels:
            return
        with suppress(AlreadyExists):
            await self._write(
                WRITE_LABELS,
                "POST",
                "/labels",
                nothing,
                body={"name": name, "color": color, "description": description},
                repeatable=True,
            )
        self._known.labels.add(name)

    async def add_label(self, n: int, name: str) -> None:
        await self._write(
            WRITE_THREAD,
            "POST",
            "/issues/{issue_number}/labels",
            nothing,
            body={"labels": [name]},
            repeatable=True,
            new=self._is_new(f"issue {n}"),
            issue_number=n,
        )

    async def remove_label(self, n: int, name: str) -> None:
        """Not there is fine."""
        try:
            await self._write(
                WRITE_THREAD,
                "DELETE",
                "/issues/{issue_number}/labels/{name}",
                nothing,
                repeatable=True,
                issue_number=n,
                name=name,
            )
        except NotFound:
            return


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
