"""Commits out of a sandbox: asked for, opened in quarantine, judged, and kept in the mirror.

The same work taken twice gives the same head, so a crash between any two steps is repaired by
taking it again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.session.values import ChangedFile, Work
from sandbox.provider import Link, WireStream

from .authorship import attributed, commit_from, is_foreign
from .errors import CourierRefused
from .mirror import Mirror
from .policy import TakePolicy
from .quarantine import Quarantine, quarantine
from .refs import is_commit
from .sides import Incoming, words
from .walk import NewCommit, check_content, new_commits

COMMIT_SECONDS = 300.0
"""`git add --all` of a large tree comes before the sandbox's first word."""
MAX_EXCLUDED = 500
UPSTREAM_COMMITS = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Work that may be pushed: `head` and all it needs are in `mirror`."""

    mirror: Mirror
    head: str
    base: str
    commits: int
    files: tuple[ChangedFile, ...]
    subject: str = ""
    note: str = ""

    def work(self, *, branch: str, note: str | None = None) -> Work:
        return Work(
            branch=branch,
            head=self.head,
            base=self.base,
            commits=self.commits,
            files=self.files,
            note=self.note if note is None else note,
            subject=self.subject,
        )


async def take(
    link: Link,
    *,
    mirror: Mirror,
    turn: int,
    base: str,
    commit_message: str | None,
    policy: TakePolicy,
) -> Taken | None:
    """What the sandbox has beyond `base`, checked; None where that is nothing.

    With `commit_message` the supervisor commits what is left in the tree first. Raises
    `CourierRefused` in words where the work breaks a rule; `GitError` and the wire's errors
    where it could not be moved.
    """
    if not is_commit(base) or not await mirror.has(base):
        raise ValueError("the base commit is not in the mirror")
    tips = list(dict.fromkeys([base, *await mirror.trusted_tips()]))
    exclude = list(dict.fromkeys([*tips, *await mirror.taken()]))[:MAX_EXCLUDED]
    meta = {"turn": turn, "exclude": exclude, "message": commit_message}
    stream = await link.open("collect", meta)
    try:
        await stream.close()
        return await _take(stream, mirror, base, tips, policy)
    except BaseException:
        await stream.reset("the work is not taken")
        raise


async def _take(
    stream: WireStream, mirror: Mirror, base: str, tips: list[str], policy: TakePolicy
) -> Taken | None:
    incoming = Incoming(stream)
    summary = await incoming.line(COMMIT_SECONDS)
    head, problem = summary.get("head"), words(summary.get("error"))
    if not isinstance(head, str) or not is_commit(head):
        raise CourierRefused(f"The sandbox could not hand over its work: {problem or 'no commit'}")
    notes = []
    if problem:
        notes.append(f"Not everything was committed: {problem}")
    elif summary.get("dirty") is True and summary.get("committed") is not True:
        notes.append("Changes that were not committed were left out.")
    async with quarantine(mirror) as room:
        await _take_in(room, incoming, head, policy)
        known = await _known(mirror, head, base, tips)
        commits = await new_commits(room, head, known, policy)
        if not commits:
            return None
        await check_content(room, commits, known, policy)
        await _keep(room, mirror, head, known)
        final, renamed = await _attribute(mirror, commits, known, policy)
    before = await _contained(mirror, base, final)
    commits = [commit for commit in commits if commit.id not in before]
    if not commits:
        return None
    if renamed:
        were, whose = ("commit was", "its") if renamed == 1 else ("commits were", "their")
        notes.append(
            f"{renamed} {were} made under another name; {whose} author is now {policy.author.name}."
        )
    subject = commit_from(commits[0].content).message.decode("utf-8", "replace")
    return Taken(
        mirror=mirror,
        head=final[head],
        base=base,
        commits=len(commits),
        files=await _changed_files(mirror, _fork_point(head, commits, final), final[head]),
        subject=words(subject.partition("\n")[0], 200),
        note=" ".join(notes),
    )


async def _take_in(room: Quarantine, incoming: Incoming, head: str, policy: TakePolicy) -> None:
    chunks = incoming.chunks()
    first = await anext(chunks, b"")
    if first:
        await room.take_in(_with(first, chunks), policy.pack)
    [(_, kind, _)] = await room.sizes([head])
    if kind != "commit":
        raise CourierRefused("The sandbox named a commit that it did not hand over.")


async def _with(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _known(mirror: Mirror, head: str, base: str, tips: list[str]) -> list[str]:
    """What counts as history. Work that was taken before, and pushed and fetched back since, is
    still work: a crash may have kept us from writing that down."""
    pushed = (await mirror.rewritten()).get(head, head)
    if pushed not in await mirror.taken():
        return tips
    return [tip for tip in tips if tip == base or not await mirror.is_ancestor(pushed, tip)]


async def _keep(room: Quarantine, mirror: Mirror, head: str, known: Sequence[str]) -> None:
    if await mirror.has(head):
        return
    asked = "".join([f"{head}\n", *(f"^{commit}\n" for commit in known)]).encode()
    async with room.git.started(
        "pack-objects", "--revs", "--stdout", "--quiet", "--thin", "--delta-base-offset",
        repository=room.path, stdin=asked,
    ) as running:  # fmt: skip
        await mirror.adopt(running.chunks())


async def _attribute(
    mirror: Mirror, commits: Sequence[NewCommit], known: Sequence[str], policy: TakePolicy
) -> tuple[dict[str, str], int]:
    """Commit as it came -> commit as it is pushed, and how many changed hands.

    What was written anew in an earlier turn stays as it was then, whoever asks now.
    """
    earlier = await mirror.rewritten()
    parsed = [(commit.id, commit_from(commit.content)) for commit in commits]
    foreign = any(id not in earlier and is_foreign(commit, policy) for id, commit in parsed)
    upstream = await _author_lines(mirror, known) if foreign else frozenset()
    final: dict[str, str] = {}
    renamed = 0
    for id, commit in parsed:
        if id in earlier:
            final[id] = earlier[id]
            continue
        anew = attributed(commit, policy, final, upstream)
        final[id] = id if anew == commit else await mirror.write_commit(anew.content())
        renamed += anew.author != commit.author or anew.committer != commit.committer
    refs = {f"refs/rewritten/{id}": new for id, new in final.items() if new != id}
    head = commits[-1].id
    await mirror.point({f"refs/taken/{final[head]}": final[head], **refs})
    return final, renamed


async def _author_lines(mirror: Mirror, known: Sequence[str]) -> frozenset[bytes]:
    listing = await mirror.git.run(
        "log", "--format=%an <%ae> %ad", "--date=raw", f"--max-count={UPSTREAM_COMMITS}",
        "--no-mailmap", "--stdin",
        repository=mirror.path, stdin="".join(f"{tip}\n" for tip in known).encode(),
    )  # fmt: skip
    return frozenset(listing.out.splitlines())


async def _contained(mirror: Mirror, base: str, final: Mapping[str, str]) -> set[str]:
    """Commits of earlier turns, which the sandbox still has as they were before."""
    anew = {new: old for old, new in final.items() if new != old}
    if not anew:
        return set()
    history = await mirror.git.run(
        "rev-list", f"--max-count={UPSTREAM_COMMITS}", base, repository=mirror.path
    )
    return {anew[commit] for commit in history.text.split() if commit in anew}


def _fork_point(head: str, commits: Sequence[NewCommit], final: Mapping[str, str]) -> str:
    """Where the work left known history, along first parents."""
    parents = {commit.id: commit.parents[0] for commit in commits}
    at = head
    while at in parents:
        at = parents[at]
    return final.get(at, at)


async def _changed_files(mirror: Mirror, before: str, after: str) -> tuple[ChangedFile, ...]:
    listing = await mirror.git.run(
        "diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv",
        before, after, repository=mirror.path,
    )  # fmt: skip
    files = []
    for row in listing.out.split(b"\0"):
        if row:
            added, removed, path = row.split(b"\t", 2)
            files.append(
                ChangedFile(
                    path=path.decode("utf-8", "backslashreplace"),
                    added=0 if added == b"-" else int(added),
                    removed=0 if removed == b"-" else int(removed),
                )
            )
    return tuple(files)
