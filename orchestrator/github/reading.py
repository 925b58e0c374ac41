"""What the agent may look at, page by page, each with a token that reads this and nothing else."""

from __future__ import annotations

from typing import TypeVar

from .calls import Query, Read
from .grants import READ_ACTIONS, READ_CHECKS, READ_CODE, READ_PULLS, READ_THREAD, Grant
from .parse import read_comment, read_issue, read_review_comment
from .place import Place
from .reading_values import (
    Annotation,
    CheckReport,
    Commit,
    FilePatch,
    Page,
    Review,
    read_annotation,
    read_check_report,
    read_commit,
    read_file_patch,
    read_review,
)
from .values import Comment, Issue, ReviewComment

T = TypeVar("T")


class Reading(Place):
    async def issues_page(self, state: str, page: int, per_page: int) -> Page[Issue]:
        """Issues and pull requests, the last changed first."""
        query = {"state": state, "sort": "updated", "direction": "desc"}
        return await self._one_page(READ_THREAD, "/issues", read_issue, page, per_page, query=query)

    async def comments_page(self, n: int, page: int, per_page: int) -> Page[Comment]:
        path = "/issues/{issue_number}/comments"
        return await self._one_page(READ_THREAD, path, read_comment, page, per_page, issue_number=n)

    async def review_comments_page(self, n: int, page: int, per_page: int) -> Page[ReviewComment]:
        path = "/pulls/{pull_number}/comments"
        return await self._one_page(
            READ_PULLS, path, read_review_comment, page, per_page, pull_number=n
        )

    async def reviews_page(self, n: int, page: int, per_page: int) -> Page[Review]:
        path = "/pulls/{pull_number}/reviews"
        return await self._one_page(READ_PULLS, path, read_review, page, per_page, pull_number=n)

    async def patches_page(self, n: int, page: int, per_page: int) -> Page[FilePatch]:
        path = "/pulls/{pull_number}/files"
        return await self._one_page(
            READ_PULLS, path, read_file_patch, page, per_page, pull_number=n
        )

    async def pull_commits_page(self, n: int, page: int, per_page: int) -> Page[Commit]:
        """Oldest first; GitHub lists the first 250 only."""
        path = "/pulls/{pull_number}/commits"
        return await self._one_page(READ_PULLS, path, read_commit, page, per_page, pull_number=n)

    async def commits_page(self, ref: str, page: int, per_page: int) -> Page[Commit]:
        """What leads to `ref`, newest first."""
        return await self._one_page(
            READ_CODE, "/commits", read_commit, page, per_page, query={"sha": ref}
        )

    async def check_reports_page(self, ref: str, page: int, per_page: int) -> Page[CheckReport]:
        """The latest run of each check on a commit."""
        return await self._one_page(
            READ_CHECKS,
            "/commits/{ref}/check-runs",
            read_check_report,
            page,
            per_page,
            items="check_runs",
            ref=ref,
        )

    async def check_report(self, id: int) -> CheckReport:
        return await self._get(
            READ_CHECKS, "/check-runs/{check_run_id}", read_check_report, check_run_id=id
        )

    async def annotations_page(self, id: int, page: int, per_page: int) -> Page[Annotation]:
        path = "/check-runs/{check_run_id}/annotations"
        return await self._one_page(
            READ_CHECKS, path, read_annotation, page, per_page, check_run_id=id
        )

    async def job_log(self, job: int) -> bytes:
        """The whole log of a GitHub Actions job that has ended, as text. `Gone` once it is too old.

        Needs `actions: read`: docs.github.com/rest/actions/workflow-jobs.
        """
        return await self._download(READ_ACTIONS, "/actions/jobs/{job_id}/logs", job_id=job)

    async def _one_page(
        self,
        grant: Grant,
        path: str,
        read: Read[T],
        page: int,
        per_page: int,
        *,
        query: Query | None = None,
        items: str | None = None,
        **values: str | int,
    ) -> Page[T]:
        found, more = await self._page(
            grant, path, read, page=page, per_page=per_page, query=query, items=items, **values
        )
        return Page(items=tuple(found), more=more)
