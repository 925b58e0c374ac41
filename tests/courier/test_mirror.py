"""The cache: only what was asked for, no deeper than needed, and never in the way after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest
from support.code_remote import git, git_bytes
from support.collecting import Sandbox

from orchestrator.courier import CourierRefused, GitError, Mirrors, send_repository


async def grown(yard, commits: int) -> str:
    """A long history on main, quickly."""
    lines = ["reset refs/heads/main\n"]
    for number in range(commits):
        text = f"{number}\n"
        lines.append(
            "commit refs/heads/main\ncommitter M <m@x.invalid> 1700000000 +0000\n"
            f"data {len(f'c{number}')}\nc{number}\n"
            + (f"from {yard.base}\n" if number == 0 else "")
            + f"M 100644 inline f.txt\ndata {len(text)}\n{text}\n"
        )
    await git_bytes(yard.remote, "fast-import", "--quiet", "--force", stdin="".join(lines).encode())
    return await git(yard.remote, "rev-parse", "main")


async def test_history_is_cut_and_the_cut_is_told(yard, tmp_path):
    head = await grown(yard, 30)
    mirror = Mirrors(tmp_path / "other").of(1)
    await mirror.fetch(yard.opens, branches=["main"], depth=10)
    assert len(mirror.shallow()) == 1 == len(await mirror.shallow_of(head))
    count = await git(mirror.path, "rev-list", "--count", head)
    assert count == "10"
    sandbox = Sandbox(tmp_path / "box")
    await send_repository(sandbox, mirror, branch="openinspect/1", commit=head)
    assert await git(tmp_path / "box", "rev-list", "--count", "HEAD") == "10"
    assert await git(tmp_path / "box", "fsck", "--strict") == ""
    await sandbox.close()


async def test_work_on_a_cut_history_is_taken_and_pushed(yard, tmp_path):
    from orchestrator.courier import Pushed, push, take

    head = await grown(yard, 30)
    mirror = Mirrors(tmp_path / "other").of(1)
    await mirror.fetch(yard.opens, branches=["main"], depth=5)
    sandbox = Sandbox(tmp_path / "box")
    await send_repository(sandbox, mirror, branch="openinspect/1", commit=head)
    (tmp_path / "box/new.txt").write_text("new\n")
    taken = await take(
        sandbox, mirror=mirror, turn=1, base=head, commit_message="New", policy=yard.policy
    )
    assert taken is not None and taken.commits == 1
    outcome = await push(
        yard.opens, taken, branch="openinspect/1", expected=None, allowed=yard.allowed
    )
    assert outcome == Pushed(head=taken.head)
    await sandbox.close()


async def test_a_known_branch_goes_on_from_where_it_was(yard):
    await grown(yard, 20)
    await yard.mirror.fetch(yard.opens, branches=["main"], depth=5)
    tip = await git(yard.mirror.path, "rev-parse", "refs/remotes/origin/main")
    assert await yard.mirror.is_ancestor(yard.base, tip)
    assert yard.mirror.shallow() == []


async def test_only_what_was_named_is_fetched(yard):
    await yard.upstream("s.txt", "s\n", branch="side")
    await git(yard.seed, "push", "-q", str(yard.remote), "HEAD:refs/heads/openinspect/state")
    await git(yard.seed, "tag", "v1")
    await git(yard.seed, "push", "-q", str(yard.remote), "v1")
    await yard.mirror.fetch(yard.opens, branches=["main"])
    refs = await git(yard.mirror.path, "for-each-ref", "--format=%(refname)")
    assert refs.splitlines() == ["refs/remotes/origin/main"]
    with pytest.raises(ValueError, match="state branch"):
        await yard.mirror.fetch(yard.opens, branches=["openinspect/state"])


async def test_a_commit_is_had_by_its_id(yard):
    side = await yard.upstream("s.txt", "s\n", branch="side")
    assert not await yard.mirror.has(side)
    await yard.mirror.fetch(yard.opens, commits=[side])
    assert await yard.mirror.has(side)
    assert side in await yard.mirror.trusted_tips()


async def test_what_is_here_is_not_asked_for_again(yard):
    yard.server.requests.clear()
    await yard.mirror.fetch(yard.opens, branches=["main"], commits=[yard.base])
    assert yard.server.requests == []


async def test_fetches_at_the_same_time_ask_once(yard):
    side = await yard.upstream("s.txt", "s\n", branch="side")
    yard.server.requests.clear()
    await asyncio.gather(
        *(yard.mirror.fetch(yard.opens, branches=["side"], commits=[side]) for _ in range(5))
    )
    assert len([r for r in yard.server.requests if r.startswith("POST")]) <= 2


async def test_a_branch_that_is_not_there_is_said(yard):
    with pytest.raises(GitError, match="couldn't find remote ref"):
        await yard.mirror.fetch(yard.opens, branches=["nowhere"])


@pytest.mark.parametrize("name", ["", "-x", "--upload-pack=touch", "a..b", "x:y", "refs/heads/a"])
async def test_names_that_are_no_branches_are_not_asked_for(yard, name):
    with pytest.raises(ValueError, match="branch"):
        await yard.mirror.fetch(yard.opens, branches=[name])


async def test_locks_of_a_killed_git_do_not_stay_in_the_way(yard, tmp_path):
    side = await yard.upstream("s.txt", "s\n", branch="side")
    path = yard.mirror.path
    for left in (
        "shallow.lock",
        "packed-refs.lock",
        "refs/remotes/origin/side.lock",
        "config.lock",
    ):
        (path / left).touch()
    (path / "objects/pack/tmp_pack_1").touch()
    again = Mirrors(path.parent).of(4711)
    await again.fetch(yard.opens, branches=["side"])
    assert await again.has(side)
    assert not (path / "objects/pack/tmp_pack_1").exists()


async def test_many_packs_become_few_and_nothing_is_lost(yard, monkeypatch):
    monkeypatch.setattr("orchestrator.courier.mirror.MANY_PACKS", 3)
    tips = []
    for number in range(6):
        tips.append(await yard.upstream(f"f{number}.txt", "x\n"))
        await git(yard.remote, "repack", "-q", "-ad")
        await yard.mirror.fetch(yard.opens, branches=["main"])
    packs = list((yard.mirror.path / "objects/pack").glob("*.pack"))
    assert len(packs) <= 4
    for tip in [yard.base, *tips]:
        assert await yard.mirror.has(tip)


async def test_files_are_read_as_committed(yard):
    await git(yard.seed, "checkout", "-q", "main")
    (yard.seed / "link").symlink_to("/etc/passwd")
    (yard.seed / "run.sh").write_text("echo\n")
    (yard.seed / "run.sh").chmod(0o755)
    (yard.seed / "large").write_bytes(bytes(2000))
    (yard.seed / "*.md").write_text("star\n")
    tip = await yard.upstream("sub/file.txt", "hello\n")
    await yard.mirror.fetch(yard.opens, branches=["main"])
    read = yard.mirror.file
    assert await read(tip, "sub/file.txt") == b"hello\n"
    assert await read(tip, "run.sh") == b"echo\n"
    assert await read(tip, "*.md") == b"star\n"
    for missing in ("nowhere", "sub/nowhere", "READ*", "sub/../README.md", ":(top)README.md", "/x"):
        with contextlib.suppress(GitError):
            assert await read(tip, missing) is None
    for odd in ("link", "sub"):
        with pytest.raises(CourierRefused, match="not an ordinary file"):
            await read(tip, odd)
    with pytest.raises(CourierRefused, match="larger than"):
        await read(tip, "large", most=1000)


async def test_a_pack_is_never_built_for_a_name(yard):
    with pytest.raises(ValueError, match="not a commit"):
        await yard.mirror.file("main", "README.md")


async def test_a_repository_with_very_many_cuts_is_sent_one_commit_deep(
    yard, monkeypatch, tmp_path
):
    head = await grown(yard, 8)
    mirror = Mirrors(tmp_path / "other").of(1)
    await mirror.fetch(yard.opens, branches=["main"], depth=3)
    monkeypatch.setattr("orchestrator.courier.mirror.MAX_SHALLOW", 0)
    sandbox = Sandbox(tmp_path / "box")
    await send_repository(sandbox, mirror, branch="openinspect/1", commit=head)
    assert await git(tmp_path / "box", "rev-list", "--count", "HEAD") == "1"
    assert (tmp_path / "box/f.txt").read_text() == "7\n"
    await sandbox.close()


async def test_old_mistakes_in_upstream_history_do_not_shut_the_door(yard):
    tree = await git(yard.remote, "rev-parse", f"{yard.base}^{{tree}}")
    odd = (
        f"tree {tree}\nparent {yard.base}\nauthor <m@x> 1 +051800\ncommitter M <m@x> 1 +0000\n\nx\n"
    )
    commit = await git(
        yard.remote,
        *("hash-object", "-t", "commit", "-w", "--literally", "--stdin"),
        stdin=odd.encode(),
    )
    await git(yard.remote, "update-ref", "refs/heads/main", commit)
    await yard.mirror.fetch(yard.opens, branches=["main"])
    assert await yard.mirror.has(commit)


async def test_evil_trees_do_not_come_in_from_the_remote_either(yard):
    blob = await git(yard.remote, "hash-object", "-w", "--stdin", stdin=b"x")
    entry = b"100644 .GIT\0" + bytes.fromhex(blob)
    tree = await git(
        yard.remote, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=entry
    )
    commit = await git(yard.remote, "commit-tree", tree, "-p", yard.base, "-m", "x")
    await git(yard.remote, "update-ref", "refs/heads/main", commit)
    with pytest.raises(GitError, match="hasDotgit"):
        await yard.mirror.fetch(yard.opens, branches=["main"])


def test_two_repositories_have_two_mirrors(tmp_path):
    mirrors = Mirrors(tmp_path)
    assert mirrors.of(1) is mirrors.of(1) and mirrors.of(1).path != mirrors.of(2).path
    assert os.fspath(mirrors.of(1).path).endswith("1.git")
