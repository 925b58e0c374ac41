"""A sandbox that lies: whatever its pack holds, nothing is taken, pushed or run."""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from pathlib import Path

import pytest
from support.code_remote import git, git_bytes
from support.collecting import End, says
from support.packs import Pack, entry_head

from orchestrator.courier import CourierRefused, PackLimits, TakePolicy
from orchestrator.courier.packscan import PackScanner
from sandbox.provider import StreamReset

FILE = "100644"
GIT_NAMES = [
    ".git",
    ".GIT",
    ".Git",
    "git~1",
    ".git ",
    ".git.",
    ".git\\x",
    ".g\u200cit",
    ".git::$INDEX_ALLOCATION",
    "..",
    ".",
    "a/b",
]


async def refused(yard, head: str, pack: bytes, **changed) -> str:
    yard.sandbox.liar = says(head, pack)
    with pytest.raises(CourierRefused) as caught:
        await yard.take(None, **changed)
    assert not await yard.mirror.has(head)
    left = [path.name for path in yard.mirror.path.parent.iterdir()]
    assert left == ["4711.git"]
    return str(caught.value)


@pytest.mark.parametrize("name", GIT_NAMES)
async def test_names_that_git_or_a_file_system_takes_for_its_own(yard, name):
    pack = yard.pack()
    inner = pack.tree((FILE, "config", pack.blob(b"[core]\nfsmonitor=touch /tmp/x\n")))
    head = pack.commit(pack.root(("40000", name, inner)), yard.base)
    said = await refused(yard, head, pack.bytes())
    assert said.startswith("The work is not taken:"), said


async def test_hooks_below_a_git_folder(yard):
    pack = yard.pack()
    hooks = pack.tree(("100755", "post-checkout", pack.blob(b"#!/bin/sh\n")))
    dotgit = pack.tree(("40000", "hooks", hooks))
    folder = pack.tree(("40000", ".git", dotgit))
    head = pack.commit(pack.root(("40000", "vendored", folder)), yard.base)
    assert "`.git`" in await refused(yard, head, pack.bytes())


@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% /tmp/x", "-u./x", "file:///etc", "https://good.test/x"]
)
async def test_submodules_are_refused_whatever_their_address(yard, url):
    pack = yard.pack()
    modules = pack.blob(f'[submodule "x"]\n\tpath = x\n\turl = {url}\n'.encode())
    head = pack.commit(
        pack.root((FILE, ".gitmodules", modules), ("160000", "x", yard.base)), yard.base
    )
    await refused(yard, head, pack.bytes())


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a/../../x", ".git/config", ""])
async def test_links_out_of_the_repository_are_refused(yard, target):
    pack = yard.pack()
    head = pack.commit(pack.root(("120000", "link", pack.blob(target.encode()))), yard.base)
    said = await refused(yard, head, pack.bytes())
    assert said == "`link` is a symbolic link to a place outside the repository."


async def test_links_within_the_repository_are_taken(yard):
    await yard.write("docs/guide.md")
    (yard.work / "docs/link.md").symlink_to("../README.md")
    (yard.work / "top.md").symlink_to("docs/guide.md")
    assert (await yard.taken("Links")).commits == 1


async def test_a_symbolic_link_in_place_of_git_s_own_files(yard):
    pack = yard.pack()
    head = pack.commit(pack.root(("120000", ".gitmodules", pack.blob(b"elsewhere"))), yard.base)
    await refused(yard, head, pack.bytes())


@pytest.mark.parametrize("mode", ["100664", "100600", "104755", "060000", "010644", "140000"])
async def test_kinds_of_files_that_are_not_files(yard, mode):
    pack = yard.pack()
    head = pack.commit(pack.root((mode, "odd", pack.blob())), yard.base)
    await refused(yard, head, pack.bytes())


async def test_unsorted_and_doubled_names(yard):
    for names in (["b", "a"], ["a", "a"]):
        pack = yard.pack()
        blob = pack.blob()
        head = pack.commit(pack.tree(*((FILE, name, blob) for name in names)), yard.base)
        await refused(yard, head, pack.bytes())


async def test_a_hundred_thousand_files(yard):
    pack = yard.pack()
    blob = pack.blob()
    tree = pack.root(*((FILE, f"f{number:06}", blob) for number in range(100_000)))
    said = await refused(yard, pack.commit(tree, yard.base), pack.bytes())
    assert said == "The work changes more than 3000 files."


