"""Repository in, commits out, onto one branch."""

from __future__ import annotations

import pytest
from support.code_remote import git
from support.collecting import HUBOT, MONA

from orchestrator.courier import (
    AlreadyThere,
    CourierRefused,
    Moved,
    Pushed,
    TakePolicy,
    bring,
    push,
    remote_tip,
)
from orchestrator.session.values import ChangedFile

BRANCH = "openinspect/41-fix"


async def test_the_repository_arrives_in_the_sandbox(yard):
    assert (yard.work / "README.md").read_text() == "app 2\n"
    assert await git(yard.work, "rev-parse", "HEAD") == yard.base
    assert await git(yard.work, "branch", "--show-current") == BRANCH
    assert await git(yard.work, "status", "--porcelain") == ""


async def test_nothing_new_is_nothing_taken(yard):
    assert await yard.take("Work") is None


async def test_work_is_committed_taken_and_pushed(yard):
    await yard.write("src/new.py", "a\nb\n")
    await yard.write("README.md", "changed\n")
    taken = await yard.taken("Fix the retry\n\nIt slept first.")
    assert taken.files == (
        ChangedFile(path="README.md", added=1, removed=1),
        ChangedFile(path="src/new.py", added=2, removed=0),
    )
    assert (taken.commits, taken.subject, taken.note) == (1, "Fix the retry", "")
    assert await remote_tip(yard.opens, BRANCH) is None
    outcome = await push(yard.opens, taken, branch=BRANCH, expected=None, allowed=yard.allowed)
    assert outcome == Pushed(head=taken.head)
    assert await yard.remote_head() == taken.head == await remote_tip(yard.opens, BRANCH)
    author = await git(yard.remote, "log", "-1", "--format=%an <%ae>", taken.head)
    assert author == f"{MONA.name} <{MONA.email}>"
    work = taken.work(branch=BRANCH)
    assert (work.branch, work.head, work.base) == (BRANCH, taken.head, yard.base)


async def test_taking_and_pushing_again_changes_nothing(yard):
    await yard.write("a.txt")
    first = await yard.taken("Work")
    await push(yard.opens, first, branch=BRANCH, expected=None, allowed=yard.allowed)
    again = await yard.taken("Work")
    assert (again.head, again.commits, again.files) == (first.head, 1, first.files)
    for expected in (None, first.head):
        outcome = await push(
            yard.opens, again, branch=BRANCH, expected=expected, allowed=yard.allowed
        )
        assert outcome == AlreadyThere(head=first.head)
    await yard.mirror.fetch(yard.opens, branches=[BRANCH])
    after_fetch = await yard.taken("Work")
    assert after_fetch.head == first.head and after_fetch.files == first.files


async def test_a_second_turn_adds_to_the_first(yard):
    await yard.write("a.txt")
    first = await yard.taken("One")
    await push(yard.opens, first, branch=BRANCH, expected=None, allowed=yard.allowed)
    await yard.write("b.txt")
    second = await yard.taken("Two", turn=2, base=first.head)
    assert second.files == (ChangedFile(path="b.txt", added=1, removed=0),)
    outcome = await push(
        yard.opens, second, branch=BRANCH, expected=first.head, allowed=yard.allowed
    )
    assert outcome == Pushed(head=second.head)


async def test_what_is_left_uncommitted_is_said(yard):
    await yard.write("a.txt")
    await yard.commit("One")
    await yard.write("b.txt")
    taken = await yard.taken(None)
    assert [file.path for file in taken.files] == ["a.txt"]
    assert taken.note == "Changes that were not committed were left out."


async def test_a_branch_that_moved_is_not_overwritten(yard):
    await yard.write("a.txt")
    taken = await yard.taken("Work")
    theirs = await yard.upstream("b.txt", "b\n", branch=BRANCH)
    for expected in (None, yard.base):
        outcome = await push(
            yard.opens, taken, branch=BRANCH, expected=expected, allowed=yard.allowed
        )
        assert outcome == Moved(tip=theirs)
    assert await yard.remote_head() == theirs


async def test_history_is_never_rewritten_even_where_the_branch_is_as_expected(yard):
    theirs = await yard.upstream("b.txt", "b\n", branch=BRANCH)
    await yard.mirror.fetch(yard.opens, branches=[BRANCH])
    await yard.write("a.txt")
    taken = await yard.taken("Work")
    outcome = await push(yard.opens, taken, branch=BRANCH, expected=theirs, allowed=yard.allowed)
    assert outcome == Moved(tip=theirs)
    assert await yard.remote_head() == theirs


