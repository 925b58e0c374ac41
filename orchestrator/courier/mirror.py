"""A bare cache of one repository on this machine: what the remote has, and what was taken.

It is a cache: deleting it costs a fetch. Its objects are shown to sandboxes read-only, so none
is ever removed. Refs: `refs/remotes/origin/*` and `refs/wanted/*` came from the remote and are
trusted history; `refs/taken/*` was accepted from a sandbox; `refs/rewritten/<commit>` points to
the commit that took the place of one from a sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from .errors import CourierRefused
from .hostgit import HostGit, Remote
from .refs import branch_ref, is_commit, is_state

DEPTH = 100
FETCH_SECONDS = 600.0
MANY_PACKS = 40
MAX_SHALLOW = 1000
"""More boundary commits than this do not fit beside the branch in one frame of the wire."""
_LOCKS = ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*", "objects/*.lock")


class Mirror:
    """All methods may be called at the same time; fetches of one mirror wait for each other."""

    def __init__(self, path: Path, git: HostGit) -> None:
        self.path = path
        self.git = git
        self._order = asyncio.Lock()
        self._ready = False

    # -- in ----------------------------------------------------------------------------------

    async def fetch(
        self,
        remote: Remote,
        *,
        branches: Sequence[str] = (),
        commits: Sequence[str] = (),
        depth: int = DEPTH,
    ) -> None:
        """Have these branches and commits, and nothing else, at most `depth` commits deep.

        Where `commits` are named and all is here already, the remote is not asked. Raises
        `GitError`; a fetch that failed leaves the mirror as it was.
        """
        for name in branches:
            branch_ref(name)
            if is_state(name):
                raise ValueError("the state branch is no part of the code")
        for commit in commits:
            if not is_commit(commit):
                raise ValueError(f"not a commit: {commit[:80]!r}")
        async with self._order:
            await self._prepare()
            known = await self._refs("refs/remotes/origin/")
            missing = [c for c in commits if not await self.has(c)]
            if (
                commits
                and not missing
                and all(f"refs/remotes/origin/{b}" in known for b in branches)
            ):
                return
            old = [b for b in branches if f"refs/remotes/origin/{b}" in known]
            new = [b for b in branches if b not in old]
            await self._fetch(remote, [_branch_spec(b) for b in old], depth=None)
            await self._fetch(remote, [_branch_spec(b) for b in new], depth=depth)
            missing = [c for c in missing if not await self.has(c)]
            await self._fetch(remote, [f"{c}:refs/wanted/{c}" for c in missing], depth=depth)
            await self._tidy()

    async def _fetch(self, remote: Remote, specs: list[str], depth: int | None) -> None:
        """A branch known already is continued from where it was; a depth would cut it anew."""
        if not specs:
            return
        await self.git.run(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
            "--no-recurse-submodules", "--refmap=",
            *([] if depth is None else [f"--depth={depth}"]),
            "--end-of-options", remote.url, *specs,
            repository=self.path, remote=remote, seconds=FETCH_SECONDS,
        )  # fmt: skip

    async def _prepare(self) -> None:
        if self._ready:
            return
        if not (self.path / "HEAD").exists():
            new = self.path.with_name(f"{self.path.name}.new")
            shutil.rmtree(new, ignore_errors=True)
            new.parent.mkdir(parents=True, exist_ok=True)
            await self.git.run(
                "init", "--quiet", "--bare", "--template=", "--initial-branch=nothing", str(new)
            )
            new.rename(self.path)
        for pattern in _LOCKS:  # of a git that was killed with us: one process owns a mirror
            for left in self.path.glob(pattern):
                with contextlib.suppress(OSError):
                    left.unlink()
        self._ready = True

    async def _tidy(self) -> None:
        """Roll many small packs into few large ones. Nothing is dropped, reachable or not."""
        if len(list((self.path / "objects" / "pack").glob("*.pack"))) > MANY_PACKS:
            await self.git.run(
                "repack", "--quiet", "--geometric=2", "-d", repository=self.path, seconds=600
            )

    # -- what is here ------------------------------------------------------------------------

    async def has(self, commit: str) -> bool:
        found = await self.git.run(
            "cat-file", "-e", f"{commit}^{{commit}}", repository=self.path, ok=(0, 1, 128)
        )
        return found.code == 0

    async def trusted_tips(self) -> list[str]:
        """Commits that the remote has: the heads of all that was fetched."""
        refs = await self._refs("refs/remotes/origin/", "refs/wanted/")
        return list(dict.fromkeys(refs.values()))

    async def taken(self) -> list[str]:
        """Commits that a sandbox has and the remote may not: taken as they were, or rewritten."""
        taken = await self._refs("refs/taken/")
        return [*taken.values(), *await self.rewritten()]

    async def rewritten(self) -> dict[str, str]:
        """Commit from a sandbox -> the commit that took its place."""
        refs = await self._refs("refs/rewritten/")
        return {ref.rpartition("/")[2]: commit for ref, commit in refs.items()}

    async def _refs(self, *below: str) -> dict[str, str]:
        listing = await self.git.run(
            "for-each-ref", "--format=%(objectname) %(refname)", *below, repository=self.path
        )
        pairs = (line.split(" ", 1) for line in listing.text.splitlines())
        return {ref: commit for commit, ref in pairs}

    def shallow(self) -> list[str]:
        """Commits whose parents are not here."""
        try:
            return (self.path / "shallow").read_text("ascii").split()
        except FileNotFoundError:
            return []

    async def shallow_of(self, commit: str) -> list[str]:
        """The boundary commits that `commit` reaches."""
        boundary = set(self.shallow())
        if not boundary:
            return []
        history = await self.git.run("rev-list", "--end-of-options", commit, repository=self.path)
        return [c for c in history.text.split() if c in boundary]

    async def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` contains `older`, as far as history is here."""
        answer = await self.git.run(
            "merge-base", "--is-ancestor", older, newer, repository=self.path, ok=(0, 1, 128)
        )
        return answer.code == 0

    async def fork_point(self, commit: str, ref: str) -> str:
        """Where the two histories part, as far as they are here; empty where they never met."""
        answer = await self.git.run(
            "merge-base", "--end-of-options", commit, ref, repository=self.path, ok=(0, 1, 128)
        )
        return answer.text if answer.code == 0 else ""

    async def tree(self, commit: str, folder: str) -> str:
        """The id of a folder's content; empty where there is no such folder."""
        answer = await self.git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{folder}",
            repository=self.path, ok=(0, 1, 128),
        )  # fmt: skip
        return answer.text if answer.code == 0 else ""

    async def file(self, commit: str, path: str, *, most: int = 1 << 20) -> bytes | None:
        """A file's bytes as committed; None where there is none. Raises `CourierRefused` where
        a link or something else stands in its place, or it is larger than `most`."""
        if not is_commit(commit):
            raise ValueError("not a commit")
        listing = await self.git.run(
            "ls-tree", "-z", "--full-tree", commit, "--", path, repository=self.path
        )
        entries = [entry for entry in listing.out.split(b"\0") if entry]
        if not entries:
            return None
        meta, _, name = entries[0].partition(b"\t")
        mode, _, object_id = meta.split(b" ")
        if len(entries) != 1 or name.decode("utf-8", "replace") != path:
            return None
        if mode not in (b"100644", b"100755"):
            raise CourierRefused(f"`{path}` is not an ordinary file.")
        size = await self.git.run("cat-file", "-s", object_id.decode(), repository=self.path)
        if int(size.text) > most:
            raise CourierRefused(f"`{path}` is larger than {most >> 10} KiB.")
        blob = await self.git.run("cat-file", "blob", object_id.decode(), repository=self.path)
        return blob.out

    # -- out ---------------------------------------------------------------------------------

    async def pack_for(self, commit: str) -> tuple[list[str], AsyncIterator[bytes]]:
        """Everything that an empty repository needs for `commit`: its shallow list, then a pack
        that stands alone."""
        shallow = await self.shallow_of(commit)
        if len(shallow) <= MAX_SHALLOW:
            return shallow, self._packed([commit])
        objects = await self.git.run(
            "rev-list", "--objects", "--no-object-names", "--no-walk", "--end-of-options", commit,
            repository=self.path, most=256 << 20,
        )  # fmt: skip
        return [commit], self._packed(objects.text.split(), revisions=False)

    def thin_pack(self, new: str, have: Iterable[str]) -> AsyncIterator[bytes]:
        """What `new` has beyond `have`, against objects that a holder of `have` has."""
        return self._packed([new, *(f"^{commit}" for commit in have)], thin=True)

    async def _packed(
        self, asked: Iterable[str], *, revisions: bool = True, thin: bool = False
    ) -> AsyncIterator[bytes]:
        options = [*(["--revs"] if revisions else []), *(["--thin"] if thin else [])]
        async with self.git.started(
            "pack-objects", "--stdout", "--quiet", "--delta-base-offset", *options,
            repository=self.path, stdin="".join(f"{line}\n" for line in asked).encode(),
        ) as running:  # fmt: skip
            async for chunk in running.chunks():
                yield chunk

    # -- for what was taken ------------------------------------------------------------------

    async def adopt(self, pack: AsyncIterator[bytes]) -> None:
        """Keep objects that have passed all checks."""
        await self.git.run(
            "index-pack", "--stdin", "--fix-thin", repository=self.path, stdin=pack, seconds=300
        )

    async def write_commit(self, content: bytes) -> str:
        written = await self.git.run(
            "hash-object", "-t", "commit", "-w", "--stdin", repository=self.path, stdin=content
        )
        return written.text

    async def point(self, refs: dict[str, str]) -> None:
        """Set refs of our own bookkeeping, all or none."""
        lines = "".join(f"update {ref} {commit}\n" for ref, commit in refs.items())
        await self.git.run("update-ref", "--stdin", repository=self.path, stdin=lines.encode())


class Mirrors:
    """One mirror per repository id below `root`, which this process alone writes."""

    def __init__(self, root: Path, git: HostGit | None = None) -> None:
        self._root = root
        self._git = git or HostGit()
        self._known: dict[int, Mirror] = {}

    def of(self, repository: int) -> Mirror:
        if repository not in self._known:
            path = self._root.resolve() / f"{int(repository)}.git"
            self._known[repository] = Mirror(path, self._git)
        return self._known[repository]


def _branch_spec(name: str) -> str:
    return f"+{branch_ref(name)}:refs/remotes/origin/{name}"