async def test_more_objects_than_are_taken(yard):
    pack = yard.pack()
    head = pack.commit(pack.root((FILE, "a", pack.blob())), yard.base)
    said = await refused(yard, head, pack.bytes(count=3_000_000))
    assert said == "The work has more than 50000 git objects in it."


async def test_a_huge_file(yard):
    pack = yard.pack()
    blob = pack.blob(bytes(60 << 20))
    assert len(pack.entries[0]) < 1 << 20
    said = await refused(yard, pack.commit(pack.root((FILE, "a", blob)), yard.base), pack.bytes())
    assert said == "The work contains a file larger than 50 MiB."


async def test_many_files_that_are_large_together(yard):
    pack = yard.pack()
    entries = [(FILE, f"f{n:02}", pack.blob(bytes([n]) * (9 << 20))) for n in range(12)]
    said = await refused(yard, pack.commit(pack.root(*entries), yard.base), pack.bytes())
    assert said == "The work changes more than 100 MiB."


async def test_a_delta_that_unpacks_into_a_bomb(yard):
    """A few bytes that copy their base again and again; git would allocate the whole result."""
    pack = yard.pack()
    base = pack.blob(b"0" * 65536)
    pack.delta(base, 1 << 40, b"\x80\x80" * 1000, base_size=65536)
    head = pack.commit(pack.root((FILE, "a", base)), yard.base)
    assert "larger than 50 MiB" in await refused(yard, head, pack.bytes())


async def test_deltas_that_are_a_bomb_together(yard):
    pack = yard.pack()
    base = pack.blob(b"0" * 65536)
    for _ in range(30):
        pack.delta(base, 40 << 20, b"\x80" * 640, base_size=65536)
    head = pack.commit(pack.root((FILE, "a", base)), yard.base)
    assert "larger than 500 MiB once unpacked" in await refused(yard, head, pack.bytes())


async def test_an_object_that_inflates_beyond_what_it_says(yard):
    pack = yard.pack()
    pack.entries.append(entry_head(3, 10) + zlib.compress(bytes(1 << 20)))
    head = pack.commit(pack.root((FILE, "a", pack.blob())), yard.base)
    assert "larger than it says" in await refused(yard, head, pack.bytes())


async def test_a_pack_that_never_ends(yard):
    async def pour(stream: End) -> None:
        await stream.write(json.dumps({"head": "a" * 40}).encode() + b"\n")
        await stream.write(b"PACK\0\0\0\2\0\0\0\1" + entry_head(3, 40 << 20))
        noise = os.urandom(1 << 20)
        while not stream.was_reset:
            await stream.write(noise)
            await asyncio.sleep(0)

    yard.sandbox.liar = pour
    with pytest.raises(CourierRefused):
        await asyncio.wait_for(yard.take(None), 20)


async def test_a_pack_larger_than_is_taken(yard):
    policy = TakePolicy(author=yard.policy.author, pack=PackLimits(pack=1 << 20))
    pack = yard.pack()
    head = pack.commit(pack.root((FILE, "a", pack.blob(os.urandom(2 << 20)))), yard.base)
    said = await refused(yard, head, pack.bytes(), policy=policy)
    assert said == "The work is larger than 1 MiB."


async def test_packs_cut_anywhere(yard):
    pack = yard.pack()
    head = pack.commit(pack.root((FILE, "a", pack.blob(b"abc" * 50))), yard.base)
    whole = pack.bytes()
    for end in [1, 4, 11, 12, 13, 30, len(whole) - 21, len(whole) - 20, len(whole) - 1]:
        said = await refused(yard, head, whole[:end])
        assert "not" in said


async def test_packs_with_a_byte_changed(yard):
    pack = yard.pack()
    head = pack.commit(pack.root((FILE, "a", pack.blob(b"abc" * 50))), yard.base)
    whole = pack.bytes()
    for at in range(0, len(whole), 23):
        broken = bytearray(whole)
        broken[at] ^= 0x41
        await refused(yard, head, bytes(broken))


async def test_bytes_after_the_end(yard):
    pack = yard.pack()
    head = pack.commit(pack.root((FILE, "a", pack.blob())), yard.base)
    assert "bytes follow" in await refused(yard, head, pack.bytes() + b"x")


async def test_a_tag_object(yard):
    pack = yard.pack()
    head = pack.commit(pack.root((FILE, "a", pack.blob())), yard.base)
    pack.add("tag", f"object {head}\ntype commit\ntag v1\n\nx\n".encode())
    assert "tag" in await refused(yard, head, pack.bytes())


