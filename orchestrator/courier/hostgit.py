"""git on the host: the one place that starts it, never inside a tree that a sandbox has written.

Every repository it is pointed at was made here, bare, and is written by nobody else. It reads no
configuration of the machine or of a user, runs no hook, helper, filter or editor, speaks http(s)
only and follows no redirect; credentials go in by the environment and never come out in an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.secret import Secret

from .errors import GitFailed, GitTimedOut, GitTooLarge

CHUNK = 64 << 10
MAX_WORDS = 4000
DATA_BYTES = 2 << 30
FILE_BYTES = 4 << 30

_CONFIG = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.sshCommand", "false"),
    ("core.packedGitLimit", "512m"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("pack.threads", "1"),
    ("protocol.version", "2"),
    ("fetch.fsckObjects", "true"),
    ("fetch.recurseSubmodules", "false"),
    ("push.recurseSubmodules", "no"),
    ("push.gpgSign", "false"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "30"),
    ("http.postBuffer", str(4 << 20)),
)
_OLD_MISTAKES = (
    "zeroPaddedFilemode",
    "missingSpaceBeforeDate",
    "missingNameBeforeEmail",
    "missingEmail",
    "badDate",
    "badDateOverflow",
    "badTimezone",
    "badTagName",
    "missingTaggerEntry",
    "gitattributesLineLength",
)
"""Harmless, and in the history of many old repositories. They pass when they come from the
remote; what a sandbox makes is held to all rules. https://git-scm.com/docs/git-fsck"""


class Remote(Protocol):
    """A repository over HTTPS and the header that opens it."""

    @property
    def url(self) -> str: ...
    @property
    def header(self) -> Secret: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    code: int
    out: bytes
    words: str
    """What git said beside its output, cleaned."""

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "replace").strip()


class HostGit:
    """`more_env` is for what the machine needs to reach the remote (`https_proxy`,
    `GIT_SSL_CAINFO`)."""

    def __init__(self, more_env: Mapping[str, str] | None = None) -> None:
        found = shutil.which("git")
        if found is None:
            raise FileNotFoundError("git is not installed")
        self._program = found
        self._more_env = dict(more_env or {})

    async def run(
        self,
        *arguments: str,
        repository: Path | None = None,
        stdin: bytes | AsyncIterable[bytes] = b"",
        remote: Remote | None = None,
        seconds: float = 60.0,
        most: int = 16 << 20,
        ok: Collection[int] = (0,),
    ) -> Output:
        """Run to the end. Raises `GitFailed` for a code not in `ok`, `GitTimedOut`,
        `GitTooLarge` where the output passes `most`. Cancelling kills it."""
        out = bytearray()
        async with self.started(
            *arguments, repository=repository, stdin=stdin, remote=remote, seconds=seconds, ok=ok
        ) as running:
            async for chunk in running.chunks():
                out += chunk
                if len(out) > most:
                    raise GitTooLarge(f"git {arguments[0]} said more than {most >> 20} MiB")
        return Output(code=running.code, out=bytes(out), words=running.words)

    @contextlib.asynccontextmanager
    async def started(
        self,
        *arguments: str,
        repository: Path | None = None,
        stdin: bytes | AsyncIterable[bytes] = b"",
        remote: Remote | None = None,
        seconds: float = 600.0,
        ok: Collection[int] = (0,),
    ) -> AsyncIterator[Running]:
        """The same, with the output as it comes. Leaving the block early kills git."""
        process = await asyncio.create_subprocess_exec(
            self._program,
            *arguments,
            cwd="/",
            env=self._environment(repository, remote),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        _bound(process.pid)  # before it is given a byte to work on
        running = Running(process)
        feeding = asyncio.create_task(_feed(process, stdin))
        listening = asyncio.create_task(_last_words(process))
        try:
            async with asyncio.timeout(seconds):
                yield running
                await feeding
                running.code = await process.wait()
                running.words = clean(await listening, remote)
        except TimeoutError:
            raise GitTimedOut(f"git {arguments[0]} took longer than {seconds:.0f} s") from None
        finally:
            feeding.cancel()
            listening.cancel()
            _kill_group(process)
            await process.wait()
            await asyncio.gather(feeding, listening, return_exceptions=True)
        if running.code not in ok:
            raise GitFailed(arguments[0], running.code, running.words)

    def _environment(self, repository: Path | None, remote: Remote | None) -> dict[str, str]:
        config = [*_CONFIG, *((f"fetch.fsck.{name}", "ignore") for name in _OLD_MISTAKES)]
        if remote is not None:
            config.append((f"http.{remote.url}.extraheader", remote.header.reveal()))
        env = {
            **self._more_env,
            "PATH": f"{Path(self._program).parent}:/usr/bin:/bin",
            "LC_ALL": "C",
            "HOME": "/dev/null",
            "XDG_CONFIG_HOME": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "false",
            "GIT_EDITOR": "false",
            "GIT_PAGER": "cat",
            "GIT_SSH_COMMAND": "false",
            "GIT_ALLOW_PROTOCOL": "http:https",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_CONFIG_COUNT": str(len(config)),
        }
        if repository is not None:
            env["GIT_DIR"] = str(repository)
        for number, (key, value) in enumerate(config):
            env[f"GIT_CONFIG_KEY_{number}"] = key
            env[f"GIT_CONFIG_VALUE_{number}"] = value
        return env


class Running:
    """A git that runs; `code` and `words` are known after the block."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.code = -1
        self.words = ""

    async def chunks(self) -> AsyncIterator[bytes]:
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(CHUNK):
            yield chunk


async def _feed(process: asyncio.subprocess.Process, stdin: bytes | AsyncIterable[bytes]) -> None:
    """Where git stops to read, it says why; where the source fails, git must not take what came
    for the whole."""
    assert process.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if isinstance(stdin, bytes):
                process.stdin.write(stdin)
                await process.stdin.drain()
            else:
                async for chunk in stdin:
                    process.stdin.write(chunk)
                    await process.stdin.drain()
    except BaseException:
        _kill_group(process)
        raise
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.close()
        await process.stdin.wait_closed()


async def _last_words(process: asyncio.subprocess.Process) -> bytes:
    assert process.stderr is not None
    last = bytearray()
    while chunk := await process.stderr.read(CHUNK):
        last += chunk
        del last[:-MAX_WORDS]
    return bytes(last)


def _bound(pid: int) -> None:
    """Limits against what a crafted pack can make of little input; it waits for that input."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Also what git has left running, such as its HTTP helper."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


_USERINFO = re.compile(r"://[^/@\s]+@")
_AUTHORIZATION = re.compile(r"(?i)(authorization:?\s*(?:basic|bearer)?\s*)\S+")


def clean(said: bytes, remote: Remote | None) -> str:
    """git's words as text without control characters and without anything that opens a door."""
    text = "".join(
        c if c.isprintable() or c == "\n" else " " for c in said.decode("utf-8", "replace")
    )
    if remote is not None:
        header = remote.header.reveal()
        for part in (header, header.rpartition(" ")[2]):
            if part:
                text = text.replace(part, "***")
    text = _AUTHORIZATION.sub(r"\1***", _USERINFO.sub("://***@", text))
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()).strip()
