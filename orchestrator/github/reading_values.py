"""What is read for the agent only: one page at a time, and with more of the text than we need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from .fields import Fields
from .parse import read_check_run, read_person
from .values import CheckRun, Person

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """`submitted_at` is None while it is being written."""

    id: int
    author: Person
    state: str
    body: str
    commit_id: str
    submitted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePatch:
    """`patch` is empty where GitHub shows none: for binary files, renames and very large ones."""

    path: str
    previous_path: str
    status: str
    added: int
    removed: int
    patch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """`author` is the account, where GitHub knows it; the name is what the commit says."""

    sha: str
    message: str
    author: Person | None
    name: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """`app` is the slug of the App that ran it; `details_url` is that App's word."""

    run: CheckRun
    app: str
    details_url: str
    title: str
    summary: str
    text: str
    annotations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    path: str
    line: int
    level: str
    title: str
    message: str


def read_review(data: Fields) -> Review:
    at = data["submitted_at"]
    return Review(
        id=data["id"].whole(),
        author=read_person(data["user"]),
        state=data["state"].text(),
        body=data["body"].text(""),
        commit_id=data["commit_id"].text(""),
        submitted_at=None if at.absent else at.moment(),
    )


def read_file_patch(data: Fields) -> FilePatch:
    return FilePatch(
        path=data["filename"].text(),
        previous_path=data["previous_filename"].text(""),
        status=data["status"].text(),
        added=data["additions"].whole(),
        removed=data["deletions"].whole(),
        patch=data["patch"].text(""),
    )


def read_commit(data: Fields) -> Commit:
    """GitHub shows an empty object for some authors it does not know."""
    author, commit = data["author"], data["commit"]
    known = author.value not in (None, {})
    said = commit["author"]
    return Commit(
        sha=data["sha"].text(),
        message=commit["message"].text(""),
        author=read_person(author) if known else None,
        name="" if said.absent else said["name"].text(""),
        date="" if said.absent else said["date"].text(""),
    )


def read_check_report(data: Fields) -> CheckReport:
    app, output = data["app"], data["output"]
    return CheckReport(
        run=read_check_run(data),
        app="" if app.absent else app["slug"].text(""),
        details_url=data["details_url"].text(""),
        title=output["title"].text(""),
        summary=output["summary"].text(""),
        text=output["text"].text(""),
        annotations=output["annotations_count"].whole_or_none() or 0,
    )


def read_annotation(data: Fields) -> Annotation:
    return Annotation(
        path=data["path"].text(""),
        line=data["start_line"].whole_or_none() or 0,
        level=data["annotation_level"].text("") or "notice",
        title=data["title"].text(""),
        message=data["message"].text(""),
    )
