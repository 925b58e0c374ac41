"""What is known of one check: its output, its annotations, and the log of a GitHub Actions job."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.github.errors import GitHubError, Gone, NotFound, PermissionMissing
from orchestrator.github.reading_values import Annotation, CheckReport
from orchestrator.github.repository import Repository

from .arguments import ReadAsk
from .parts import Part

ACTIONS = "github-actions"
"""The slug of the App as which GitHub's own workflows report."""
ANNOTATIONS = 50
LOG_PAGE = 30_000
"""Bytes of a log in one answer."""

_JOB = re.compile(r"/actions/runs/\d+/job/(\d{1,18})(?:[/?#]|$)")
_STAMP = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    head: str
    parts: Sequence[Part]
    more: bool
    notes: Sequence[str]


async def check_log(repository: Repository, ask: ReadAsk) -> Log:
    """Page 1 holds everything but the older parts of the log, which are the pages after it."""
    report = await repository.check_report(ask.id)
    run = report.run
    parts: list[Part] = []
    notes: list[str] = []
    if ask.page == 1:
        name = f"{run.name} ({report.app}) at {run.head_sha[:12]}"
        said = "\n\n".join(text for text in (report.title, report.summary, report.text) if text)
        outcome = run.conclusion or run.status
        parts.append(Part(tag="check", text=f"{outcome}\n\n{said}".strip(), on=name))
        if report.annotations:
            page = await repository.annotations_page(ask.id, 1, ANNOTATIONS)
            text = "\n".join(_annotation(one) for one in page.items)
            parts.append(Part(tag="annotations", text=text))
            if page.more:
                notes.append(f"Annotations after the first {ANNOTATIONS} are left out.")
    more = False
    if report.app == ACTIONS:
        log, more, note = await _job_log(repository, report, ask.page)
        parts += [Part(tag="log", text=log, end=True, room=LOG_PAGE)] if log else []
        notes += [note] if note else []
    return Log(head=f"Check {run.id}", parts=parts, more=more, notes=notes)


async def _job_log(repository: Repository, report: CheckReport, page: int) -> tuple[str, bool, str]:
    """(text, whether older parts follow, a note)."""
    if report.run.status != "completed":
        return "", False, "GitHub gives the log once the job has ended."
    found = _JOB.search(report.details_url)
    try:
        data = await repository.job_log(int(found[1]) if found else report.run.id)
    except PermissionMissing:
        return "", False, "This App may not read logs of GitHub Actions (`actions: read`)."
    except Gone:
        return "", False, "GitHub has deleted this log."
    except NotFound:
        return "", False, "There is no log."
    except GitHubError as error:
        return "", False, f"GitHub did not give the log: {error}"
    end = len(data) - (page - 1) * LOG_PAGE
    if end <= 0:
        return "", False, ""
    start = max(0, end - LOG_PAGE)
    text = data[start:end].decode("utf-8", "replace").replace("\r\n", "\n")
    note = f"The log has {len(data):,} bytes; its end is page 1."
    return _STAMP.sub("", text), start > 0, note


def _annotation(one: Annotation) -> str:
    title = f" {one.title}:" if one.title else ""
    return f"{one.path}:{one.line} {one.level}:{title} {one.message[:2000]}"
