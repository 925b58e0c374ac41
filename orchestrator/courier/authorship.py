"""Whose commits they are: read a commit, and write it anew in its person's name. Pure.

The supervisor sets the person's identity in the sandbox, but an agent can commit as anyone.
Refusing would lose work that is fine, so such commits are written again outside, with the same
tree, message and dates, in the name of the person who asked; and this is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sandbox.commands import GitIdentity

from .errors import CourierRefused
from .policy import TakePolicy

_SIGNATURE = re.compile(
    rb"(?P<name>[^<>\n\0]*) ?<(?P<email>[^<>\n\0]*)> (?P<when>\d{1,12} [+-]\d{4})"
)
_KEPT = (b"tree", b"parent", b"author", b"committer", b"encoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """`when` is git's own form, seconds and zone, kept as it was."""

    name: bytes
    email: bytes
    when: bytes

    @property
    def line(self) -> bytes:
        return b"%s <%s> %s" % (self.name, self.email, self.when)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What a commit says. `extra` are headers that are not kept, such as a signature."""

    tree: bytes
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    encoding: bytes | None
    extra: tuple[bytes, ...]
    message: bytes

    def content(self) -> bytes:
        lines = [b"tree " + self.tree]
        lines += [b"parent " + parent.encode() for parent in self.parents]
        lines += [b"author " + self.author.line, b"committer " + self.committer.line]
        if self.encoding is not None:
            lines.append(b"encoding " + self.encoding)
        return b"\n".join(lines) + b"\n\n" + self.message


def commit_from(content: bytes) -> Commit:
    """Raises `CourierRefused` where it is not one that git itself would have written."""
    head, separator, message = content.partition(b"\n\n")
    fields: dict[bytes, list[bytes]] = {}
    extra: list[bytes] = []
    for line in head.split(b"\n"):
        name, _, value = line.partition(b" ")
        if line.startswith(b" "):
            continue  # goes on with a header that is not kept
        if name in _KEPT:
            fields.setdefault(name, []).append(value)
        else:
            extra.append(name)
    try:
        if not separator:
            raise ValueError("no message")
        return Commit(
            tree=_one(fields, b"tree"),
            parents=tuple(value.decode("ascii") for value in fields.get(b"parent", [])),
            author=_signature(_one(fields, b"author")),
            committer=_signature(_one(fields, b"committer")),
            encoding=_one(fields, b"encoding") if b"encoding" in fields else None,
            extra=tuple(extra),
            message=message,
        )
    except ValueError:
        raise CourierRefused("A commit is not of the form that git writes.") from None


def _one(fields: Mapping[bytes, list[bytes]], name: bytes) -> bytes:
    [value] = fields.get(name, [])
    return value


def _signature(text: bytes) -> Signature:
    found = _SIGNATURE.fullmatch(text)
    if found is None:
        raise ValueError("not a signature")
    name, email, when = found.group("name", "email", "when")
    return Signature(name=name.rstrip(b" "), email=email, when=when)


def attributed(
    commit: Commit,
    policy: TakePolicy,
    moved: Mapping[str, str],
    upstream: frozenset[bytes] = frozenset(),
) -> Commit:
    """The commit as it is pushed: equal to `commit` where nothing has to change.

    `moved` are parents that were written anew; `upstream` the author lines of known history: a
    commit that was picked from there keeps its author.
    """
    author, committer = commit.author, commit.committer
    if not _ours(author, policy) and author.line not in upstream:
        author = _signed(policy.author, author.when)
    if not _ours(committer, policy):
        committer = _signed(policy.author, committer.when)
    parents = tuple(moved.get(parent, parent) for parent in commit.parents)
    return replace(commit, author=author, committer=committer, parents=parents, extra=())


def is_foreign(commit: Commit, policy: TakePolicy) -> bool:
    return not _ours(commit.author, policy)


def _ours(signature: Signature, policy: TakePolicy) -> bool:
    return policy.is_ours(signature.email.decode("utf-8", "replace"))


_NOT_IN_A_NAME = re.compile(r"[<>\x00-\x1f\x7f]")


def _signed(person: GitIdentity, when: bytes) -> Signature:
    name = _NOT_IN_A_NAME.sub("", person.name).strip() or "unknown"
    email = _NOT_IN_A_NAME.sub("", person.email).strip()
    return Signature(name=name.encode(), email=email.encode(), when=when)
