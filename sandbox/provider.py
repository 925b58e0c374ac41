"""A place where sandboxes run. Every provider passes the one contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .commands import Command
from .reports import Numbered
from .spec import Launched, SandboxId, SandboxInfo, SandboxSpec, SnapshotId


class SandboxError(Exception):
    """The sandbox provider could not do what was asked."""


class SandboxGone(SandboxError):
    """That sandbox is not running any more."""


class StreamReset(SandboxError):
    """The other side ended one stream early, and said why; the wire goes on."""


class LaunchRefused(SandboxError):
    """Permanent: the same launch would fail again (no disk, no isolation, a bad spec)."""


class SnapshotMissing(SandboxError):
    """That snapshot is not there, or is damaged."""


class WireStream(Protocol):
    """One bidirectional byte stream on the wire, with credit: a slow reader slows its writer only.

    `meta` is the JSON object the opener sent.
    """

    @property
    def meta(self) -> Mapping[str, object]: ...
    async def read(self) -> bytes:
        """The next bytes, `b""` at the end. Raises `SandboxGone` if the wire is lost,
        `StreamReset` if the other side has reset this stream."""
        ...

    async def write(self, data: bytes) -> None: ...
    async def close(self) -> None:
        """End our direction; the other one stays open."""
        ...

    async def reset(self, reason: str) -> None:
        """End both directions at once, with a reason the other side sees."""
        ...


StreamHandler = Callable[[WireStream], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorHello:
    """What a supervisor says of itself on attach."""

    phase: str
    """`waiting` (for Boot), `booting`, `ready`, `failed`, `ending`."""
    last_seq: int
    """Number of its newest report; all after the one acknowledged are sent again."""
    running_turn: int | None
    finished_turn: int | None
    """The highest turn that has ended; a `Prompt` up to it is not taken again."""


class Link(Protocol):
    """The one channel to a supervisor. Control goes first; streams share the rest."""

    @property
    def hello(self) -> SupervisorHello: ...
    async def send(self, command: Command) -> None:
        """Hand over a command; returns once written. Raises `SandboxGone`."""
        ...

    def reports(self) -> AsyncIterator[Numbered]:
        """Reports in order without gaps, from after the sequence given to `attach`; ends with
        `SandboxGone` when the wire is lost or a newer attach has evicted this one."""
        ...

    async def acknowledge(self, seq: int) -> None:
        """All reports up to `seq` are safe with us: the supervisor may drop them."""
        ...

    async def open(self, kind: str, meta: Mapping[str, object]) -> WireStream:
        """Open a stream to the supervisor: `repository`, `collect`, `receive`."""
        ...

    async def close(self) -> None:
        """Let go of the wire; the sandbox goes on."""
        ...


class Provider(Protocol):
    """All methods are safe to repeat; none blocks the event loop."""

    async def launch(self, spec: SandboxSpec) -> Launched: ...
    async def attach(
        self,
        sandbox: SandboxId,
        *,
        epoch: int,
        after: int,
        handlers: Mapping[str, StreamHandler],
    ) -> Link:
        """Connect; a higher `epoch` evicts a lower one, a lower one is refused (`SandboxError`).

        `after` is the last report that is safe with us. `handlers` answer the streams that the
        sandbox opens (`http` for model calls, `tool` for our tools), by kind; a kind without a
        handler is reset.
        """
        ...

    async def snapshot(self, sandbox: SandboxId) -> SnapshotId:
        """Freeze, keep the writable layer and HOME, thaw. The sandbox goes on."""
        ...

    async def terminate(self, sandbox: SandboxId) -> None:
        """End it and remove what it wrote; no error where it is gone already."""
        ...

    async def list(self, tags: Mapping[str, str]) -> Sequence[SandboxInfo]:
        """Live sandboxes that carry all of `tags`."""
        ...

    async def delete_snapshot(self, snapshot: SnapshotId) -> None: ...
