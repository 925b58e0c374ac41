"""What the demo ends on: the pull request's head, in a fresh clone, really passes its tests."""

from __future__ import annotations

import asyncio
import base64
import os
import shlex
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenCommit:
    sha: str
    subject: str
    author: str
    """Name and address, as git has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    patch: str
    commits: tuple[ProvenCommit, ...]
    tests_pass: bool
    seconds: float
    tail: str


async def prove(url: str, *, token: str, base: str, head: str, test_command: str) -> Proof:
    """`test_command` empty: there is nothing to run, so only the commits are looked at."""
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraheader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with tempfile.TemporaryDirectory(prefix="openinspect-proof-") as directory:
        clone = Path(directory) / "clone"
        await _run(["git", "clone", "-q", "-b", head, url, str(clone)], environment, None)
        span = f"origin/{base}..HEAD"
        _, patch = await _run(["git", "diff", f"origin/{base}...HEAD"], environment, clone)
        line = "--format=%H%x00%s%x00%an <%ae>"
        _, log = await _run(["git", "log", "--reverse", line, span], environment, clone)
        commits = tuple(
            ProvenCommit(sha=sha, subject=subject, author=author)
            for sha, subject, author in (row.split("\0") for row in log.splitlines())
        )
        if not test_command:
            return Proof(patch=patch, commits=commits, tests_pass=True, seconds=0.0, tail="")
        plain = {name: environment[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE")}
        started = time.monotonic()
        code, output = await _run(shlex.split(test_command), plain, clone)
        return Proof(
            patch=patch,
            commits=commits,
            tests_pass=code == 0,
            seconds=time.monotonic() - started,
            tail="\n".join(output.splitlines()[-8:]),
        )


async def _run(
    command: list[str], environment: Mapping[str, str], cwd: Path | None
) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode("utf-8", "replace")
