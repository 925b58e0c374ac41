"""Commits out, commits in, from a workspace whose owner may be hostile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.provider import StreamReset
from sandbox.reports import AgentReady, Booted


async def booted(bench, files=None):
    commit = bench.make_repository(files)
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit, mode="snapshot_restore"))
    await bench.until_kind(link, AgentReady)
    return link, commit


async def read_all(stream) -> bytes:
    data = b""
    while piece := await stream.read():
        data += piece
    return data


async def collect(link, turn=1, exclude=(), message=None):
    meta = {"turn": turn, "exclude": list(exclude), "message": message}
    stream = await link.open("collect", meta)
    await stream.close()
    line, _, pack = (await read_all(stream)).partition(b"\n")
    return json.loads(line), pack


def imported(git, bench, tmp_path: Path, base: str, pack: bytes) -> Path:
    """The host's side: a bare repository with only the base, and the pack put into it."""
    mirror = tmp_path / "mirror.git"
    git(tmp_path, "init", "-q", "--bare", str(mirror))
    git(mirror, "fetch", "-q", str(bench.workspace), base)
    git(mirror, "index-pack", "--stdin", "--fix-thin", stdin=pack)
    return mirror


async def test_the_agents_commits_come_out_as_a_thin_pack(bench, git, tmp_path):
    long = "".join(f"line {n}\n" for n in range(5000))
    link, base = await booted(bench, {"long.txt": long})
    await bench.turn(link, 1, "run sed -i s/4000/four/ long.txt && git commit -qam one")
    await bench.turn(link, 2, "write b.txt b\nrun git add -A && git commit -qm two")
    summary, pack = await collect(link, turn=2, exclude=[base])
    assert summary["commits"] == 2
    assert (summary["dirty"], summary["committed"], summary["error"]) == (False, False, "")
    mirror = imported(git, bench, tmp_path, base, pack)
    assert git(mirror, "log", "--format=%s", summary["head"]).split() == ["two", "one", "first"]
    assert len(pack) < 1000  # one line of 60 KB has changed, and the host has the rest


async def test_what_was_not_committed_is_committed_for_the_turns_author(bench, git, tmp_path):
    link, base = await booted(bench, {".gitignore": "*.log\n"})
    await bench.turn(link, 1, "write new/a.txt a\nrun mkdir -p new && echo x > debug.log")
    await bench.turn(link, 1 + 1, "write README.md more")
    (bench.workspace / "new").mkdir(exist_ok=True)
    (bench.workspace / "new" / "a.txt").write_text("a\n")
    (bench.workspace / "debug.log").write_text("noise\n")
    (bench.workspace / ".git" / "index.lock").touch()  # of an agent that was killed

    summary, pack = await collect(link, turn=2, exclude=[base], message="Unfinished work\n\nBody")
    assert (summary["dirty"], summary["committed"], summary["commits"]) == (True, True, 1)
    mirror = imported(git, bench, tmp_path, base, pack)
    shown = git(mirror, "show", "--format=%an %ae|%cn|%B", "--name-only", summary["head"])
    assert shown.startswith("Alice 1+alice@users.noreply.github.com|Alice|Unfinished work\n\nBody")
    assert "new/a.txt" in shown
    assert "debug.log" not in shown


async def test_nothing_new_is_an_answer_without_a_pack(bench):
    link, base = await booted(bench)
    summary, pack = await collect(link, exclude=[base])
    assert (summary["head"], summary["commits"], summary["dirty"]) == (base, 0, False)
    assert pack == b""
    (bench.workspace / "left.txt").write_text("x")
    summary, pack = await collect(link, exclude=[base], message=None)
    assert (summary["dirty"], summary["committed"], pack) == (True, False, b"")


