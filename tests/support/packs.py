"""Packs written by hand, so that they may hold what git would never write."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, field

KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4, "ofs-delta": 6, "ref-delta": 7}


def object_id(kind: str, content: bytes) -> str:
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(content)) + content).hexdigest()


def entry_head(kind: int, size: int) -> bytes:
    byte, size = (kind << 4) | (size & 15), size >> 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    out.append(byte)
    return bytes(out)


def number(value: int) -> bytes:
    """The variable-length form of a delta's sizes."""
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


@dataclass
class Pack:
    """`keep` are entries that every `root` tree has beside what a test puts there."""

    entries: list[bytes] = field(default_factory=list)
    keep: tuple[tuple[str, str | bytes, str], ...] = ()

    def add(self, kind: str, content: bytes) -> str:
        self.entries.append(entry_head(KINDS[kind], len(content)) + zlib.compress(content, 9))
        return object_id(kind, content)

    def blob(self, content: bytes = b"x\n") -> str:
        return self.add("blob", content)

    def root(self, *entries: tuple[str, str | bytes, str]) -> str:
        def order(entry: tuple[str, str | bytes, str]) -> bytes:
            mode, name, _ = entry
            return (name if isinstance(name, bytes) else name.encode()) + b"/" * (mode == "40000")

        return self.tree(*sorted((*self.keep, *entries), key=order))

    def tree(self, *entries: tuple[str, str | bytes, str]) -> str:
        """(mode, name, object id), in the order given."""
        content = b"".join(
            mode.encode() + b" " + (n if isinstance(n, bytes) else n.encode()) + b"\0"
            + bytes.fromhex(id)
            for mode, n, id in entries
        )  # fmt: skip
        return self.add("tree", content)

    def commit(
        self,
        tree: str,
        *parents: str,
        message: bytes = b"Work\n",
        author: bytes = b"Mona Lisa <1005+octocat@users.noreply.github.com> 1700000000 +0100",
        more: bytes = b"",
    ) -> str:
        lines = [b"tree " + tree.encode(), *(b"parent " + p.encode() for p in parents)]
        lines += [b"author " + author, b"committer " + author]
        return self.add("commit", b"\n".join(lines) + b"\n" + more + b"\n" + message)

    def delta(self, base: str, result: int, instructions: bytes, base_size: int) -> None:
        content = number(base_size) + number(result) + instructions
        self.entries.append(
            entry_head(7, len(content)) + bytes.fromhex(base) + zlib.compress(content)
        )

    def bytes(self, *, count: int | None = None) -> bytes:
        body = b"PACK" + struct.pack(">II", 2, len(self.entries) if count is None else count)
        body += b"".join(self.entries)
        return body + hashlib.sha1(body).digest()
