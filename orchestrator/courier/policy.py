"""What work is taken: the rules on paths, kinds, sizes and identities, apart from git. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from posixpath import normpath

from sandbox.commands import GitIdentity

from .errors import CourierRefused
from .packscan import PackLimits

GITLINK = "160000"
SYMLINK = "120000"
_FILES = frozenset({"100644", "100755", SYMLINK})
_LFS = b"version https://git-lfs.github.com/spec/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakePolicy:
    """`author` is the person whose prompt it was; `people` all who have prompted this session.

    `workflows` lets `.github/workflows` change. `protected` are further folders that must stay
    as the remote has them.
    """

    author: GitIdentity
    people: tuple[GitIdentity, ...] = ()
    workflows: bool = False
    protected: tuple[str, ...] = ()
    commits: int = 500
    files: int = 3_000
    changed_bytes: int = 100 << 20
    commit_bytes: int = 64 << 10
    pack: PackLimits = field(default_factory=PackLimits)

    @property
    def fixed(self) -> tuple[str, ...]:
        """Folders whose content must be one that the remote has."""
        return self.protected if self.workflows else (".github/workflows", *self.protected)

    def is_ours(self, email: str) -> bool:
        ours = {person.email.lower() for person in (self.author, *self.people)}
        return email.lower() in ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path that a commit has otherwise than all of its parents. Modes as git writes them,
    `000000` where there is nothing."""

    commit: str
    path: bytes
    old_mode: str
    new_mode: str
    old: str
    new: str

    @property
    def shown(self) -> str:
        """The path for people."""
        text = self.path.decode("utf-8", "backslashreplace")
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)[:200]

    @property
    def deleted(self) -> bool:
        return self.new_mode == "000000"


def check_changes(changes: Iterable[Change], policy: TakePolicy) -> None:
    """Paths and kinds. Symbolic links are looked at by `check_link`, which needs their content."""
    paths = set()
    for change in changes:
        paths.add(change.path)
        if len(paths) > policy.files:
            raise CourierRefused(f"The work changes more than {policy.files} files.")
        if change.deleted:
            continue
        if change.new_mode == GITLINK:
            raise CourierRefused(
                f"`{change.shown}` is a submodule; adding or moving one is not supported."
            )
        if change.new_mode not in _FILES:
            raise CourierRefused(f"`{change.shown}` is neither a file nor a link.")
        if any(byte < 32 or byte == 127 for byte in change.path):
            raise CourierRefused(f"The file name `{change.shown}` has control characters in it.")
        parts = change.path.split(b"/")
        if any(part in (b"", b".", b"..") or len(part) > 255 for part in parts):
            raise CourierRefused(f"`{change.shown}` is not a path that is taken.")


def check_link(change: Change, target: bytes) -> None:
    """A link may point anywhere inside the repository. One that leaves it works on nobody's
    machine as it did in the sandbox, and is a classic trap for whoever follows it."""
    folder = change.path.rpartition(b"/")[0]
    text = target.decode("utf-8", "surrogateescape")
    joined = normpath(f"{folder.decode('utf-8', 'surrogateescape')}/./{text}".lstrip("/"))
    outside = text.startswith("/") or "\\" in text or joined == ".." or joined.startswith("../")
    if outside or not text or ".git" in joined.lower().split("/"):
        raise CourierRefused(
            f"`{change.shown}` is a symbolic link to a place outside the repository."
        )


def check_sizes(sizes: Iterable[tuple[Change, int]], policy: TakePolicy) -> None:
    total = 0
    for change, size in sizes:
        if size > policy.pack.single:
            raise CourierRefused(f"`{change.shown}` is larger than {policy.pack.single >> 20} MiB.")
        total += size
    if total > policy.changed_bytes:
        raise CourierRefused(f"The work changes more than {policy.changed_bytes >> 20} MiB.")


def check_pointer(change: Change, content: bytes) -> None:
    """A Git LFS pointer without its object would be a file that nobody can open."""
    if content.startswith(_LFS):
        raise CourierRefused(
            f"`{change.shown}` is kept in Git LFS; changing such files is not supported."
        )