async def test_a_commit_that_the_workspace_does_not_have_is_named(bench, git, tmp_path):
    link, base = await booted(bench)
    summary, pack = await collect(link, exclude=["ab" * 20])
    assert summary["base_missing"] == ["ab" * 20]
    assert summary["commits"] == 1
    mirror = tmp_path / "m.git"
    git(tmp_path, "init", "-q", "--bare", str(mirror))
    git(mirror, "index-pack", "--stdin", stdin=pack)
    assert git(mirror, "cat-file", "-t", base) == "commit"


async def test_hooks_of_the_workspace_do_not_take_part(bench, git):
    link, base = await booted(bench)
    hooks = bench.workspace / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {bench.workspace}/hooked\nexit 1\n")
        (hooks / name).chmod(0o755)
    (bench.workspace / "a").write_text("a")
    summary, _ = await collect(link, exclude=[base], message="m")
    assert (summary["committed"], summary["error"]) == (True, "")
    assert not (bench.workspace / "hooked").exists()
    assert git(bench.workspace, "log", "-1", "--format=%an") == "OpenInspect"


async def test_a_workspace_without_a_repository_is_an_error_in_words(bench):
    link, _ = await booted(bench)
    (bench.workspace / ".git").rename(bench.workspace / "gone")
    summary, pack = await collect(link, exclude=[], message="m")
    assert "not a git repository" in summary["error"]
    assert (summary["head"], pack) == ("", b"")


async def test_a_conflict_in_progress_is_told_and_the_commits_still_come(bench, git):
    link, base = await booted(bench)
    script = (
        "git checkout -qb x && echo x > README.md && git commit -qam x && git checkout -qb y HEAD~1"
        " && echo y > README.md && git commit -qam y && git merge x; true"
    )
    await bench.turn(link, 1, f"run {script}")
    summary, pack = await collect(link, exclude=[base], message="m")
    assert summary["commits"] >= 1
    assert pack.startswith(b"PACK")


async def test_meta_that_makes_no_sense_is_an_error_in_words(bench):
    link, base = await booted(bench)
    for exclude, message in ((["--all"], None), ([base], 7), ("x", None)):
        stream = await link.open("collect", {"turn": 1, "exclude": exclude, "message": message})
        answer = json.loads(await stream.read())
        assert answer["error"]
    for meta in ({"ref": "refs/heads/main", "commit": base}, {"ref": 1}, {}):
        stream = await link.open("receive", meta)
        await stream.close()
        assert b"error" in await stream.read()


async def test_commits_of_a_branch_that_moved_come_in(bench, git, tmp_path):
    link, base = await booted(bench)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(bench.workspace), str(clone))
    (clone / "theirs.txt").write_text("theirs\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "theirs")
    moved = git(clone, "rev-parse", "HEAD")
    pack = run_pack(git, clone, moved, base)
    meta = {"ref": "refs/remotes/origin/main", "commit": moved}
    stream = await link.open("receive", meta)
    await stream.write(pack)
    await stream.close()
    assert await stream.read() == b'{"ok":true}\n'
    assert git(bench.workspace, "rev-parse", "origin/main") == moved
    finished = await bench.turn(link, 1, "run git rebase origin/main && ls")
    assert finished.reason == "end_turn"
    assert (bench.workspace / "theirs.txt").exists()


def run_pack(git, clone: Path, new: str, old: str) -> bytes:
    names = clone / "pack"
    revisions = f"{new}\n^{old}\n".encode()
    git(clone, "pack-objects", "--revs", "-q", str(names), stdin=revisions)
    (pack,) = clone.glob("pack-*.pack")
    return pack.read_bytes()


async def test_a_slow_git_is_cut_off_by_a_reset_and_harms_nobody(bench, git):
    """The host that stops to read a pack and resets it frees everything."""
    link, base = await booted(bench, {"big.bin": "x" * (4 << 20)})
    stream = await link.open("collect", {"turn": 1, "exclude": [], "message": None})
    await stream.read()
    await stream.reset("enough")
    with pytest.raises(StreamReset):
        while await stream.read():
            pass
    summary, _ = await collect(link, exclude=[base])
    assert summary["head"] == base
    assert bench.reports(Booted)
