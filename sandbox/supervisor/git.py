"""git in the workspace, which may be hostile: no hooks, no prompts, a time limit for everything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from .clipping import last_lines
from .processes import Child, spawn

SECONDS = 120.0
_MAX_OUTPUT = 8 << 20

_SAFE = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "commit.gpgSign=false"),
    *("-c", "submodule.recurse=false"),
    *("-c", "safe.directory=*"),
)
_ENV = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_EDITOR": "true",
    "LC_ALL": "C.UTF-8",
}


class GitFailed(Exception):
    """git said no, or did not answer in time; the message holds its last words."""


class Git:
    """Runs git in one directory with one environment."""

    def __init__(self, directory: Path, env: Mapping[str, str]) -> None:
        self.directory = directory
        self._env = {**env, **_ENV}

    async def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> str:
        """Its output without the last newline. Raises `GitFailed`."""
        process = await self.start(*arguments, env=env)
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate(stdin)
        except TimeoutError:
            raise GitFailed(f"git {arguments[0]} took longer than {seconds:.0f} s") from None
        finally:
            await process.end()
        if len(out) > _MAX_OUTPUT:
            raise GitFailed(f"git {arguments[0]} said too much")
        if process.returncode:
            raise GitFailed(f"git {arguments[0]}: {words(err) or process.returncode}")
        return out.decode("utf-8", "replace").removesuffix("\n")

    async def succeeds(self, *arguments: str, seconds: float = SECONDS) -> bool:
        try:
            await self.run(*arguments, seconds=seconds)
        except GitFailed:
            return False
        return True

    async def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, stderr: int | None = None
    ) -> Child:
        """git with all three pipes open; the caller ends it. Raises `GitFailed`."""
        try:
            return await spawn(
                ("git", *_SAFE, *arguments),
                cwd=self.directory,
                env={**self._env, **(env or {})},
                stdin=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE if stderr is None else stderr,
            )
        except OSError as error:
            raise GitFailed(f"git does not start: {error.strerror}") from error


def words(stderr: bytes) -> str:
    return last_lines(stderr.decode("utf-8", "replace"), lines=5, limit=1000).strip()
