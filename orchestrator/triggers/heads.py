"""Whose commits would run? Those of a fork only where somebody with write named the very commit."""

from __future__ import annotations

from dataclasses import dataclass

from . import reasons
from .delivery import Head, Told
from .ruling import NeedsHead, Refused, Rules
from .unclear import Unclear
from .words import Ask, PromptText


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What may run: the head, at `start` where a person named the commit; None on an issue."""

    head: Head | None
    start: str = ""


def what_runs(
    rules: Rules,
    told: Told,
    ask: Ask,
    *,
    head: Head | None,
    approved: str,
    by_person: bool,
    name: str,
) -> Runs | NeedsHead | Refused:
    """`head` is the pull request's as GitHub gave it after the delivery, None if nobody asked;
    `approved` the commit that the thread's session was allowed to run."""
    assert not isinstance(ask, Unclear)
    named = ask.commit if isinstance(ask, PromptText) else ""
    thread, repository = told.thread, told.envelope.repository
    if not thread.is_pull_request:
        if named:
            return rules.refused("head", reasons.NO_HEAD_HERE, tell=True)
        return Runs(head=None)
    # Where a commit is named only the head of this moment will do, not that of the delivery.
    where = head if named else thread.head or head
    if where is None:
        return NeedsHead(number=thread.number, rules=rules.so_far)
    fork = where.repository != repository.id
    if named and not where.commit.startswith(named):
        return rules.refused("head", reasons.head_moved(named, where, name), tell=True)
    if not fork:
        rules.passed("head", reasons.own_head(where))
        return Runs(head=where, start=where.commit if named else "")
    if not named:
        if approved and approved == where.commit:
            rules.passed("head", reasons.approved_before(where))
            return Runs(head=where, start=approved)
        reason = reasons.fork(where, repository, approved=approved, name=name)
        return rules.refused("head", reason, tell=True)
    if not by_person:
        return rules.refused("head", reasons.APPS_NAME_NO_FORK, tell=True)
    if where.pushed_at is None or where.repository is None:
        return rules.refused("head", reasons.FORK_IS_GONE, tell=True)
    if where.pushed_at >= told.written.updated_at:
        return rules.refused("head", reasons.pushed_since(where, name), tell=True)
    rules.passed("head", reasons.fork_named(where))
    return Runs(head=where, start=where.commit)
