"""A remote repository over HTTP, a mirror of it, and a sandbox with a checkout."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.code_remote import GitServer, Opens, git
from support.collecting import MONA, Sandbox
from support.packs import Pack

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
    github: str

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

    def pack(self) -> Pack:
        """Its root trees have the workflows that the repository has."""
        return Pack(keep=(("40000", ".github", self.github),))

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


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything once; each test gets a copy."""
    root = tmp_path_factory.mktemp("yard")
    asyncio.run(_make(root))
    return root


async def _make(root: Path) -> None:
    async with GitServer(root / "server") as server:
        remote = await server.repository("app.git")
        seed = root / "seed"
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
        mirror = Mirrors(root / "mirrors").of(4711)
        await mirror.fetch(server.opens("app.git"), branches=["main"], commits=[base])
        sandbox = Sandbox(root / "workspace")
        await send(sandbox, mirror, branch=BRANCH, commit=base)  # type: ignore[arg-type]
        await sandbox.close()


@pytest.fixture
async def yard(made: Path, tmp_path: Path) -> AsyncIterator[Yard]:
    shutil.copytree(made, tmp_path / "yard", symlinks=True)
    root = tmp_path / "yard"
    base = (root / "seed/.git/refs/heads/main").read_text().strip()
    github = await git(root / "seed", "rev-parse", "HEAD:.github")
    async with GitServer(root / "server") as server:
        sandbox = Sandbox(root / "workspace")
        yield Yard(
            server=server,
            remote=root / "server/app.git",
            seed=root / "seed",
            mirror=Mirrors(root / "mirrors").of(4711),
            sandbox=sandbox,
            base=base,
            policy=TakePolicy(author=MONA),
            github=github,
        )
        await sandbox.close()
