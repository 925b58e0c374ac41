"""The repository in the workspace: put in place, brought up to date, and its commits taken out.

Answers the streams `repository`, `receive` and `collect`. git runs inside the sandbox, where the
agent could run it too; nothing here needs to be trusted outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable

from ..checks import CodecError, count, optional, several, text
from ..commands import Boot, GitIdentity
from ..streams import CHUNK, Stream
from ..strict_json import bytes_from_object
from .git import Git, GitFailed, words
from .processes import Child

_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PACK_SECONDS = 600.0
NOBODY = GitIdentity(name="OpenInspect", email="open-inspect@noreply.github.com")
"""Whose the rest is where no prompt is known for the turn; Open-Inspect's fallback identity."""


class Workspace:
    """`author` tells whose commits a turn's are."""

    def __init__(self, git: Git, author: Callable[[int], GitIdentity | None]) -> None:
        self._git = git
        self._author = author
        self._repository_ready = asyncio.Event()

    async def prepare(self, boot: Boot) -> str:
        """Check the branch out as the boot mode asks; its head. Raises `GitFailed`."""
        if boot.pack_follows:
            try:
                async with asyncio.timeout(_PACK_SECONDS):
                    await self._repository_ready.wait()
            except TimeoutError:
                raise GitFailed("the repository was not sent in time") from None
        elif boot.mode != "snapshot_restore":
            await self._switch(boot.branch, _object_id(boot.commit))
        return await self.head()

    async def head(self) -> str:
        """The commit that is checked out. Raises `GitFailed`."""
        return await self._git.run("rev-parse", "--verify", "HEAD^{commit}")

    async def _switch(self, branch: str, commit: str) -> None:
        if await self.head() != commit:
            await self._git.run("checkout", "--quiet", "-B", branch, commit)
            return
        # The tree is there already: move names only, and do not walk the files.
        await self._git.run("update-ref", f"refs/heads/{branch}", commit)
        await self._git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")

    # -- streams -----------------------------------------------------------------------------

    async def repository(self, stream: Stream) -> None:
        """A self-contained pack becomes the workspace."""
        try:
            branch = text(1 << 10)(stream.meta.get("branch"))
            commit = _object_id(stream.meta.get("commit"))
            shallow = _object_ids(stream.meta.get("shallow", []))
            url = optional(text(1 << 12))(stream.meta.get("url"))
            self._git.directory.mkdir(parents=True, exist_ok=True)
            await self._git.run("init", "--quiet", "--initial-branch=openinspect-boot")
            if shallow:
                path = self._git.directory / ".git" / "shallow"
                path.write_text("".join(f"{boundary}\n" for boundary in shallow), "ascii")
            await self._index_pack(stream)
            if url is not None:
                await self._git.run("config", "remote.origin.url", url)
            await self._git.run("checkout", "--quiet", "--force", "-B", branch, commit)
            self._repository_ready.set()
        except (GitFailed, CodecError, OSError) as error:
            await _answer(stream, {"error": str(error)})
        else:
            await _answer(stream, {"ok": True})

    async def receive(self, stream: Stream) -> None:
        """New commits of a branch that moved outside; a remote-tracking ref shows them."""
        try:
            ref = text(1 << 10)(stream.meta.get("ref"))
            if not ref.startswith("refs/remotes/"):
                raise CodecError("only remote-tracking refs move")
            commit = _object_id(stream.meta.get("commit"))
            await self._index_pack(stream)
            await self._git.run("update-ref", ref, commit)
        except (GitFailed, CodecError) as error:
            await _answer(stream, {"error": str(error)})
        else:
            await _answer(stream, {"ok": True})

    async def collect(self, stream: Stream) -> None:
        """What the agent made: a summary line, then a thin pack of what the host lacks."""
        summary: dict[str, object] = {
            "head": "",
            "base_missing": [],
            "commits": 0,
            "dirty": False,
            "committed": False,
            "error": "",
        }
        wanted = ""
        try:
            turn = count(stream.meta.get("turn"))
            exclude = _object_ids(stream.meta.get("exclude", []))
            message = optional(text(64 << 10))(stream.meta.get("message"))
            try:
                await self._commit_rest(turn, message, summary)
            except GitFailed as error:
                summary["error"] = str(error)
            head = await self.head()
            present, missing = await self._present(exclude)
            revisions = "".join([f"{head}\n", *(f"^{known}\n" for known in present)])
            commits = await self._git.run(
                "rev-list", "--count", "--stdin", stdin=revisions.encode()
            )
            summary |= {"head": head, "base_missing": missing, "commits": int(commits)}
            wanted = revisions if int(commits) else ""
        except (GitFailed, CodecError) as error:
            summary["error"] = str(error)
        await stream.write(bytes_from_object(summary) + b"\n")
        if wanted:
            await self._send_pack(stream, wanted)
        await stream.close()

    # ----------------------------------------------------------------------------------------

    async def _commit_rest(
        self, turn: int, message: str | None, summary: dict[str, object]
    ) -> None:
        dirty = bool(await self._git.run("status", "--porcelain", "--ignore-submodules=none"))
        summary["dirty"] = dirty
        if not dirty or message is None:
            return
        lock = self._git.directory / ".git" / "index.lock"
        with contextlib.suppress(OSError):
            lock.unlink()  # of a git that was killed with the agent: nobody works here now
        env = _identity(self._author(turn) or NOBODY)
        await self._git.run("add", "--all")
        if await self._git.succeeds("diff", "--cached", "--quiet"):
            return  # only things that git does not keep, such as an empty nested repository
        await self._git.run(
            "commit", "--quiet", "--no-verify", "--file=-", stdin=message.encode(), env=env
        )
        summary["committed"] = True

    async def _present(self, commits: tuple[str, ...]) -> tuple[list[str], list[str]]:
        if not commits:
            return [], []
        asked = "".join(f"{commit}\n" for commit in commits).encode()
        answer = await self._git.run("cat-file", "--batch-check", stdin=asked)
        present: list[str] = []
        missing: list[str] = []
        for commit, line in zip(commits, answer.splitlines(), strict=True):
            (missing if line.endswith(" missing") else present).append(commit)
        return present, missing

    async def _send_pack(self, stream: Stream, revisions: str) -> None:
        process = await self._git.start(
            "pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset", "-q",
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        try:
            async with asyncio.timeout(_PACK_SECONDS):
                process.stdin.write(revisions.encode())
                process.stdin.close()
                while data := await process.stdout.read(4 * CHUNK):
                    await stream.write(data)
                if await process.exit_code():
                    await stream.reset(f"git pack-objects ended with {process.returncode}")
        except TimeoutError:
            await stream.reset(f"git pack-objects took longer than {_PACK_SECONDS:.0f} s")
        finally:
            await process.end()

    async def _index_pack(self, stream: Stream) -> None:
        """Store the pack that `stream` carries; nothing to do where it carries no byte."""
        first = await stream.read()
        if not first:
            return
        process = await self._git.start("index-pack", "--stdin", "--fix-thin")
        try:
            async with asyncio.timeout(_PACK_SECONDS):
                said = asyncio.create_task(_all_output(process))
                await _feed(process, stream, first)
                output = await said
        except TimeoutError:
            raise GitFailed(f"git index-pack took longer than {_PACK_SECONDS:.0f} s") from None
        finally:
            await process.end()
        if process.returncode:
            raise GitFailed(f"git index-pack: {words(output) or process.returncode}")


async def _feed(process: Child, stream: Stream, first: bytes) -> None:
    """Pass a whole stream on, also where git has stopped to read: it has said why."""
    assert process.stdin is not None
    data = first
    while data:
        with contextlib.suppress(OSError):
            process.stdin.write(data)
            await process.stdin.drain()
        data = await stream.read()
    with contextlib.suppress(OSError):
        process.stdin.close()


async def _all_output(process: Child) -> bytes:
    assert process.stdout is not None and process.stderr is not None
    out, err = await asyncio.gather(process.stdout.read(), process.stderr.read(64 << 10))
    await process.exit_code()
    return err or out[-1000:]


async def _answer(stream: Stream, answer: dict[str, object]) -> None:
    await stream.write(bytes_from_object(answer) + b"\n")
    await stream.close()


def _object_id(value: object) -> str:
    commit: str = text(64)(value)
    if not _OBJECT.fullmatch(commit):
        raise CodecError("not an object id")
    return commit


def _object_ids(value: object) -> tuple[str, ...]:
    commits: tuple[str, ...] = several(_object_id, 4096)(value)
    return commits


def _identity(author: GitIdentity) -> dict[str, str]:
    return {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_COMMITTER_NAME": author.name,
        "GIT_COMMITTER_EMAIL": author.email,
    }
