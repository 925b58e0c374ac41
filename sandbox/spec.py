"""What a sandbox is asked to be, and what is known of one that exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NewType

SandboxId = NewType("SandboxId", str)
SnapshotId = NewType("SnapshotId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits, all enforced from outside. Sizes in MiB, times in seconds."""

    cpu: float = 2.0
    memory_mib: int = 4096
    disk_mib: int = 10240
    processes: int = 1024
    lifetime_seconds: float = 7200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """Commit `commit` of the bare repository `mirror` on the host.

    A provider on the same machine makes a workspace of it directly; another one says in
    `Launched.workspace_present` that the pack has to be sent over the wire.
    """

    mirror: Path
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A read-only tree of the host (the agent, Node) shown inside at `target`."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """`name` is the session and launch number: launching the same name twice is launching once."""

    name: str
    tags: Mapping[str, str]
    checkout: Checkout | None = None
    snapshot: SnapshotId | None = None
    resources: Resources = field(default_factory=Resources)
    network: Literal["none"] = "none"
    programs: tuple[Program, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """`restored` is False where the snapshot could not be used; `note` then says why, in words."""

    id: SandboxId
    workspace_present: bool
    restored: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxInfo:
    """One live sandbox as the provider's own listing tells it."""

    id: SandboxId
    name: str
    tags: Mapping[str, str]
    started_at: float
