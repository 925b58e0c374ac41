"""Trees of a bare repository: read one path, change a few, write only what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pygit2
from pygit2.enums import FileMode, ObjectType

EMPTY = pygit2.Oid(hex="4b825dc642cb6eb9a060e54bf8d69288fbee4904")
"""The tree without entries, which is the same everywhere."""


def blob_at(repository: pygit2.Repository, tree: pygit2.Oid, path: str) -> bytes | None:
    """None where there is no plain file at `path`: links and programs do not count."""
    entry = _entry(repository, tree, path)
    if not isinstance(entry, pygit2.Blob) or entry.filemode != FileMode.BLOB:
        return None
    return bytes(entry.data)


def folder_at(repository: pygit2.Repository, tree: pygit2.Oid, path: str) -> pygit2.Oid | None:
    entry = _entry(repository, tree, path)
    return entry.id if isinstance(entry, pygit2.Tree) else None


def size_at(repository: pygit2.Repository, tree: pygit2.Oid, path: str) -> int:
    """Without reading it; 0 where there is no file."""
    entry = _entry(repository, tree, path)
    return repository.odb.read_header(entry.id)[1] if isinstance(entry, pygit2.Blob) else 0


def names_in(repository: pygit2.Repository, tree: pygit2.Oid) -> Iterator[str]:
    """Plain files only, as git sorts them."""
    found = repository[tree]
    assert isinstance(found, pygit2.Tree)
    for entry in found:
        if entry.type == ObjectType.BLOB and entry.filemode == FileMode.BLOB and entry.name:
            yield entry.name


def edited(
    repository: pygit2.Repository, tree: pygit2.Oid | None, changes: Mapping[str, bytes | None]
) -> pygit2.Oid:
    """A tree with these files written, or removed where None; folders left empty go."""
    builder = repository.TreeBuilder() if tree is None else repository.TreeBuilder(tree)
    below: dict[str, dict[str, bytes | None]] = {}
    for path, data in changes.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = data
        elif data is None:
            if builder.get(name) is not None:
                builder.remove(name)
        else:
            builder.insert(name, repository.create_blob(data), FileMode.BLOB)
    for name, inner in below.items():
        present = builder.get(name)
        folder = present.id if isinstance(present, pygit2.Tree) else None
        if folder is None and all(data is None for data in inner.values()):
            continue
        written = edited(repository, folder, inner)
        if written != EMPTY:
            builder.insert(name, written, FileMode.TREE)
        else:
            builder.remove(name)
    return builder.write()


def _entry(repository: pygit2.Repository, tree: pygit2.Oid, path: str) -> pygit2.Object | None:
    found: pygit2.Object = repository[tree]
    for name in path.split("/"):
        if not isinstance(found, pygit2.Tree):
            return None
        try:
            found = found[name]
        except KeyError:
            return None
    return found


def tree_of(repository: pygit2.Repository, commit: pygit2.Oid | None) -> pygit2.Oid | None:
    return None if commit is None else repository[commit].peel(pygit2.Tree).id


def leads_past(
    repository: pygit2.Repository, commit: pygit2.Oid | None, earlier: pygit2.Oid | None
) -> bool:
    """Whether `commit` is `earlier` or comes after it; every commit comes after None."""
    if earlier is None or commit == earlier:
        return True
    return commit is not None and bool(repository.descendant_of(commit, earlier))