async def test_a_root_that_joins_nothing(yard):
    pack = yard.pack()
    head = pack.commit(pack.root((FILE, "a", pack.blob())))
    said = await refused(yard, head, pack.bytes())
    assert said == (
        f"Commit {head[:12]} has no parent: the work does not continue this repository."
    )
    second = yard.pack()
    tree = second.root((FILE, "a", second.blob()))
    root = second.commit(tree)
    merge = second.commit(tree, yard.base, root)
    assert "has no parent" in await refused(yard, merge, second.bytes())


async def test_parents_and_files_that_did_not_come(yard):
    pack = yard.pack()
    tree = pack.tree((FILE, "a", pack.blob()))
    orphan = pack.commit(tree, "1" * 40)
    other = yard.pack()
    empty = other.commit(other.root((FILE, "a", "2" * 40)), yard.base)
    treeless = Pack()
    bare = treeless.commit("3" * 40, yard.base)
    for head, made in ((orphan, pack), (empty, other), (bare, treeless)):
        said = await refused(yard, head, made.bytes())
        assert said == (
            "The work is not taken: it refers to git objects that did not come with it."
        )


async def test_a_head_that_is_no_commit_or_did_not_come(yard):
    pack = yard.pack()
    blob = pack.blob()
    pack.commit(pack.root((FILE, "a", blob)), yard.base)
    for head in (blob, "3" * 40):
        said = await refused(yard, head, pack.bytes())
        assert said == "The sandbox named a commit that it did not hand over."


@pytest.mark.parametrize(
    "head", ["", "HEAD", "-x", "main", "a" * 41, "A" * 40, None, 7, ["x"], "refs/heads/main\n"]
)
async def test_heads_that_are_not_object_ids(yard, head):
    yard.sandbox.liar = says(head, b"")  # type: ignore[arg-type]
    with pytest.raises(CourierRefused, match="could not hand over"):
        await yard.take(None)


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"[]\n", b"null\n", b"{\n", b"x" * 200_000, b"[" * 60_000 + b"\n"]
)
async def test_summaries_that_are_none(yard, line):
    async def lie(stream: End) -> None:
        await stream.write(line)
        await stream.close()

    yard.sandbox.liar = lie
    with pytest.raises(CourierRefused, match="did not say"):
        await yard.take(None)


async def test_a_wire_that_ends_in_the_middle(yard):
    async def leave(stream: End) -> None:
        await stream.write(json.dumps({"head": "a" * 40}).encode() + b"\nPACK")
        await stream.reset("gone")

    yard.sandbox.liar = leave
    with pytest.raises(StreamReset):
        await yard.take(None)
    assert [p.name for p in yard.mirror.path.parent.iterdir()] == ["4711.git"]


async def test_giant_and_damaged_messages(yard):
    for message, words in ((b"x" * 70_000, "64 KiB"), (b"a\0b\n", "NUL")):
        pack = yard.pack()
        head = pack.commit(pack.root((FILE, "a", pack.blob())), yard.base, message=message)
        assert words in await refused(yard, head, pack.bytes())


@pytest.mark.parametrize(
    "author",
    [
        b"Mona <mona@x> 1 +0000\nauthor Eve <e@x> 1 +0000",
        b"Mona mona@x 1700000000 +0000",
        b"Mona <m<o>na@x> 1700000000 +0000",
        b"Mona <mona@x> 99999999999999999999 +0000",
        b"Mona <mona@x>",
        b"",
    ],
)
async def test_author_lines_that_git_would_not_write(yard, author):
    pack = yard.pack()
    head = pack.commit(pack.root((FILE, "a", pack.blob())), yard.base, author=author)
    await refused(yard, head, pack.bytes())


async def test_a_signature_and_unknown_headers_do_not_pass(yard):
    pack = yard.pack()
    more = b"gpgsig -----BEGIN PGP SIGNATURE-----\n not one\n -----END\nx-secret payload\n"
    tree = await tree_with(yard, "a")
    head = pack.commit(tree, yard.base, more=more)
    yard.sandbox.liar = says(head, pack.bytes())
    taken = await yard.taken(None)
    assert taken.head != head
    content = await git(yard.mirror.path, "cat-file", "commit", taken.head)
    assert "gpgsig" not in content and "x-secret" not in content and content.endswith("Work")


