"""`github_read`: one look at this session's repository, as marked text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.github.reading_values import CheckReport, Commit, FilePatch, Page
from orchestrator.github.repository import Repository
from orchestrator.github.values import Issue, Person

from .arguments import ReadAsk
from .check_log import check_log
from .parts import Part, answer
from .writers import Writers

T = TypeVar("T")
_OWN_MARKER = "<!-- openinspect:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one look found. `more` says that there is a next page."""

    head: str
    parts: Sequence[Part]
    more: bool = False
    notes: Sequence[str] = ()


Look = Callable[["Reader", ReadAsk], Awaitable[Found]]


class Reader:
    """Raises `GitHubError` and `ToolRefused`."""

    def __init__(self, repository: Repository, writers: Writers, app_id: int) -> None:
        self._at = repository
        self._writers = writers
        self._app_id = app_id

    async def read(self, ask: ReadAsk) -> str:
        found = await _LOOKS[ask.kind](self, ask)
        people = [part.by for part in found.parts if part.by is not None]
        writers = await self._writers.among(self._at, people)
        notes = [*found.notes]
        if not found.parts:
            notes.append("There is nothing." if ask.page == 1 else "There is nothing any more.")
        if found.more:
            notes.append(f"There is more: ask for page {ask.page + 1}.")
        return answer(found.head, found.parts, notes, writers)

    async def issues(self, ask: ReadAsk) -> Found:
        page = await self._at.issues_page(ask.state, ask.page, ask.per_page)
        wanted = ask.text.casefold()
        kept = [i for i in page.items if wanted in f"{i.title}\n{i.body}".casefold()]
        head = f"Issues and pull requests, the last changed first ({ask.state})"
        if wanted:
            head += f"; {len(kept)} of the {len(page.items)} on this page hold the text"
        parts = [Part(tag="issue", text=i.title, by=i.author, on=_issue_facts(i)) for i in kept]
        return Found(head=_paged(head, ask), parts=parts, more=page.more)

    async def issue(self, ask: ReadAsk) -> Found:
        issue = await self._at.issue(ask.number)
        parts = [
            Part(tag="title", text=issue.title, by=issue.author, on=_issue_facts(issue)),
            Part(tag="description", text=issue.body, by=issue.author),
        ]
        what = "Pull request" if issue.is_pull_request else "Issue"
        return Found(head=f"{what} #{issue.number}", parts=parts)

    async def pull_request(self, ask: ReadAsk) -> Found:
        pull = await self._at.pull(ask.number)
        state = "merged" if pull.merged else f"{pull.state}{', draft' if pull.draft else ''}"
        fork = "" if pull.head.repository == self._at.id else f" of {pull.head.full_name}"
        facts = (
            f"{state}; merges {pull.head.ref}{fork} at {pull.head.sha}"
            f" into {pull.base.ref} at {pull.base.sha}"
        )
        parts = [
            Part(tag="facts", text=facts),
            Part(tag="title", text=pull.title, by=pull.author),
            Part(tag="description", text=pull.body, by=pull.author),
        ]
        return Found(head=f"Pull request #{pull.number}", parts=parts)

    async def comments(self, ask: ReadAsk) -> Found:
        page = await self._at.comments_page(ask.number, ask.page, ask.per_page)
        kept = [c for c in page.items if not (c.app_id == self._app_id and _OWN_MARKER in c.body)]
        parts = [
            Part(tag="comment", text=c.body, by=c.author, on=f"{c.created_at:%Y-%m-%d %H:%M} UTC")
            for c in kept
        ]
        return self._said(f"Comments on #{ask.number}", ask, parts, page)

    async def review_comments(self, ask: ReadAsk) -> Found:
        page = await self._at.review_comments_page(ask.number, ask.page, ask.per_page)
        parts: list[Part] = []
        for c in page.items:
            if _is_ours(c.author, c.body):
                continue
            line = c.line or c.original_line
            outdated = "" if c.line else ", outdated"
            reply = f", reply to {c.in_reply_to}" if c.in_reply_to else ""
            on = f"{c.path} line {line}{outdated} (comment {c.id}{reply})"
            parts.append(Part(tag="review_comment", text=c.body, by=c.author, on=on))
        return self._said(f"Review comments on pull request #{ask.number}", ask, parts, page)

    async def reviews(self, ask: ReadAsk) -> Found:
        page = await self._at.reviews_page(ask.number, ask.page, ask.per_page)
        parts = [
            Part(
                tag="review",
                text=r.body,
                by=r.author,
                on=f"{r.state.lower()} at {r.commit_id[:12]}"
                + (f", {r.submitted_at:%Y-%m-%d %H:%M} UTC" if r.submitted_at else ""),
            )
            for r in page.items
            if not _is_ours(r.author, r.body)
        ]
        return self._said(f"Reviews of pull request #{ask.number}", ask, parts, page)

    async def files(self, ask: ReadAsk) -> Found:
        page = await self._at.patches_page(ask.number, ask.page, ask.per_page)
        text = "\n".join(_file_facts(file) for file in page.items)
        parts = [Part(tag="files", text=text)] if page.items else []
        head = _paged(f"Files that pull request #{ask.number} changes", ask)
        return Found(head=head, parts=parts, more=page.more)

    async def diff(self, ask: ReadAsk) -> Found:
        page = await self._at.patches_page(ask.number, ask.page, ask.per_page)
        parts = [
            Part(
                tag="diff",
                text=file.patch or "(GitHub shows no patch: binary, renamed only, or too large)",
                on=_file_facts(file),
                code=True,
            )
            for file in page.items
        ]
        head = _paged(f"Changes of pull request #{ask.number}", ask)
        return Found(head=head, parts=parts, more=page.more)

    async def commits(self, ask: ReadAsk) -> Found:
        """Authors of commits are whoever the commit says, so nobody is named or trusted."""
        if ask.number:
            head = f"Commits of pull request #{ask.number}, oldest first"
            page = await self._at.pull_commits_page(ask.number, ask.page, ask.per_page)
        else:
            head = "Commits up to the one asked for, newest first"
            page = await self._at.commits_page(ask.ref, ask.page, ask.per_page)
        text = "\n\n".join(_commit_facts(commit) for commit in page.items)
        parts = [Part(tag="commits", text=text)] if page.items else []
        return Found(head=_paged(head, ask), parts=parts, more=page.more)

    async def checks(self, ask: ReadAsk) -> Found:
        ref, of = ask.ref, "the commit asked for"
        if ask.number:
            ref = (await self._at.pull(ask.number)).head.sha
            of = f"{ref[:12]}, the head of pull request #{ask.number}"
        page = await self._at.check_reports_page(ref, ask.page, ask.per_page)
        text = "\n".join(_check_facts(report) for report in page.items)
        parts = [Part(tag="checks", text=text)] if page.items else []
        head = _paged(f"Checks of {of}; `check_log` shows one by its id", ask)
        return Found(head=head, parts=parts, more=page.more)

    async def check_log(self, ask: ReadAsk) -> Found:
        log = await check_log(self._at, ask)
        return Found(head=log.head, parts=log.parts, more=log.more, notes=log.notes)

    def _said(self, head: str, ask: ReadAsk, parts: Sequence[Part], page: Page[T]) -> Found:
        ours = len(page.items) - len(parts)
        notes = [f"{ours} of this page are this system's own: left out."] if ours else []
        return Found(head=_paged(head, ask), parts=parts, more=page.more, notes=notes)


