"""Code into a sandbox: the repository at its start, and commits that others pushed meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sandbox.provider import Link, WireStream

from .errors import CourierRefused
from .mirror import Mirror
from .refs import branch_ref, is_commit
from .sides import Incoming, words


async def send_repository(link: Link, mirror: Mirror, *, branch: str, commit: str) -> None:
    """Make `/workspace` of `commit`, on local branch `branch`. Raises `CourierRefused` where the
    supervisor could not."""
    branch_ref(branch)
    shallow, pack = await mirror.pack_for(commit)
    meta = {"branch": branch, "commit": commit, "shallow": shallow, "url": None}
    stream = await link.open("repository", meta)
    await _hand_over(stream, pack, "The repository did not arrive in the sandbox")


async def bring(link: Link, mirror: Mirror, *, branch: str, commit: str, have: str) -> None:
    """Show the branch's new head to the sandbox as `origin/<branch>`.

    `have` is what this session pushed last; where the sandbox knows that under another id,
    because it was rewritten on the way out, that one is what it has.
    """
    branch_ref(branch)
    if not is_commit(commit):
        raise ValueError("not a commit")
    sources = [old for old, new in (await mirror.rewritten()).items() if new == have]
    pack = mirror.thin_pack(commit, sources or [have])
    meta = {"ref": f"refs/remotes/origin/{branch}", "commit": commit}
    stream = await link.open("receive", meta)
    await _hand_over(stream, pack, f"The new commits of `{branch}` did not arrive in the sandbox")


async def _hand_over(stream: WireStream, pack: AsyncIterator[bytes], problem: str) -> None:
    try:
        async for chunk in pack:
            await stream.write(chunk)
        await stream.close()
        answer = await Incoming(stream).line(600.0)
    except BaseException:
        await stream.reset("handing over ended early")
        raise
    if answer.get("ok") is not True:
        raise CourierRefused(f"{problem}: {words(answer.get('error')) or 'it did not say why'}")