async def tree_with(yard, name: str) -> str:
    """A tree that the mirror has already."""
    await yard.write(name)
    taken = await yard.taken("x")
    await git(yard.work, "reset", "-q", "--hard", yard.base)
    return await git(yard.mirror.path, "rev-parse", f"{taken.head}^{{tree}}")


async def test_names_that_are_not_utf_8_are_taken_and_shown(yard):
    (Path(os.fsdecode(os.fsencode(yard.work) + b"/caf\xe9.txt"))).write_text("x\n")
    taken = await yard.taken("Latin")
    assert [file.path for file in taken.files] == ["caf\\xe9.txt"]
    names = await git_bytes(yard.mirror.path, "ls-tree", "-z", "--name-only", taken.head)
    assert b"caf\xe9.txt" in names


@pytest.mark.parametrize("name", [b"a\nb", b"a\x1b[2Jb", b"\x7f", b"a\tb"])
async def test_names_with_control_characters(yard, name):
    pack = yard.pack()
    head = pack.commit(pack.root((FILE, name, pack.blob())), yard.base)
    assert "control characters" in await refused(yard, head, pack.bytes())


@pytest.mark.parametrize(
    "path", [".github/workflows/evil.yml", ".github/workflows/ci.yml", ".github/workflows/a/b"]
)
async def test_workflows_may_not_change(yard, path):
    await yard.write(path, "on: pull_request_target\n")
    with pytest.raises(CourierRefused, match="may only be changed where"):
        await yard.take("Evil")
    policy = TakePolicy(author=yard.policy.author, workflows=True)
    assert (await yard.taken(None, policy=policy)).commits == 1


async def test_workflows_may_not_be_deleted_replaced_or_changed_and_changed_back(yard):
    await git(yard.work, "rm", "-rq", ".github")
    await yard.commit("Without")
    with pytest.raises(CourierRefused, match="workflows"):
        await yard.take(None)
    await git(yard.work, "revert", "--no-edit", "HEAD")
    with pytest.raises(CourierRefused, match="workflows"):
        await yard.take(None)
    await git(yard.work, "reset", "-q", "--hard", yard.base)
    await git(yard.work, "mv", ".github/workflows", ".github/elsewhere")
    (yard.work / ".github/workflows").symlink_to("elsewhere")
    with pytest.raises(CourierRefused, match="workflows"):
        await yard.take("Link")


async def test_an_older_workflow_may_not_come_back_by_a_merge(yard):
    """Each file of the merge is one of its parents', and yet none of the remote's heads has it."""
    old = await git(yard.seed, "rev-parse", f"{yard.base}^{{tree}}")
    new = await yard.upstream(".github/workflows/ci.yml", "on: [push]\n")
    await yard.mirror.fetch(yard.opens, branches=["main"])
    pack = yard.pack()
    merge = pack.commit(old, new, yard.base)
    said = await refused(yard, merge, pack.bytes(), base=new)
    assert "may only be changed where" in said


async def test_more_commits_than_are_taken(yard):
    pack = yard.pack()
    tree = await tree_with(yard, "a")
    at = yard.base
    for number in range(501):
        at = pack.commit(tree, at, message=f"{number}\n".encode())
    said = await refused(yard, at, pack.bytes())
    assert said == "The work has more than 500 commits."


async def test_a_pointer_to_a_large_file_elsewhere(yard):
    await yard.write(
        "model.bin",
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5\n",
    )
    with pytest.raises(CourierRefused, match="Git LFS"):
        await yard.take("Large")


async def test_a_head_that_the_remote_has_already_is_no_work(yard):
    theirs = await yard.upstream("b.txt", "b\n")
    await yard.mirror.fetch(yard.opens, branches=["main"])
    yard.sandbox.liar = says(theirs)
    assert await yard.take(None) is None


def test_the_scanner_reads_real_packs_however_they_are_cut(tmp_path):
    pack = Pack()
    base = pack.blob(b"0" * 5000)
    pack.delta(base, 5000, b"\x90\x88" + b"\x13", base_size=5000)
    pack.tree((FILE, "a", base))
    whole = pack.bytes()
    for size in (1, 2, 3, 7, 100, 10_000):
        scanner = PackScanner(PackLimits())
        for at in range(0, len(whole), size):
            scanner.feed(whole[at : at + size])
        scanner.finish()
        assert scanner.objects == 3 and scanner.bytes == len(whole)