_LOOKS: dict[str, Look] = {
    "issues": Reader.issues,
    "issue": Reader.issue,
    "pull_request": Reader.pull_request,
    "comments": Reader.comments,
    "review_comments": Reader.review_comments,
    "reviews": Reader.reviews,
    "files": Reader.files,
    "diff": Reader.diff,
    "commits": Reader.commits,
    "checks": Reader.checks,
    "check_log": Reader.check_log,
}


def _paged(head: str, ask: ReadAsk) -> str:
    return f"{head}, page {ask.page} ({ask.per_page} a page)"


def _is_ours(author: Person, body: str) -> bool:
    return author.type == "Bot" and _OWN_MARKER in body


def _issue_facts(issue: Issue) -> str:
    what = "pull request" if issue.is_pull_request else "issue"
    labels = f"; labels: {', '.join(issue.labels)}" if issue.labels else ""
    return f"{what} #{issue.number}, {issue.state}, {issue.updated_at:%Y-%m-%d}{labels}"


def _file_facts(file: FilePatch) -> str:
    before = f" (before: {file.previous_path})" if file.previous_path else ""
    return f"{file.path}{before} {file.status} +{file.added} -{file.removed}"


def _commit_facts(commit: Commit) -> str:
    return f"{commit.sha} {commit.date} {commit.name}\n{commit.message[:2000]}"


def _check_facts(report: CheckReport) -> str:
    run = report.run
    title = f": {report.title[:200]}" if report.title else ""
    return f"{run.id} {run.name} ({report.app}) {run.conclusion or run.status}{title}"