async def test_a_moved_branch_comes_in_and_the_agent_can_rebase(yard):
    await yard.write("a.txt")
    first = await yard.taken("One")
    await push(yard.opens, first, branch=BRANCH, expected=None, allowed=yard.allowed)
    await git(yard.seed, "fetch", "-q", str(yard.remote), f"{BRANCH}:{BRANCH}")
    await git(yard.seed, "checkout", "-q", BRANCH)
    theirs = await yard.upstream("b.txt", "b\n", branch=BRANCH)
    await yard.mirror.fetch(yard.opens, branches=[BRANCH], commits=[theirs])
    await bring(yard.sandbox, yard.mirror, branch=BRANCH, commit=theirs, have=first.head)
    await yard.write("c.txt")
    await yard.commit("Three")
    await git(yard.work, "rebase", "-q", f"origin/{BRANCH}")
    taken = await yard.taken(None, base=first.head, turn=2)
    assert [file.path for file in taken.files] == ["c.txt"] and taken.commits == 1
    outcome = await push(yard.opens, taken, branch=BRANCH, expected=theirs, allowed=yard.allowed)
    assert outcome == Pushed(head=taken.head)


async def test_a_merge_of_the_base_branch_brings_its_workflows_along(yard):
    theirs = await yard.upstream(".github/workflows/ci.yml", "on: [push, pull_request]\n")
    await yard.mirror.fetch(yard.opens, branches=["main"])
    await bring(yard.sandbox, yard.mirror, branch="main", commit=theirs, have=yard.base)
    await yard.write("a.txt")
    await yard.commit("One")
    await git(yard.work, "merge", "-q", "--no-edit", "origin/main")
    taken = await yard.taken(None)
    assert taken.commits == 2


async def test_commits_under_another_name_are_written_anew_in_their_persons_name(yard):
    await yard.write("a.txt")
    foreign = {"GIT_AUTHOR_NAME": "Agent", "GIT_AUTHOR_EMAIL": "agent@example.invalid"}
    raw = await yard.commit("By the agent", **foreign)
    await yard.write("b.txt")
    await yard.commit("By Mona")
    taken = await yard.taken(None)
    assert taken.note == "1 commit was made under another name; its author is now Mona Lisa."
    log = await git(yard.mirror.path, "log", "-2", "--format=%s|%an|%ae|%at", taken.head)
    assert log.splitlines() == [
        f"By Mona|Mona Lisa|{MONA.email}|1700000000",
        f"By the agent|Mona Lisa|{MONA.email}|1700000000",
    ]
    await push(yard.opens, taken, branch=BRANCH, expected=None, allowed=yard.allowed)
    # The sandbox goes on from its own commits, and somebody else asks.
    assert (await git(yard.work, "rev-parse", "HEAD~1")) == raw
    await yard.write("c.txt")
    await yard.commit("More", GIT_AUTHOR_EMAIL=HUBOT.email, GIT_COMMITTER_EMAIL=HUBOT.email)
    policy = TakePolicy(author=HUBOT, people=(MONA,))
    second = await yard.taken(None, turn=2, base=taken.head, policy=policy)
    assert await yard.mirror.is_ancestor(taken.head, second.head)
    assert [file.path for file in second.files] == ["c.txt"]
    outcome = await push(
        yard.opens, second, branch=BRANCH, expected=taken.head, allowed=yard.allowed
    )
    assert outcome == Pushed(head=second.head)


async def test_a_commit_picked_from_upstream_keeps_its_author(yard):
    other = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.invalid"}
    (yard.seed / "picked.txt").write_text("picked\n")
    await git(yard.seed, "add", "-A")
    await git(yard.seed, "commit", "-q", "-m", "By Ada", env=other)
    await git(yard.seed, "push", "-q", str(yard.remote), "HEAD:refs/heads/side")
    side = await git(yard.seed, "rev-parse", "HEAD")
    await yard.mirror.fetch(yard.opens, branches=["side"])
    await bring(yard.sandbox, yard.mirror, branch="side", commit=side, have=yard.base)
    await yard.write("first.txt")
    await yard.commit("First")
    await git(yard.work, "cherry-pick", "origin/side")
    taken = await yard.taken(None)
    authors = await git(yard.mirror.path, "log", "-2", "--format=%an", taken.head)
    assert authors.splitlines() == ["Ada", "Mona Lisa"] and taken.note == ""


async def test_a_push_elsewhere_is_refused(yard):
    await yard.write("a.txt")
    taken = await yard.taken("Work")
    with pytest.raises(CourierRefused, match="not a branch"):
        await push(yard.opens, taken, branch="main", expected=yard.base, allowed=yard.allowed)
