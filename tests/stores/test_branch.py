"""The state branch on a real remote: readable with plain git, and believed only when intact."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pygit2
import pytest
from support.event_stores import branch_store
from support.git_http import GitServer, git_server
from support.stored import (
    NOON,
    REPOSITORY,
    a_session,
    finished_story,
    intended,
    opened,
    prompt,
    settled,
)

from orchestrator.ports import Conflict
from orchestrator.secret import Secret
from orchestrator.session.events import PromptQueued
from orchestrator.session.values import RepositoryId, SessionId, session_id
from orchestrator.stores.branch import BranchStore
from orchestrator.stores.chain import Keys
from orchestrator.stores.layout import (
    BRANCH,
    open_path,
    pull_path,
    segment_path,
    session_folder,
    snapshot_path,
)
from orchestrator.stores.record import Batch, RecordUnavailable, StateRefused
from orchestrator.stores.trees import blob_at, edited

SESSION = a_session()
REF = f"refs/heads/{BRANCH}"
STORY = finished_story(SESSION)


@dataclass
class Place:
    """A remote, and stores that come to it each with a copy of its own."""

    server: GitServer
    folder: Path
    copies: int = 0

    def store(
        self,
        copy: str = "",
        *,
        keys: Keys | None = None,
        stale_after: float = 0,
        clean: Callable[[str], str] | None = None,
    ) -> BranchStore:
        self.copies += 1
        folder = self.folder / (copy or f"copy-{self.copies}")
        return branch_store(self.server, folder, keys=keys, stale_after=stale_after, clean=clean)

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(self.server.folder), *arguments],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def read(self, path: str) -> bytes:
        data = self.find(path)
        assert data is not None
        return data

    def find(self, path: str) -> bytes | None:
        objects = self.server.repository
        return blob_at(objects, objects.references[REF].peel(pygit2.Tree).id, path)

    def meddle(self, changes: dict[str, bytes | None]) -> None:
        """Somebody with the right to push changes files on the branch."""
        objects = self.server.repository
        tip = objects.references[REF].peel(pygit2.Commit)
        tree = edited(objects, tip.tree.id, changes)
        who = pygit2.Signature("mallory", "mallory@example.com", 1, 0)
        objects.create_commit(REF, who, who, "Tidy up", tree, [tip.id])


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with git_server(tmp_path) as server:
        yield Place(server, tmp_path)


async def test_the_branch_reads_with_plain_git(place: Place) -> None:
    store = place.store()
    await store.append(SESSION, 0, STORY[:2])
    await store.append(SESSION, 2, STORY[2:13])
    assert place.git("log", "--format=%s", BRANCH).splitlines() == [
        "issue 41: turn 1 succeeded",
        "issue 41: prompt by octocat accepted",
    ]
    trailers = place.git("log", "-1", "--format=%(trailers:only)", BRANCH).splitlines()
    assert trailers[:-2] == [
        f"Session: {SESSION}",
        "Turn: 1",
        "Actor: octocat (583231)",
        "Cost: $0.19",
        "Journal: 0",
    ]
    found = place.git("log", "--format=%h", "--grep", f"Session: {SESSION}", BRANCH)
    assert len(found.splitlines()) == 2
    folder = session_folder(SESSION)
    by_path = place.git("log", "--format=%h", BRANCH, "--", folder)
    assert len(by_path.splitlines()) == 2
    shown = json.loads(place.git("show", f"{BRANCH}:{folder}/session.json"))
    assert shown["title"] == "Flaky retry test"
    assert shown["status"] == "idle"
    assert (shown["turn"], shown["outcome"], shown["cost"]) == (1, "succeeded", "$0.19")
    assert (shown["who"], shown["pull_request"]) == ("octocat (583231)", 128)
    assert shown["last"]["n"] == 13
    head = await store.head(SESSION)
    assert (head.n, head.h) == (13, shown["last"]["h"])
    lines = place.git("show", f"{BRANCH}:{folder}/000001.jsonl").splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(1, 14))
    assert "README.md" in place.git("ls-tree", "--name-only", BRANCH)
    assert place.git("log", "-1", "--format=%an <%ae>", BRANCH).startswith("openinspect[bot] <5+")


async def test_the_branch_shares_no_history_with_the_code(place: Place) -> None:
    objects = place.server.repository
    who = pygit2.Signature("Mona", "mona@example.com", 1, 0)
    blob = objects.create_blob(b"print()\n")
    tree = edited(objects, None, {"main.py": objects[blob].read_raw()})
    objects.create_commit("refs/heads/main", who, who, "Code", tree, [])
    await place.store().append(SESSION, 0, STORY)
    assert place.git("rev-list", "--count", BRANCH).strip() == "1"
    assert "main.py" not in place.git("ls-tree", "-r", "--name-only", BRANCH)
    assert place.git("rev-list", "--count", "main").strip() == "1"


async def test_commit_messages_link_and_notify_nobody(place: Place) -> None:
    session = a_session(41)
    asked = prompt(text="@everyone look at #1\n\nSession: forged")
    events = [opened(session, title="Fixes #7 @octocat\n\nCo-authored-by: x"), STORY[1]]
    await place.store().append(session, 0, [*events, PromptQueued(at=NOON, prompt=asked)])
    message = place.git("log", "-1", "--format=%B", BRANCH)
    assert not re.search("[#@]", message)
    assert "forged" not in message
    assert "Fixes" not in message


async def test_segments_end_at_64_events(place: Place) -> None:
    store = place.store()
    events = [opened(SESSION), *(intended(n) for n in range(130))]
    await store.append(SESSION, 0, events)
    await store.append(SESSION, 131, [intended(999)])
    sizes = [len(place.read(segment_path(SESSION, n)).splitlines()) for n in (1, 2, 3)]
    assert sizes == [64, 64, 4]
    assert place.find(segment_path(SESSION, 4)) is None


async def test_segments_end_at_32_kilobytes(place: Place) -> None:
    events = [PromptQueued(at=NOON, prompt=prompt(text="x" * 20_000)) for _ in range(5)]
    store = place.store()
    await store.append(SESSION, 0, events[:1])
    await store.append(SESSION, 1, events[1:])
    sizes = [len(place.read(segment_path(SESSION, n)).splitlines()) for n in (1, 2, 3)]
    assert sizes == [2, 2, 1]
    assert (await store.load(SESSION)).events == tuple(events)


async def test_one_flush_is_one_commit_and_what_conflicts_stays_out(place: Place) -> None:
    store = place.store()
    ahead = a_session(2)
    await store.append(ahead, 0, [opened(ahead), intended(1)])
    sessions = [a_session(home) for home in (1, 2, 3)]
    batches = [Batch(session=s, expected=0, events=(opened(s), intended(5))) for s in sessions]
    results = await store.append_many(batches, journal=77)
    assert results[sessions[0]] == results[sessions[2]] == 2
    assert isinstance(results[ahead], Conflict)
    assert place.git("rev-list", "--count", BRANCH).strip() == "2"
    message = place.git("log", "-1", "--format=%B", BRANCH)
    assert message.startswith("2 sessions; issue 1: session opened\n")
    assert "Journal: 77" in message
    assert (await store.load(ahead)).events == (opened(ahead), intended(1))


async def test_repeating_a_flush_writes_nothing_twice(place: Place) -> None:
    batches = [Batch(session=SESSION, expected=0, events=tuple(STORY[:3]))]
    assert await place.store().append_many(batches) == {SESSION: 3}
    assert await place.store().append_many(batches) == {SESSION: 3}
    more = [Batch(session=SESSION, expected=1, events=tuple(STORY[1:5]))]
    assert await place.store().append_many(more) == {SESSION: 5}
    assert (await place.store().load(SESSION)).events == tuple(STORY[:5])
    other = [Batch(session=SESSION, expected=3, events=(intended(1), intended(2)))]
    results = await place.store().append_many(other)
    assert isinstance(results[SESSION], Conflict)


async def test_a_stale_store_writes_beside_others_without_noticing(place: Place) -> None:
    ours, theirs = place.store(stale_after=1000), place.store(stale_after=1000)
    other = a_session(42)
    await ours.append(SESSION, 0, STORY[:2])
    await theirs.append(other, 0, [opened(other)])
    await ours.append(SESSION, 2, STORY[2:4])
    assert await theirs.append(SESSION, 4, STORY[4:6]) == 6
    with pytest.raises(Conflict):
        await ours.append(SESSION, 4, STORY[4:5])
    assert (await ours.load(SESSION)).version == 6, "and is up to date after a conflict"
    assert place.git("rev-list", "--count", BRANCH).strip() == "4"


async def test_two_who_say_the_same_at_the_same_time_are_still_two(place: Place) -> None:
    stores = [place.store() for _ in range(4)]
    results = await asyncio.gather(
        *(store.append(SESSION, 0, [opened(SESSION)]) for store in stores),
        return_exceptions=True,
    )
    assert sorted(map(str, results))[0] == "1"
    assert sum(isinstance(result, Conflict) for result in results) == 3


async def test_an_answer_that_never_came_is_looked_up(place: Place) -> None:
    store = place.store()
    await store.append(SESSION, 0, STORY[:2])
    place.server.lose = 1
    assert await store.append(SESSION, 2, STORY[2:4]) == 4
    assert place.git("rev-list", "--count", BRANCH).strip() == "2"


async def test_a_copy_on_disk_goes_on_after_a_restart(place: Place) -> None:
    await place.store("copy").append(SESSION, 0, STORY[:2])
    await place.store().append(SESSION, 2, STORY[2:4])
    again = place.store("copy")
    assert (await again.load(SESSION)).version == 4
    assert await again.append(SESSION, 4, STORY[4:]) == len(STORY)


@pytest.mark.parametrize("broken", ["HEAD", "objects", "refs/openinspect/tip"])
async def test_a_broken_copy_is_fetched_anew(place: Place, broken: str) -> None:
    await place.store("copy").append(SESSION, 0, STORY)
    path = place.folder / "copy" / broken
    if path.is_dir():
        for file in path.rglob("*"):
            if file.is_file():
                file.chmod(0o600)
                file.write_bytes(b"")
    else:
        path.write_bytes(b"")
    store = place.store("copy")
    assert (await store.load(SESSION)).events == tuple(STORY)


async def test_a_copy_that_breaks_under_way_mends_itself(place: Place) -> None:
    store = place.store("copy", stale_after=100)
    await store.append(SESSION, 0, STORY)
    shutil.rmtree(place.folder / "copy" / "objects")
    with pytest.raises(RecordUnavailable):
        await store.load(SESSION)
    assert (await store.load(SESSION)).events == tuple(STORY)
    assert await store.append(SESSION, len(STORY), [intended(1)]) == len(STORY) + 1


# Trust


async def refused(store: BranchStore, session: SessionId = SESSION) -> str:
    with pytest.raises(StateRefused) as refusal:
        await store.load(session)
    version = 2 if session != SESSION else len(STORY)
    with pytest.raises(StateRefused):
        await store.append(session, version, [intended(1)])
    return str(refusal.value)


def lines_of(place: Place) -> list[bytes]:
    return place.read(segment_path(SESSION, 1)).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("name", "meddle"),
    [
        ("altered", lambda ls: [ls[0].replace(b"Flaky", b"Fluky"), *ls[1:]]),
        ("cost", lambda ls: [line.replace(b"190000", b"100000") for line in ls]),
        ("deleted in the middle", lambda ls: [*ls[:3], *ls[4:]]),
        ("swapped", lambda ls: [ls[0], ls[2], ls[1], *ls[3:]]),
        ("doubled", lambda ls: [*ls, ls[-1]]),
        ("end cut off", lambda ls: ls[:-1]),
        ("half a line", lambda ls: [*ls[:-1], ls[-1][:-9]]),
        ("line end missing", lambda ls: [*ls[:-1], ls[-1][:-1]]),
        ("emptied", lambda ls: []),
        ("not UTF-8", lambda ls: [b"\xff\n", *ls[1:]]),
        ("blank line", lambda ls: [ls[0], b"\n", *ls[1:]]),
        ("unsigned", lambda ls: [re.sub(rb'"k":"\w+"', b'"k":"none"', line) for line in ls]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_segment_that_was_tampered_with_is_refused(
    place: Place, name: str, meddle: Callable[[list[bytes]], list[bytes]]
) -> None:
    await place.store().append(SESSION, 0, STORY)
    place.meddle({segment_path(SESSION, 1): b"".join(meddle(lines_of(place)))})
    where = await refused(place.store())
    assert session_folder(SESSION) in where


async def test_a_rewritten_end_is_refused_whatever_the_snapshot_says(place: Place) -> None:
    """Cut off with the snapshot adjusted: only who has seen more notices, as the marker does."""
    watcher = place.store()
    await watcher.append(SESSION, 0, STORY)
    shown = json.loads(place.read(snapshot_path(SESSION)))
    kept = lines_of(place)[:-1]
    shown["last"] = {"n": len(kept), "h": json.loads(kept[-1])["h"]}
    place.meddle(
        {
            segment_path(SESSION, 1): b"".join(kept),
            snapshot_path(SESSION): json.dumps(shown).encode(),
        }
    )
    assert "rolled back" in await refused(watcher)
    assert (await place.store().load(SESSION)).version == len(STORY) - 1


@pytest.mark.parametrize("path", [segment_path(SESSION, 1), snapshot_path(SESSION)])
async def test_a_missing_file_is_refused(place: Place, path: str) -> None:
    await place.store().append(SESSION, 0, STORY)
    place.meddle({path: None})
    assert "missing" in await refused(place.store())


async def test_a_session_that_is_gone_is_refused_by_who_knew_it(place: Place) -> None:
    store = place.store()
    await store.append(SESSION, 0, STORY)
    place.meddle({segment_path(SESSION, 1): None, snapshot_path(SESSION): None})
    assert "is gone" in await refused(store)


@pytest.mark.parametrize("into", [a_session(42), session_id(RepositoryId(9), 41)])
async def test_a_session_copied_from_elsewhere_is_refused(place: Place, into: SessionId) -> None:
    await place.store().append(SESSION, 0, STORY)
    segment, shown = place.read(segment_path(SESSION, 1)), place.read(snapshot_path(SESSION))
    place.meddle({segment_path(into, 1): segment, snapshot_path(into): shown})
    assert "another session or repository" in await refused(place.store(), into)


async def test_links_and_programs_are_not_files(place: Place) -> None:
    await place.store().append(SESSION, 0, STORY)
    objects = place.server.repository
    tip = objects.references[REF].peel(pygit2.Commit)
    folder = objects.TreeBuilder(tip.tree[session_folder(SESSION)].id)
    link = objects.create_blob(b"../../../../etc/passwd")
    folder.insert("000001.jsonl", link, pygit2.enums.FileMode.LINK)
    shard = objects.TreeBuilder(tip.tree[session_folder(SESSION).rpartition("/")[0]].id)
    shard.insert(SESSION, folder.write(), pygit2.enums.FileMode.TREE)
    sessions = objects.TreeBuilder(tip.tree["s"].id)
    sessions.insert(session_folder(SESSION).split("/")[1], shard.write(), 0o040000)
    root = objects.TreeBuilder(tip.tree.id)
    root.insert("s", sessions.write(), pygit2.enums.FileMode.TREE)
    objects.create_commit(REF, tip.author, tip.author, "link", root.write(), [tip.id])
    assert "is missing" in await refused(place.store())


async def test_a_file_larger_than_ours_is_refused_unread(place: Place) -> None:
    await place.store().append(SESSION, 0, STORY)
    place.meddle({segment_path(SESSION, 1): b"{}\n" * 2_000_000})
    assert "larger" in await refused(place.store())


async def test_strange_names_are_ignored(place: Place) -> None:
    story = settled(STORY, SESSION)
    store = place.store()
    await store.append(SESSION, 0, story[:-1])
    place.meddle(
        {
            "idx/open/-rf": b"",
            "idx/open/7001-1-main-1000000000000000000000": b"",
            "idx/open/7001-9-main-1\u2028": b"",
            f"{session_folder(SESSION)}/notes.txt": b"hello",
            "s/zz/whatever": b"",
        }
    )
    assert (await store.load(SESSION)).version == len(story) - 1
    assert SESSION in await store.open_sessions(REPOSITORY)


async def test_an_index_that_lies_leads_nowhere(place: Place) -> None:
    store = place.store()
    await store.append(SESSION, 0, STORY)
    place.meddle(
        {
            pull_path(REPOSITORY, 999): f"{SESSION}\n".encode(),
            pull_path(REPOSITORY, 998): b"9-41-main-1\n",
            pull_path(REPOSITORY, 997): b"../../README.md\n",
        }
    )
    for number in (999, 998, 997):
        assert await store.session_of_pull(REPOSITORY, number) is None
    assert await store.session_of_pull(REPOSITORY, 128) == SESSION


async def test_keys_are_rotated_without_losing_history(place: Place) -> None:
    old, new = Secret("not-a-key-1"), Secret("not-a-key-2")
    await place.store(keys=Keys(old)).append(SESSION, 0, STORY[:2])
    await place.store(keys=Keys(new, older=[old])).append(SESSION, 2, STORY[2:])
    assert (await place.store(keys=Keys(new, older=[old])).load(SESSION)).version == len(STORY)
    with pytest.raises(StateRefused, match="not one of ours"):
        await place.store(keys=Keys(new)).load(SESSION)


async def test_unsigned_state_is_taken_only_where_that_is_configured(place: Place) -> None:
    """A session moves from a server to a job without a key, and back."""
    key = Secret("not-a-key")
    await place.store(keys=Keys(key)).append(SESSION, 0, STORY[:2])
    job = place.store(keys=Keys())
    assert await job.append(SESSION, 2, STORY[2:]) == len(STORY)
    with pytest.raises(StateRefused, match="accept_unsigned"):
        await place.store(keys=Keys(key)).load(SESSION)
    adopting = place.store(keys=Keys(key, accept_unsigned=True))
    assert (await adopting.load(SESSION)).events == tuple(STORY)
    place.meddle({segment_path(SESSION, 1): b"".join(lines_of(place)).replace(b"1900", b"1800")})
    with pytest.raises(StateRefused, match="altered"):
        await place.store(keys=Keys(key, accept_unsigned=True)).load(SESSION)


# The branch as a whole


async def test_a_rewritten_branch_is_refused_and_told(place: Place) -> None:
    store = place.store("copy")
    await store.append(SESSION, 0, STORY[:2])
    first = place.git("rev-parse", BRANCH).strip()
    await store.append(SESSION, 2, STORY[2:4])
    place.git("update-ref", REF, first)
    for again in (store, place.store("copy")):
        with pytest.raises(StateRefused, match="rewritten"):
            await again.append(SESSION, 4, STORY[4:5])
        assert place.git("rev-parse", BRANCH).strip() == first, "nothing is forced"


async def test_a_deleted_branch_comes_back_whole(place: Place) -> None:
    store = place.store()
    await store.append(SESSION, 0, STORY[:2])
    await store.append(a_session(42), 0, [opened(a_session(42))])
    place.git("update-ref", "-d", REF)
    assert await store.append(SESSION, 2, STORY[2:]) == len(STORY)
    assert (await place.store().load(SESSION)).events == tuple(STORY)
    assert (await place.store().load(a_session(42))).version == 1


async def test_a_branch_rule_that_forbids_us_is_said_in_its_own_words(place: Place) -> None:
    store = place.store()
    await store.append(SESSION, 0, STORY[:2])
    place.server.hook("pre-receive", "echo 'Changes must be made through a pull request'; exit 1")
    with pytest.raises(RecordUnavailable, match="through a pull request"):
        await store.append(SESSION, 2, STORY[2:])
    (place.server.folder / "hooks" / "pre-receive").unlink()
    assert await store.append(SESSION, 2, STORY[2:]) == len(STORY)


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
async def test_a_remote_that_does_not_answer_is_unavailable(place: Place, status: int) -> None:
    await place.store().append(SESSION, 0, STORY[:2])
    place.server.status = status
    with pytest.raises(RecordUnavailable) as refusal:
        await place.store().load(SESSION)
    with pytest.raises(RecordUnavailable):
        await place.store().append(SESSION, 2, STORY[2:])
    assert "not-a-secret" not in str(refusal.value)


async def test_reading_goes_on_while_the_remote_is_away(place: Place) -> None:
    store = place.store()
    await store.append(SESSION, 0, STORY)
    place.server.status = 503
    assert (await store.load(SESSION)).version == len(STORY)


async def test_what_must_not_be_stored_is_in_no_object(place: Place) -> None:
    canary = "hunter2-canary"
    store = place.store("copy", clean=lambda text: text.replace(canary, "[removed]"))
    asked = PromptQueued(at=NOON, prompt=prompt(text=f"use {canary} please"))
    await store.append(SESSION, 0, [opened(SESSION, title=f"About {canary}"), asked])
    batch = Batch(session=SESSION, expected=0, events=(opened(SESSION, title=f"About {canary}"),))
    assert await store.append_many([batch]) == {SESSION: 2}, "known again in its cleaned form"
    for folder in (place.server.folder, place.folder / "copy"):
        objects = pygit2.Repository(str(folder))
        contents = [objects[oid].read_raw() for oid in objects]
        assert any(b"[removed]" in content for content in contents)
        for content in contents:
            assert canary.encode() not in content
            assert b"not-a-key" not in content
            assert b"not-a-secret" not in content
    assert "not-a-secret" not in (place.folder / "copy" / "config").read_text()


async def test_many_sessions_are_spread_over_folders_and_open_ones_listed(place: Place) -> None:
    store = place.store(stale_after=100)
    sessions = [a_session(home) for home in range(1, 301)]
    batches = [
        Batch(session=s, expected=0, events=(opened(s, n), STORY[1]))
        for n, s in enumerate(sessions)
    ]
    await store.append_many(batches)
    assert await store.open_sessions(REPOSITORY) == sessions
    assert len(place.git("ls-tree", "--name-only", f"{BRANCH}:s").splitlines()) > 100
    assert place.find(open_path(sessions[0])) is not None
    assert len([r for r in place.server.requests if "receive-pack" in r]) == 2
