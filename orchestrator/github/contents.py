"""Files and branches, read without a clone.

Files come through trees and blobs, not the contents API: that one follows symbolic links, and
shows submodules as files. A tree also says exactly what kind of thing stands at a path.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TypeVar, cast

from .calls import Read
from .errors import BadAnswer, NotFound, StateConflict
from .fields import Fields, WrongShape
from .grants import READ_CODE
from .place import Place
from .values import EntryKind, File

LARGEST_FILE = 1024 * 1024
LARGEST_KEPT = 64 * 1024
MOST_KEPT = 64
OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
T = TypeVar("T")
KINDS = {
    "100644": EntryKind.FILE,
    "100755": EntryKind.EXECUTABLE,
    "120000": EntryKind.SYMLINK,
    "160000": EntryKind.SUBMODULE,
    "040000": EntryKind.DIRECTORY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    path: str
    mode: str
    sha: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    listed: tuple[Entry, ...]
    truncated: bool


class Contents(Place):
    async def file(self, path: str, *, ref: str, limit: int = LARGEST_FILE) -> File | None:
        """None where nothing stands at `path`. Only plain files have content, up to `limit` bytes.

        `ref` is a commit's id, a branch or a tag.
        """
        segments = [segment for segment in path.split("/") if segment]
        if not segments:
            return None
        *above, name = segments
        tree = ref
        for segment in above:
            folder = await self._entry(tree, segment)
            if folder is None or KINDS.get(folder.mode) is not EntryKind.DIRECTORY:
                return None
            tree = folder.sha
        entry = await self._entry(tree, name)
        if entry is None:
            return None
        kind = KINDS.get(entry.mode, EntryKind.FILE)
        plain = kind in (EntryKind.FILE, EntryKind.EXECUTABLE)
        content = await self._blob(entry.sha) if plain and entry.size <= limit else None
        return File(
            path=path,
            kind=kind,
            mode=entry.mode,
            sha=entry.sha,
            size=entry.size,
            content=content,
        )

    async def branch_head(self, branch: str) -> str | None:
        """None where there is no such branch, or no commit in the repository at all."""
        try:
            return await self._get(READ_CODE, "/git/ref/heads/{+branch}", _target, branch=branch)
        except (NotFound, StateConflict):
            return None

    async def _entry(self, tree: str, name: str) -> Entry | None:
        try:
            entries = await self._object("/git/trees/{id}", tree, _entries)
        except (NotFound, StateConflict):  # 409: the repository is empty
            return None
        found = next((entry for entry in entries.listed if entry.path == name), None)
        if found is None and entries.truncated:
            # Not listed is not the same as not there.
            raise BadAnswer(call="GET /git/trees", reason="the folder is too large to be listed")
        return found

    async def _blob(self, sha: str) -> bytes:
        return await self._object("/git/blobs/{id}", sha, _content)

    async def _object(self, path: str, id: str, read: Read[T]) -> T:
        """Asked for once, where `id` is a whole object id: the first of many sessions on a commit
        reads its configuration, the others have it."""
        objects, key = self._known.objects, path.replace("{id}", id)
        if key in objects:
            objects.move_to_end(key)
            return cast("T", objects[key])
        found = await self._get(READ_CODE, path, read, id=id)
        if OBJECT_ID.fullmatch(id) and not (isinstance(found, bytes) and len(found) > LARGEST_KEPT):
            objects[key] = found
            while len(objects) > MOST_KEPT:
                objects.popitem(last=False)
        return found


def _target(data: Fields) -> str:
    return data["object"]["sha"].text()


def _entries(data: Fields) -> Tree:
    listed = tuple(
        Entry(
            path=item["path"].text(),
            mode=item["mode"].text(),
            sha=item["sha"].text(""),
            size=item["size"].whole_or_none() or 0,
        )
        for item in data["tree"]
    )
    return Tree(listed=listed, truncated=data["truncated"].flag(False))


def _content(data: Fields) -> bytes:
    encoding = data["encoding"].text()
    if encoding == "utf-8":
        return data["content"].text().encode()
    if encoding != "base64":
        raise WrongShape("answer.encoding should be base64 or utf-8")
    try:
        return base64.b64decode("".join(data["content"].text().split()), validate=True)
    except binascii.Error:
        raise WrongShape("answer.content should be Base64") from None
