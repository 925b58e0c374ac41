"""Git over smart HTTP: `git http-backend` on the bare repositories, with GitHub's rules in front.

Reading a private repository needs `contents: read`, pushing `contents: write`, pushing changes
of workflow files also `workflows: write`. What a push moved is told to the rest of the world
before the pusher has its answer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import hdrs, web

from .apps import Unauthorized, covers
from .changes_git import RefUpdate, after_push
from .door import Credentials
from .faulty import with_faults
from .gitstore import ZERO, clean_environment
from .hooks import Hooks
from .model import Actor, Repo, Token
from .rest import in_scope, visible_to
from .world import World

SERVICES = ("git-upload-pack", "git-receive-pack")
CHUNK = 64 * 1024

# Runs once per ref inside receive-pack, before the ref moves; objects are still in quarantine.
UPDATE_HOOK = """#!/bin/sh
ref=$1 old=$2 new=$3 zero=0000000000000000000000000000000000000000
case " $EMBEDDED_PROTECTED " in *" $ref "*)
    if [ "$new" = $zero ]; then
        echo "error: GH006: Protected branch update failed for $ref." >&2; exit 1
    fi
    if [ "$old" != $zero ] && ! git merge-base --is-ancestor "$old" "$new"; then
        echo "error: GH006: Protected branch update failed for $ref." >&2
        echo "error: Cannot force-push to this branch" >&2; exit 1
    fi ;;
esac
if [ -n "$EMBEDDED_NO_WORKFLOWS" ] && [ "$new" != $zero ]; then
    file=$(git log --format= --name-only "$new" --not --all -- .github/workflows | head -n 1)
    if [ -n "$file" ]; then
        echo "refusing to allow a GitHub App to create or update workflow" \\
            "\\`$file\\` without \\`workflows\\` permission" >&2; exit 1
    fi
