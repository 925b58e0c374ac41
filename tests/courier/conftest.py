"""A remote repository over HTTP, a mirror of it, and a sandbox with a checkout."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.collecting import MONA, Sandbox
from support.code_remote import GitServer, Opens, git

from orchestrator.courier import AllowedBranches, Mirror, Mirrors, Taken, TakePolicy, take
from orchestrator.courier import send_repository as send

BRANCH = "openinspect/41-fix"


@dataclass
class Yard:
    server: GitServer
    remote: Path
    seed: Path
    """A person's clone of the remote."""
    mirror: Mirror
    sandbox: Sandbox
    base: str
    policy: TakePolicy

    @property
    def opens(self) -> Opens:
        return self.server.opens("app.git")

    @property
    def work(self) -> Path:
        return self.sandbox.folder

    allowed = AllowedBranches(default_branch="main", prefix="openinspect/")

    async def write(self, path: str, text: str | bytes = "x\n") -> None:
        target = self.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())

    async def commit(self, message: str = "Work", **env: str) -> str:
        await git(self.work, "add", "-A")
        await git(self.work, "commit", "-q", "--allow-empty", "-m", message, env=env)
        return await git(self.work, "rev-parse", "HEAD")

    async def take(self, message: str | None = None, **changed: Any) -> Taken | None:
        options: dict[str, Any] = {
            "mirror": self.mirror,
            "turn": 1,
            "base": self.base,
            "commit_message": message,
            "policy": self.policy,
        }
        return await take(self.sandbox, **(options | changed))  # type: ignore[arg-type]

    async def taken(self, message: str | None = None, **changed: Any) -> Taken:
        found = await self.take(message, **changed)
        assert found is not None
        return found

    async def upstream(self, path: str, text: str, branch: str = "main") -> str:
        """Somebody else pushes."""
        await git(self.seed, "checkout", "-q", "-B", branch)
        (self.seed / path).parent.mkdir(parents=True, exist_ok=True)
        (self.seed / path).write_text(text)
        await git(self.seed, "add", "-A")
        await git(self.seed, "commit", "-q", "-m", f"Change {path}")
        await git(self.seed, "push", "-q", str(self.remote), branch)
        return await git(self.seed, "rev-parse", "HEAD")

    async def remote_head(self, branch: str = BRANCH) -> str:
        return await git(self.remote, "rev-parse", f"refs/heads/{branch}")


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    async with GitServer(tmp_path / "server") as server:
        remote = await server.repository("app.git")
        seed = tmp_path / "seed"
        seed.mkdir()
        await git(seed, "init", "-q", "--initial-branch=main")
        for number in range(3):
            (seed / "README.md").write_text(f"app {number}\n")
            (seed / ".github/workflows").mkdir(parents=True, exist_ok=True)
            (seed / ".github/workflows/ci.yml").write_text("on: push\n")
            await git(seed, "add", "-A")
            await git(seed, "commit", "-q", "-m", f"Commit {number}")
        await git(seed, "push", "-q", str(remote), "main")
        base = await git(seed, "rev-parse", "HEAD")
        mirror = Mirrors(tmp_path / "mirrors").of(4711)
        await mirror.fetch(server.opens("app.git"), branches=["main"], commits=[base])
        sandbox = Sandbox(tmp_path / "workspace")
        await send(sandbox, mirror, branch=BRANCH, commit=base)  # type: ignore[arg-type]
        yard = Yard(server, remote, seed, mirror, sandbox, base, TakePolicy(author=MONA))
        yield yard
        await sandbox.close()
