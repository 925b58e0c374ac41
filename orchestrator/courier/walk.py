"""Walk what is new: commits that the remote does not have, and what each of them changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import CourierRefused, GitTooLarge
from .policy import (
    SYMLINK,
    Change,
    TakePolicy,
    check_changes,
    check_link,
    check_pointer,
    check_sizes,
)
from .quarantine import Quarantine

_POINTER_BYTES = 1024
_LINK_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    id: str
    parents: tuple[str, ...]
    content: bytes


async def new_commits(
    room: Quarantine, head: str, known: Sequence[str], policy: TakePolicy
) -> list[NewCommit]:
    """Oldest first. All of them join known history: there is no new root and no graft."""
    asked = "".join([f"{head}\n", *(f"^{commit}\n" for commit in known)]).encode()
    listing = await room.run(
        "rev-list", "--topo-order", "--reverse", "--parents",
        f"--max-count={policy.commits + 1}", "--stdin", stdin=asked,
    )  # fmt: skip
    rows = [line.split() for line in listing.decode().splitlines()]
    if len(rows) > policy.commits:
        raise CourierRefused(f"The work has more than {policy.commits} commits.")
    for id, *parents in rows:
        if not parents:
            raise CourierRefused(
                f"Commit {id[:12]} has no parent: the work does not continue this repository."
            )
    sizes = await room.sizes([row[0] for row in rows])
    if any(size > policy.commit_bytes for _, _, size in sizes):
        raise CourierRefused(f"A commit message is longer than {policy.commit_bytes >> 10} KiB.")
    contents = await room.contents([row[0] for row in rows])
    return [
        NewCommit(id=row[0], parents=tuple(row[1:]), content=content)
        for row, content in zip(rows, contents, strict=True)
    ]


async def check_content(
    room: Quarantine, commits: Sequence[NewCommit], known: Sequence[str], policy: TakePolicy
) -> None:
    """Every rule on paths, kinds and sizes. Raises `CourierRefused` with the first path."""
    changes = await changes_of(room, commits)
    check_changes(changes, policy)
    await _check_fixed(room, commits, known, changes, policy)
    kept = [change for change in changes if not change.deleted]
    by_id = {change.new: change for change in kept}
    sizes = {id: size for id, _, size in await room.sizes(list(by_id))}
    check_sizes(((change, sizes.get(id, 0)) for id, change in by_id.items()), policy)
    moved = {change.old for change in changes}
    for change, content in await _small(
        room, [c for c in kept if c.new_mode == SYMLINK], sizes, _LINK_BYTES
    ):
        check_link(change, content)
    ordinary = [c for c in by_id.values() if c.new_mode != SYMLINK and c.new not in moved]
    pointers = [c for c in ordinary if sizes.get(c.new, 0) <= _POINTER_BYTES]
    for change, content in await _small(room, pointers, sizes, _POINTER_BYTES):
        check_pointer(change, content)


async def _small(
    room: Quarantine, changes: list[Change], sizes: dict[str, int], most: int
) -> list[tuple[Change, bytes]]:
    for change in changes:
        if sizes.get(change.new, 0) > most:
            raise CourierRefused(f"`{change.shown}` is a symbolic link that is too long.")
    contents = await room.contents([change.new for change in changes])
    return list(zip(changes, contents, strict=True))


async def changes_of(room: Quarantine, commits: Sequence[NewCommit]) -> list[Change]:
    """What each commit has otherwise than *all* of its parents: a merge that only brings
    together what its parents had changes nothing."""
    asked = "".join(f"{commit.id}\n" for commit in commits).encode()
    try:
        listing = await room.run(
            "diff-tree", "--stdin", "-r", "-z", "-m", "--raw", "--no-renames", "--no-abbrev",
            "--no-ext-diff", "--no-textconv", stdin=asked, most=16 << 20,
        )  # fmt: skip
    except GitTooLarge:
        raise CourierRefused("The work changes far too many files.") from None
    parents = {commit.id: len(commit.parents) for commit in commits}
    seen: dict[tuple[str, bytes], list[Change]] = {}
    fields = iter(listing.split(b"\0"))
    commit = ""
    for field in fields:
        if not field:
            continue
        if not field.startswith(b":"):
            commit = field.decode().strip()
            continue
        old_mode, new_mode, old, new, _ = field[1:].decode().split(" ")
        path = next(fields)
        change = Change(
            commit=commit, path=path, old_mode=old_mode, new_mode=new_mode, old=old, new=new
        )
        seen.setdefault((commit, path), []).append(change)
    return [found[0] for (id, _), found in seen.items() if len(found) >= parents[id]]


async def _check_fixed(
    room: Quarantine,
    commits: Sequence[NewCommit],
    known: Sequence[str],
    changes: Sequence[Change],
    policy: TakePolicy,
) -> None:
    """A protected folder must be, in each commit, as some known head of the remote has it: so a
    merge may bring the base branch's workflows in, and nothing may bring back older ones."""
    for folder in policy.fixed:
        ids = [*known, *(commit.id for commit in commits)]
        found = [id for id, _, _ in await room.sizes([f"{id}:{folder}" for id in ids])]
        if set(found[len(known) :]) <= set(found[: len(known)]):
            continue
        below = folder.encode()
        paths = (c.shown for c in changes if c.path == below or c.path.startswith(below + b"/"))
        raise CourierRefused(
            f"The work changes `{next(paths, folder)}`. Files below `{folder}` may only be"
            " changed where the configuration allows it."
        )
