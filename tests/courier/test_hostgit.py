"""git on the host runs nobody's code, tells no credential, and ends when it should."""

from __future__ import annotations

import asyncio
import stat
import subprocess
from pathlib import Path

import pytest
from support.code_remote import ENV, git, git_bytes
from support.collecting import says

from orchestrator.courier import (
    GitFailed,
    GitTimedOut,
    GitTooLarge,
    HostGit,
    Pushed,
    push,
    send_repository,
)
from orchestrator.courier.hostgit import clean

BRANCH = "openinspect/41-fix"


def traps(folder: Path) -> tuple[str, Path]:
    """A git configuration and hooks in which every known way to run a program is set; each of
    them leaves a file with its own name in the folder that is returned."""
    sprung = folder / "sprung"
    sprung.mkdir(parents=True)

    def trap(name: str) -> str:
        path = folder / f"trap-{name}"
        path.write_text(f"#!/bin/sh\ntouch '{sprung}/{name}'\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    hooks = folder / "hooks"
    hooks.mkdir()
    for name in (
        *("pre-commit", "post-checkout", "post-index-change", "reference-transaction"),
        *("pre-push", "post-rewrite", "pre-auto-gc", "fsmonitor-watchman", "post-merge"),
    ):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{sprung}/hook-{name}'\n")
        (hooks / name).chmod(0o755)
    (folder / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
    return (
        "[core]\n"
        f"\tfsmonitor = {trap('fsmonitor')}\n"
        f"\thooksPath = {hooks}\n"
        f"\tsshCommand = {trap('sshCommand')}\n"
        f"\tgitProxy = {trap('gitProxy')}\n"
        f"\tpager = {trap('pager')}\n"
        f"\teditor = {trap('editor')}\n"
        f"\taskPass = {trap('askPass')}\n"
        f"\talternateRefsCommand = {trap('alternateRefs')}\n"
        f"\tattributesFile = {folder / 'attributes'}\n"
        "[filter \"evil\"]\n"
        f"\tclean = {trap('clean')}\n\tsmudge = {trap('smudge')}\n\tprocess = {trap('process')}\n"
        "[diff]\n"
        f"\texternal = {trap('external')}\n"
        "[diff \"evil\"]\n"
        f"\ttextconv = {trap('textconv')}\n\tcommand = {trap('command')}\n"
        "[merge \"evil\"]\n"
        f"\tdriver = {trap('driver')}\n"
        "[credential]\n"
        f"\thelper = !{trap('credential')}\n"
        "[gpg]\n"
        f"\tprogram = {trap('gpg')}\n"
        "[commit]\n\tgpgSign = true\n[push]\n\tgpgSign = true\n"
        "[alias]\n"
        f"\tpush = !{trap('alias')}\n"
        "[uploadpack]\n"
        f"\tpackObjectsHook = {trap('packObjectsHook')}\n"
        "[protocol \"ext\"]\n\tallow = always\n"
        "[url \"ext::sh -c 'touch x' \"]\n\tinsteadOf = http://\n"
        "[remote]\n"
        f"\tuploadpack = {trap('uploadpack')}\n"
    ), sprung  # fmt: skip


async def test_the_traps_spring_where_git_is_used_as_usual(tmp_path):
    """So that the next test could fail."""
    config, sprung = traps(tmp_path / "traps")
    repo = tmp_path / "repo"
    await git(tmp_path, "init", "-q", str(repo))
    with (repo / ".git/config").open("a") as file:
        file.write(config)
    (repo / "a.txt").write_text("a\n")
    for arguments in (["add", "-A"], ["status"], ["commit", "-qm", "x"], ["fetch", "ssh://h/x"]):
        subprocess.run(
            ["git", "-C", str(repo), *arguments],
            env=ENV,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
    (repo / "a.txt").write_text("b\n")
    subprocess.run(
        ["git", "-C", str(repo), "diff"], env=ENV, capture_output=True, stdin=subprocess.DEVNULL
    )
    names = {path.name for path in sprung.iterdir()}
    assert {"fsmonitor", "process", "sshCommand"} <= names
    assert any(name.startswith("hook-") for name in names)


async def test_nothing_of_the_sandbox_or_the_machine_runs_on_the_host(yard, tmp_path, monkeypatch):
    config, sprung = traps(tmp_path / "traps")
    hostile = {
        ".gitattributes": "* filter=evil diff=evil merge=evil\n*.txt export-subst\n",
        ".gitconfig": config,
        ".lfsconfig": "[lfs]\n\turl = https://evil.test\n",
        ".mailmap": "Evil <evil@x> <1005+octocat@users.noreply.github.com>\n",
        "sub/.gitattributes": "* filter=evil\n",
        "hooks/pre-push": "#!/bin/sh\n",
        "a.txt": "a\n",
    }
    for path, text in hostile.items():
        await yard.write(path, text)
    head = await yard.commit("Traps")
    pack = await git_bytes(
        yard.work,
        *("pack-objects", "--revs", "--stdout", "-q", "--thin"),
        stdin=f"{head}\n^{yard.base}\n".encode(),
    )
    # The sandbox's own repository, the user's home, the system's variables: all are set.
    with (yard.work / ".git/config").open("a") as file:
        file.write(config)
    home = tmp_path / "home"
    (home / ".config/git").mkdir(parents=True)
    (home / ".gitconfig").write_text(config)
    (home / ".config/git/config").write_text(config)
    (home / ".config/git/attributes").write_text("* filter=evil diff=evil\n")
    (home / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    trap = str(tmp_path / "traps/trap-external")
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_SYSTEM": str(home / ".gitconfig"),
        "GIT_CONFIG_PARAMETERS": f"'core.sshCommand'='{trap}'",
        "GIT_EXTERNAL_DIFF": trap,
        "GIT_SSH_COMMAND": trap,
        "GIT_SSH": trap,
        "GIT_ASKPASS": trap,
        "SSH_ASKPASS": trap,
        "GIT_EDITOR": trap,
        "GIT_PAGER": trap,
        "GIT_PROXY_COMMAND": trap,
        "GIT_TEMPLATE_DIR": str(tmp_path / "traps"),
        "GIT_DIR": str(yard.work / ".git"),
        "GIT_WORK_TREE": str(yard.work),
        "GIT_INDEX_FILE": str(yard.work / ".git/index"),
        "GIT_EXEC_PATH": str(tmp_path / "traps"),
        "GIT_TRACE": str(sprung / "trace"),
        "PAGER": trap,
        "EDITOR": trap,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(yard.work)

    yard.sandbox.liar = says(head, pack)
    taken = await yard.taken(None)
    outcome = await push(yard.opens, taken, branch=BRANCH, expected=None, allowed=yard.allowed)
    assert outcome == Pushed(head=taken.head)
    await yard.mirror.fetch(yard.opens, branches=["main", BRANCH])
    assert await yard.mirror.file(taken.head, "a.txt") == b"a\n"
    _, chunks = await yard.mirror.pack_for(taken.head)
    assert b"".join([chunk async for chunk in chunks]).startswith(b"PACK")
    assert [path.name for path in sprung.iterdir()] == []


async def test_a_remote_that_is_not_http_is_not_spoken_to(tmp_path, yard):
    marker = tmp_path / "ran"

    class Evil:
        url = f"ext::sh -c touch% {marker}"
        header = yard.opens.header

    for url in (
        Evil.url,
        str(yard.remote),
        f"file://{yard.remote}",
        "ssh://h/x",
        "-x",
        "git://h/x",
    ):
        Evil.url = url
        with pytest.raises(GitFailed):
            await yard.mirror.fetch(Evil(), branches=["other"])
    assert not marker.exists()


async def test_the_credential_is_on_no_command_line_and_on_no_disk(yard):
    seen: list[bytes] = []

    async def look(request):
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    seen.append((entry / "cmdline").read_bytes())
                except OSError:
                    continue
        return

    yard.server.before = look
    await yard.upstream("s.txt", "s\n", branch="side")
    await yard.mirror.fetch(yard.opens, branches=["side"])
    basic = yard.opens.header.reveal().split(" ")[-1].encode()
    assert any(b"remote-http" in line for line in seen)
    assert not any(basic in line for line in seen)
    for path in yard.mirror.path.rglob("*"):
        if path.is_file():
            assert basic not in path.read_bytes()


async def test_git_that_takes_too_long_is_killed_with_all_it_started(yard):
    hang = asyncio.Event()

    async def wait(request):
        await hang.wait()
        return

    yard.server.before = wait
    with pytest.raises(GitTimedOut, match="ls-remote took longer"):
        await HostGit().run("ls-remote", yard.opens.url, remote=yard.opens, seconds=0.7)
    await nobody_talks_to(yard.server.url)
    hang.set()


async def test_cancelling_kills_it(yard):
    hang, asked = asyncio.Event(), asyncio.Event()

    async def wait(request):
        asked.set()
        await hang.wait()
        return

    yard.server.before = wait
    task = asyncio.create_task(yard.mirror.fetch(yard.opens, branches=["side"]))
    await asked.wait()
    assert talking_to(yard.server.url)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await nobody_talks_to(yard.server.url)
    hang.set()
    yard.server.before = None
    await yard.mirror.fetch(yard.opens, branches=["main"])


def talking_to(url: str) -> list[str]:
    """Processes that name the server on their command line, whoever their parent is now."""
    listing = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True).stdout
    return [row for row in listing.splitlines() if url in row and not row.startswith("Z")]


async def nobody_talks_to(url: str) -> None:
    for _ in range(200):
        if not talking_to(url):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(talking_to(url))


async def test_output_is_bounded(yard):
    with pytest.raises(GitTooLarge):
        await HostGit().run("help", "-a", most=100)


async def test_a_source_that_fails_is_not_taken_for_the_whole(yard):
    async def source():
        yield b"PACK"
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        await HostGit().run("index-pack", "--stdin", repository=yard.mirror.path, stdin=source())


async def test_the_limits_are_set_before_git_works(yard):
    async with HostGit().started("cat-file", "--batch", repository=yard.mirror.path) as running:
        pid = running._process.pid
        limits = Path(f"/proc/{pid}/limits").read_text()
    data = next(line for line in limits.splitlines() if line.startswith("Max data size"))
    assert str(2 << 30) in data


def test_words_are_cleaned(yard):
    header = yard.opens.header.reveal()
    said = (
        f"fatal: {header} https://user:pass@host/x\x1b[31m\n"
        f"remote: Authorization: Bearer other-token\n{header.split()[-1]}\n\n"
    ).encode()
    words = clean(said, yard.opens)
    assert "pass" not in words and "other-token" not in words and "\x1b" not in words
    assert header.split()[-1] not in words and "://***@host/x" in words


async def test_a_repository_that_does_not_arrive_is_said(yard, tmp_path):
    async def refuse(stream):
        while await stream.read():
            pass
        await stream.write(b'{"error": "no space left\\u001b[2J"}\n')

    yard.sandbox.liar = refuse
    with pytest.raises(Exception, match="did not arrive in the sandbox: no space left"):
        await send_repository(yard.sandbox, yard.mirror, branch=BRANCH, commit=yard.base)