fi
exit 0
"""


class GitDoor:
    """The handler of `/{owner}/{repo}(.git)/(info/refs|git-upload-pack|git-receive-pack)`."""

    def __init__(self, world: World, hooks: Hooks) -> None:
        self.world, self.hooks = world, hooks
        self._pushing: dict[int, asyncio.Lock] = {}
        self._hook_folder = world.root / "hooks"

    def prepare(self) -> None:
        self._hook_folder.mkdir(parents=True, exist_ok=True)
        hook = self._hook_folder / "update"
        hook.write_text(UPDATE_HOOK)
        hook.chmod(0o755)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        return await with_faults(self.world, request, path, lambda: self._serve(request))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        rest = request.match_info["rest"]
        service = request.query.get("service", "") if rest == "info/refs" else rest
        if service not in SERVICES:
            return web.Response(status=403, text="Please upgrade your git client.\n")
        name = f"{request.match_info['owner']}/{request.match_info['name'].removesuffix('.git')}"
        repo = self.world.repository(name)
        try:
            who = Credentials(self.world, request.headers.get(hdrs.AUTHORIZATION))
        except Unauthorized:
            return _ask("Invalid username or token.")
        writing = service == "git-receive-pack"
        if (refusal := _refusal(who, repo, writing)) is not None:
            return refusal
        assert repo is not None
        if rest == "git-receive-pack":
            assert who.token is not None
            return await self._receive(request, repo, who.token)
        async with _backend(request, repo, rest, await request.read(), {}) as backend:
            return await _stream(request, backend)

    async def _receive(self, request: web.Request, repo: Repo, token: Token) -> web.Response:
        """One push at a time per repository; refs and what they cause move together."""
        body = await request.read()
        wanted = commands_of(body)
        lock = self._pushing.setdefault(repo.id, asyncio.Lock())
        async with lock:
            before = {c.ref: repo.git.ref(c.ref) or ZERO for c in wanted}
            extra = self._rules(repo, token)
            rest = request.match_info["rest"]
            async with _backend(request, repo, rest, body, extra) as backend:
                assert backend.stdout is not None
                status, headers = await _head(backend.stdout)
                answer = await backend.stdout.read()
            moved = [c for c in wanted if before[c.ref] != (repo.git.ref(c.ref) or ZERO) == c.after]
            if moved:
                installation = token.installation
                actor = Actor(token.user, None if installation is None else installation.app)
                after_push(self.hooks, repo, actor, moved)
        return web.Response(status=status, headers=headers, body=answer)

    def _rules(self, repo: Repo, token: Token) -> dict[str, str]:
        """The hook costs a process per ref, so it is only set where it has something to refuse."""
        extra = {"EMBEDDED_PROTECTED": " ".join(sorted(repo.protected))}
        if token.installation is not None and token.permissions.get("workflows") != "write":
            extra["EMBEDDED_NO_WORKFLOWS"] = "1"
        if len(extra) > 1 or repo.protected:
            extra |= {
                "GIT_CONFIG_COUNT": "2",
                "GIT_CONFIG_KEY_1": "core.hooksPath",
                "GIT_CONFIG_VALUE_1": str(self._hook_folder),
            }
        return extra


def _ask(text: str) -> web.Response:
    return web.Response(
        status=401, text=text, headers={hdrs.WWW_AUTHENTICATE: 'Basic realm="GitHub"'}
    )


def _refusal(who: Credentials, repo: Repo | None, writing: bool) -> web.Response | None:
    """None when the caller may go on. What cannot be seen does not exist."""
    token = who.token
    if token is None and (writing or repo is None or repo.private):
        return _ask("Authentication required.")
    if repo is None or not visible_to(token, repo):
        return web.Response(status=404, text="Repository not found.")
    if token is None:
        return None
    if token.installation is None:
        allowed = repo.grant_of(token.user).allows("write" if writing else "read")
    elif not in_scope(token, repo):
        allowed = not writing and not repo.private
    else:
        allowed = covers(token.permissions, "contents", "write" if writing else "read")
    if allowed:
        return None
    what = "Write access to repository" if writing else "Read access to repository"
    return web.Response(status=403, text=f"{what} not granted.")


def commands_of(body: bytes) -> list[RefUpdate]:
    """The ref updates at the head of a receive-pack request, up to the flush packet."""
    found, at = [], 0
    while at + 4 <= len(body):
        size = int(body[at : at + 4], 16)
        if size == 0:
            break
        line = body[at + 4 : at + size].split(b"\0", 1)[0].decode().rstrip("\n")
        before, after, ref = line.split(" ", 2)
        found.append(RefUpdate(ref=ref, before=before, after=after))
        at += size
    return found


@contextlib.asynccontextmanager
async def _backend(
    request: web.Request, repo: Repo, rest: str, body: bytes, extra: dict[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`git http-backend`, fed with the request; killed when the client goes away."""
    environment = {
        **clean_environment(),
        "GIT_PROJECT_ROOT": str(repo.path.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repo.path.name}/{rest}",
        "QUERY_STRING": request.query_string,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get(hdrs.CONTENT_TYPE, ""),
        # aiohttp has decompressed the body already.
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_USER": "embedded",
        **extra,
    }
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        cwd=Path("/"),
    )
    feeding = asyncio.create_task(_feed(process, body))
    try:
        yield process
        await feeding
        await process.wait()
    finally:
        feeding.cancel()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _feed(process: asyncio.subprocess.Process, body: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):
        for at in range(0, len(body), CHUNK):
            process.stdin.write(body[at : at + CHUNK])
            await process.stdin.drain()
        process.stdin.close()


async def _head(stdout: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """The CGI header block."""
    status, headers = 200, {}
    while (line := (await stdout.readline()).decode().rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    return status, headers


async def _stream(request: web.Request, backend: asyncio.subprocess.Process) -> web.StreamResponse:
    assert backend.stdout is not None
    status, headers = await _head(backend.stdout)
    answer = web.StreamResponse(status=status, headers=headers)
    await answer.prepare(request)
    while chunk := await backend.stdout.read(CHUNK):
        await answer.write(chunk)
    await answer.write_eof()
    return answer
