"""Snapshots: the writable layer and HOME as one compressed archive, with what it stands on.

GNU tar in a workshop, with every extended attribute: an overlay's opaque directories are
attributes, and without them deleted files come back (Python's `tarfile` drops them). The archive
passes through us compressed; it is never opened by a program that has rights of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import zstandard

from ..provider import SandboxError, SnapshotMissing
from ..spec import SnapshotId
from .local_ground import Ground, last_line

_ATTRIBUTES = ("--xattrs", "--xattrs-include=*", "--numeric-owner", "--sparse")
_LEVEL = 1  # an agent's edits are small; a HOME full of packages should not keep it frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`lower` is the key of the warm checkout below; None where the archive has it all."""

    lower: str | None
    programs: dict[str, str]
    workspace_present: bool
    size: int = 0


class Snapshots:
    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._root = ground.root / "snapshots"

    def pack(
        self, layer: Path, manifest: Manifest, *, still_there: Callable[[], bool], within: float
    ) -> SnapshotId:
        """Keep `layer/upper` and `layer/home` as they are now; the caller has frozen them."""
        snapshot = SnapshotId(f"snap-{secrets.token_hex(8)}")
        growing = self._root / f".{snapshot}"
        growing.mkdir(mode=0o700)
        try:
            command = ["tar", "-C", "/layer", "-c", *_ATTRIBUTES, "-f", "-", "upper", "home"]
            with (growing / "layer.tar.zst").open("xb") as archive:
                self._stream(
                    self._ground.workshop(command, binds=[(layer, "/layer", False)]),
                    lambda process: _compress(process.stdout, archive),
                    within=within,
                )
                os.fsync(archive.fileno())
                size = archive.tell()
            if not still_there():
                raise SandboxError("the sandbox ended while its snapshot was taken")
            words = asdict(manifest) | {"size": size}
            (growing / "manifest.json").write_text(json.dumps(words))
            growing.rename(self._root / snapshot)
        finally:
            shutil.rmtree(growing, ignore_errors=True)
        return snapshot

    def manifest(self, snapshot: SnapshotId) -> Manifest:
        try:
            words = json.loads((self._folder(snapshot) / "manifest.json").read_text())
            return Manifest(**words)
        except (OSError, ValueError, TypeError) as error:
            raise SnapshotMissing(f"there is no snapshot {snapshot}") from error

    def unpack(self, snapshot: SnapshotId, layer: Path, *, within: float) -> None:
        """Fill the empty `layer/upper` and `layer/home`. Raises `SnapshotMissing` if damaged."""
        command = ["tar", "-C", "/layer", "-x", "-p", *_ATTRIBUTES, "-f", "-"]
        path = self._folder(snapshot) / "layer.tar.zst"
        try:
            if path.stat().st_size != self.manifest(snapshot).size:
                raise SnapshotMissing(f"snapshot {snapshot} is damaged: its size is wrong")
            with path.open("rb") as archive:
                self._stream(
                    self._ground.workshop(command, binds=[(layer, "/layer", True)]),
                    lambda process: _decompress(archive, process.stdin),
                    within=within,
                )
        except (OSError, zstandard.ZstdError, SandboxError) as error:
            if isinstance(error, SnapshotMissing):
                raise
            raise SnapshotMissing(f"snapshot {snapshot} is damaged: {error}") from error

    def lowers(self) -> set[str]:
        """Keys of the warm checkouts that snapshots stand on."""
        found = set()
        for folder in self._root.glob("snap-*"):
            try:
                lower = self.manifest(SnapshotId(folder.name)).lower
            except SnapshotMissing:
                continue
            if lower is not None:
                found.add(lower)
        return found

    def delete(self, snapshot: SnapshotId) -> None:
        shutil.rmtree(self._folder(snapshot), ignore_errors=True)

    def sweep(self, *, kept_seconds: float) -> None:
        """Remove what was never finished, and what is older than `kept_seconds`: a session that
        comes back after that starts afresh, and its work is on its branch."""
        for folder in self._root.glob(".snap-*"):
            shutil.rmtree(folder, ignore_errors=True)
        oldest = time.time() - kept_seconds
        for folder in self._root.glob("snap-*"):
            with contextlib.suppress(FileNotFoundError):
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, snapshot: SnapshotId) -> Path:
        if "/" in snapshot or not snapshot.startswith("snap-"):
            raise SnapshotMissing(f"there is no snapshot {snapshot}")
        return self._root / snapshot

    def _stream(
        self,
        command: list[str],
        move: Callable[[subprocess.Popen[bytes]], None],
        *,
        within: float,
    ) -> None:
        """Run tar with bytes moved to or from it; over the time it is killed and this raises."""
        with (
            tempfile.TemporaryFile() as trouble,  # a pipe nobody reads yet would block tar
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=trouble, env={}
            ) as process,
        ):
            alarm = threading.Timer(within, process.kill)
            alarm.start()
            try:
                move(process)
            except BrokenPipeError:
                pass  # tar has ended early; its exit code says why
            except BaseException:
                process.kill()
                raise
            finally:
                assert process.stdin is not None
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                code = process.wait()
                alarm.cancel()
            if code != 0:
                trouble.seek(max(0, trouble.tell() - 2000))
                raise SandboxError(f"tar failed ({code}): {last_line(trouble.read())}")


def _compress(source: IO[bytes] | None, archive: IO[bytes]) -> None:
    assert source is not None
    zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).copy_stream(source, archive)


def _decompress(archive: IO[bytes], target: IO[bytes] | None) -> None:
    assert target is not None
    zstandard.ZstdDecompressor().copy_stream(archive, target)
