"""One bare git repository on disk: read in process, pushed to by real git."""

import itertools
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, ObjectType, SortMode

ZERO = "0" * 40

CONFIG = {
    # GitHub serves any reachable object by id, partial clones and shallow ones.
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
    "http.receivepack": "true",
    "receive.autogc": "false",
    "gc.auto": "0",
    # Pull request refs are advertised, and a push to them is refused.
    "receive.hideRefs": "refs/pull",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    name: str
    email: str
    when: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    message: str
    author: Signature
    committer: Signature

    @property
    def title(self) -> str:
        return self.message.split("\n", 1)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    filename: str
    previous: str | None
    status: str
    additions: int
    deletions: int
    patch: str
    blob: str | None


def clean_environment() -> dict[str, str]:
    """Git as nobody: no user or system configuration, no prompts."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }


class BareRepository:
    """Objects and refs; everything here is synchronous and takes well under a millisecond."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._repo = pygit2.Repository(str(path))

    @classmethod
    def create(cls, path: Path, default_branch: str) -> "BareRepository":
        path.parent.mkdir(parents=True, exist_ok=True)
        pygit2.init_repository(str(path), bare=True, initial_head=default_branch)
        store = cls(path)
        for key, value in CONFIG.items():
            store._repo.config[key] = value
        return store

    @classmethod
    def copy_of(cls, source: Path, path: Path, default_branch: str) -> "BareRepository":
        """All branches and tags of an existing git repository, with objects of their own."""
        cls.create(path, default_branch)
        fetch = ["git", "-C", str(path), "fetch", "-q", "--no-auto-gc", "--update-head-ok"]
        what = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        subprocess.run(
            [*fetch, str(source.resolve()), *what],
            check=True,
            capture_output=True,
            env=clean_environment(),
        )
        return cls(path)

    # -- refs

    def ref(self, name: str) -> str | None:
        """The object id a full ref name points at."""
        try:
            found = self._repo.references.get(name)
        except ValueError:  # not a valid ref name, so it cannot exist
            return None
        return None if found is None else str(found.resolve().target)

    def head(self, branch: str) -> str | None:
        return self.ref(f"refs/heads/{branch}")

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        names = sorted(n for n in self._repo.references if n.startswith(prefix))
        return {n: sha for n in names if (sha := self.ref(n)) is not None}

    def set_ref(self, name: str, sha: str) -> None:
        self._repo.references.create(name, sha, force=True)

    def delete_ref(self, name: str) -> None:
        self._repo.references.delete(name)

    def kind(self, sha: str) -> str | None:
        try:
            found = self._repo.get(sha)
        except ValueError:
            return None
        return None if found is None else str(found.type_str)

    def resolve(self, name: str) -> str | None:
        """A branch, tag, full ref name or object id, as the API takes them, to a commit's id."""
        for ref in (f"refs/heads/{name}", f"refs/tags/{name}", name):
            if (found := self.ref(ref)) is not None:
                return found
        try:
            thing = self._repo.revparse_single(name)
        except (KeyError, ValueError):
            return None
        return str(thing.id) if thing.type == ObjectType.COMMIT else None

    def take(self, other: "BareRepository", sha: str) -> None:
        """Have the objects of a commit that is in another repository."""
        if self.kind(sha) is None:
            fetch = ["git", "-C", str(self.path), "fetch", "-q", "--no-auto-gc"]
            subprocess.run(
                [*fetch, str(other.path.resolve()), sha],
                check=True,
                capture_output=True,
                env=clean_environment(),
            )

    # -- commits

    def commit(self, sha: str) -> Commit:
        found = self._repo.get(sha)
        if found is None or found.type_str != "commit":
            raise KeyError(sha)
        return _commit(found.peel(pygit2.Commit))

    def log(self, tip: str, *, without: str | None = None, limit: int = 250) -> list[Commit]:
        """Newest first, topologically; at most `limit` (GitHub lists 250 of a pull request)."""
        walk = self._repo.walk(pygit2.Oid(hex=tip), SortMode.TOPOLOGICAL)
        if without is not None:
            walk.hide(pygit2.Oid(hex=without))
        return [_commit(commit) for commit in itertools.islice(walk, limit)]

    def merge_base(self, one: str, other: str) -> str | None:
        found = self._repo.merge_base(one, other)
        return None if found is None else str(found)

    def ahead_behind(self, tip: str, base: str) -> tuple[int, int]:
        ahead, behind = self._repo.ahead_behind(tip, base)
        return ahead, behind

    def is_ancestor(self, older: str, newer: str) -> bool:
        return older == newer or bool(self._repo.descendant_of(newer, older))

    def commit_files(
        self,
        branch: str,
        files: Mapping[str, str | bytes | None],
        message: str,
        author: Signature,
        parent: str | None,
    ) -> str:
        """Write a commit with these files changed (None deletes) and move the branch to it."""
        index = pygit2.Index()
        if parent is not None:
            index.read_tree(self._tree(parent))
        for path, content in files.items():
            if content is None:
                index.remove(path)
                continue
            raw = content.encode() if isinstance(content, str) else content
            mode = FileMode.BLOB_EXECUTABLE if raw.startswith(b"#!") else FileMode.BLOB
            index.add(pygit2.IndexEntry(path, self._repo.create_blob(raw), mode))
        sign = pygit2.Signature(author.name, author.email, int(author.when.timestamp()), 0)
        parents = [] if parent is None else [parent]
        tree_id = index.write_tree(self._repo)
        made = str(self._repo.create_commit(None, sign, sign, message, tree_id, parents))
        self.set_ref(f"refs/heads/{branch}", made)
        return made

    def merge_commit(self, base: str, head: str, message: str, author: Signature) -> str | None:
        """A merge of two commits, or None when they conflict."""
        index = self._repo.merge_commits(base, head)
        if index.conflicts is not None:
            return None
        sign = pygit2.Signature(author.name, author.email, int(author.when.timestamp()), 0)
        tree = index.write_tree(self._repo)
        return str(self._repo.create_commit(None, sign, sign, message, tree, [base, head]))

    # -- trees and files

    def entry(self, commit: str, path: str) -> pygit2.Blob | pygit2.Tree | None:
        found: pygit2.Object = self._tree(commit)
        for part in [p for p in path.split("/") if p]:
            if not isinstance(found, pygit2.Tree) or part not in found:
                return None
            found = found[part]
        return found if isinstance(found, pygit2.Blob | pygit2.Tree) else None

    def read(self, commit: str, path: str) -> bytes | None:
        found = self.entry(commit, path)
        return bytes(found.data) if isinstance(found, pygit2.Blob) else None

    def blob(self, sha: str) -> bytes | None:
        found = self._repo.get(sha)
        return bytes(found.data) if isinstance(found, pygit2.Blob) else None

    def walk_tree(self, sha: str, *, recursive: bool) -> list[tuple[str, int, str, str, int]]:
        """(path, mode, type, id, size) of what a tree or commit holds."""
        top = self._tree(sha)
        out: list[tuple[str, int, str, str, int]] = []
        waiting: list[tuple[str, pygit2.Tree]] = [("", top)]
        while waiting:
            prefix, tree = waiting.pop(0)
            for item in tree:
                size = item.size if isinstance(item, pygit2.Blob) else 0
                name = prefix + str(item.name)
                out.append((name, int(item.filemode), str(item.type_str), str(item.id), size))
                if recursive and isinstance(item, pygit2.Tree):
                    waiting.append((name + "/", item))
        return sorted(out)

    def _tree(self, sha: str) -> pygit2.Tree:
        found = self._repo.get(sha)
        if found is None:
            raise KeyError(sha)
        return found.peel(pygit2.Tree)

    # -- differences

    def changes(self, base: str | None, head: str) -> list[FileChange]:
        """What `head` changes relative to `base` (None: the empty tree), renames found."""
        return [_change(patch) for patch in self._diff(base, head)]

    def diff_text(self, base: str | None, head: str) -> str:
        return self._diff(base, head).patch or ""

    def _diff(self, base: str | None, head: str) -> pygit2.Diff:
        new = self._tree(head)
        if base is None:
            diff = new.diff_to_tree(swap=True)
        else:
            diff = self._tree(base).diff_to_tree(new)
        diff.find_similar()
        return diff


def _commit(found: pygit2.Commit) -> Commit:
    return Commit(
        sha=str(found.id),
        tree=str(found.tree_id),
        parents=tuple(str(p) for p in found.parent_ids),
        message=found.message,
        author=_signature(found.author),
        committer=_signature(found.committer),
    )


def _signature(found: pygit2.Signature) -> Signature:
    zone = timezone(timedelta(minutes=found.offset))
    when = datetime.fromtimestamp(found.time, zone)
    return Signature(name=found.name, email=found.email, when=when)


_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed"}


def _change(patch: pygit2.Patch | None) -> FileChange:
    assert patch is not None
    delta = patch.delta
    status = _STATUS.get(delta.status_char(), "modified")
    _, additions, deletions = patch.line_stats
    text = "" if delta.is_binary else (patch.text or "")
    at = text.find("@@")
    gone = status == "removed"
    return FileChange(
        filename=delta.old_file.path if gone else delta.new_file.path,
        previous=delta.old_file.path if status == "renamed" else None,
        status=status,
        additions=additions,
        deletions=deletions,
        patch=text[at:].rstrip("\n") if at >= 0 else "",
        blob=str(delta.old_file.id if gone else delta.new_file.id),
    )
