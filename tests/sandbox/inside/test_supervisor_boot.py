"""Boot: modes, scripts and their limits, HOME, and what fails it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.commands import Script
from sandbox.reports import AgentReady, Booted, BootFailed, ScriptFinished, Warned
from sandbox.supervisor.home import bundled_pip, give_pip

NOTE = 'echo "$0 $OPENINSPECT_BOOT_MODE" >> ran.log\n'
BOTH = {".openinspect/setup.sh": NOTE, ".openinspect/start.sh": NOTE}


async def boot(bench, files=None, *, until=Booted, change=lambda boot: boot, **more):
    commit = bench.make_repository(files)
    await bench.start()
    link = await bench.attach()
    await link.send(change(bench.boot(commit, **more)))
    return link, await bench.until_kind(link, until)


def ran(bench) -> list[str]:
    log = bench.workspace / "ran.log"
    return log.read_text().split() if log.exists() else []


@pytest.mark.parametrize(
    ("mode", "scripts"),
    [
        ("build", ["setup"]),
        ("fresh", ["setup", "start"]),
        ("repo_image", ["start"]),
        ("snapshot_restore", ["start"]),
    ],
)
async def test_which_scripts_run(bench, mode, scripts):
    link, booted = await boot(bench, BOTH, mode=mode)
    expected = [word for name in scripts for word in (f".openinspect/{name}.sh", mode)]
    assert ran(bench) == expected
    assert [report.name for report in bench.reports(ScriptFinished)] == scripts
    assert set(booted.seconds) == {"workspace", "total", *scripts}
    if mode != "build":
        await bench.until_kind(link, AgentReady)


async def test_missing_scripts_are_a_success(bench):
    await boot(bench)
    assert bench.reports(ScriptFinished) == bench.reports(Warned) == []


async def test_a_failing_setup_is_a_warning_when_fresh(bench):
    files = BOTH | {".openinspect/setup.sh": "echo out; echo err >&2; exit 4\n"}
    await boot(bench, files)
    (warned,) = bench.reports(Warned)
    assert warned.scope == "setup"
    assert warned.message == ".openinspect/setup.sh ended with exit code 4\nout\nerr"
    setup, start = bench.reports(ScriptFinished)
    assert (setup.exit_code, setup.tail, start.exit_code) == (4, "out\nerr", 0)


async def test_a_failing_setup_is_fatal_when_building(bench):
    _, failed = await boot(
        bench, {".openinspect/setup.sh": "exit 4\n"}, mode="build", until=BootFailed
    )
    assert (failed.step, failed.message) == (
        "setup",
        ".openinspect/setup.sh ended with exit code 4",
    )


@pytest.mark.parametrize("mode", ["fresh", "snapshot_restore"])
async def test_a_failing_start_is_fatal(bench, mode):
    link, failed = await boot(
        bench, {".openinspect/start.sh": "echo no port; exit 1"}, mode=mode, until=BootFailed
    )
    assert failed.step == "start"
    assert failed.message.endswith("exit code 1\nno port")
    await link.close()
    assert (await bench.attach()).hello.phase == "failed"


async def test_a_script_over_its_time_is_killed_with_all_it_started(bench):
    script = "sleep 1000 & echo $! > pids; echo $$ >> pids; echo waiting; wait"
    _, failed = await boot(
        bench,
        {".openinspect/start.sh": script},
        until=BootFailed,
        change=lambda b: replace(b, start=Script(path=b.start.path, timeout_seconds=0.5)),
    )
    (finished,) = bench.reports(ScriptFinished)
    assert (finished.exit_code, finished.tail) == (None, "waiting")
    assert "was stopped after 0 s" in failed.message or "after 1 s" in failed.message
    for pid in (bench.workspace / "pids").read_text().split():
        assert not Path(f"/proc/{pid}").exists() or "Z (zombie)" in (
            Path(f"/proc/{pid}/status").read_text()
        )


async def test_a_server_left_in_the_background_lives_and_does_not_hold_up_the_boot(bench):
    script = "(while :; do echo tick; sleep 0.05; done) & echo $! > server.pid\n"
    link, booted = await boot(bench, {".openinspect/start.sh": script})
    assert booted.seconds["start"] < 5
    await bench.until_kind(link, AgentReady)
    pid = int((bench.workspace / "server.pid").read_text())
    os.kill(pid, 0)


async def test_only_the_last_50_lines_are_kept(bench):
    script = "for i in $(seq 1 2000); do echo line $i; done; head -c 3000000 /dev/zero | tr '\\0' x"
    await boot(bench, {".openinspect/setup.sh": script})
    (finished,) = bench.reports(ScriptFinished)
    assert len(finished.tail.encode()) <= 8192
    assert finished.tail.endswith("x" * 1000)
    assert "line 1\n" not in finished.tail


async def test_home_is_a_developers_machine(bench):
    script = """
    set -e
    python -c 'import sys; print(sys.prefix)'
    command -v python pip npm-tool || true
    python -c 'import ssl, venv; print("stdlib")'
    pip --version
    echo $NPM_CONFIG_PREFIX
    touch ~/writable
    env | cut -d= -f1 | sort | tr '\\n' ' '
    """
    _, booted = await boot(bench, {".openinspect/setup.sh": script}, env={"GRANTED": "1"})
    (finished,) = bench.reports(ScriptFinished)
    assert finished.exit_code == 0, finished.tail
    lines = finished.tail.splitlines()
    place = bench.home / ".venv"
    assert lines[:3] == [str(place), f"{place}/bin/python", f"{place}/bin/pip"]
    assert f"{bench.home}/.npm-global" in lines
    names = set(lines[-1].split())
    assert "GRANTED" in names
    assert not any("TOKEN" in name or "KEY" in name or "VIRTUALENV" in name for name in names)
    assert booted.seconds["workspace"] < 5


WHEEL = """
import zipfile
with zipfile.ZipFile("tiny-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("tiny.py", "def main(): print('tiny works')")
    info = "tiny-1.0.dist-info/"
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\\ntiny = tiny:main\\n")
    wheel.writestr(info + "RECORD", "")
"""


async def test_installing_works_as_on_a_developers_machine(bench):
    files = {
        "wheel.py": WHEEL,
        "tool/package.json": '{"name":"tool","version":"1.0.0","bin":{"tool":"tool.sh"}}',
        "tool/tool.sh": "#!/bin/sh\necho tool works\n",
        ".openinspect/setup.sh": """
            set -e
            python wheel.py
            pip install --quiet --no-index --disable-pip-version-check tiny-1.0-py3-none-any.whl
            tiny
            chmod +x tool/tool.sh
            if command -v npm > /dev/null; then
              npm install --silent --no-fund --no-audit --offline --global ./tool; tool
            else echo tool works; fi
        """,
    }
    await boot(bench, files)
    (finished,) = bench.reports(ScriptFinished)
    assert finished.exit_code == 0, finished.tail
    assert finished.tail.splitlines()[-2:] == ["tiny works", "tool works"]


def test_pip_comes_from_the_bundled_wheel_where_none_is_installed(tmp_path):
    wheel = bundled_pip()
    if not wheel:
        pytest.skip("this Python bundles no pip")
    place = tmp_path / "venv"
    venv.EnvBuilder(symlinks=True, with_pip=False).create(place)
    give_pip(place, wheel)
    said = subprocess.run(
        [place / "bin" / "pip", "--version"], capture_output=True, text=True, check=True
    )
    assert str(place) in said.stdout


async def test_boot_is_taken_once(bench):
    commit = bench.make_repository(BOTH)
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit))
    await link.send(bench.boot(commit))
    await bench.until_kind(link, AgentReady)
    await link.close()
    link = await bench.attach()
    assert link.hello.phase == "ready"
    await link.send(bench.boot(commit))
    await bench.turn(link, 1, "say once")
    assert len(bench.reports(Booted)) == 1
    assert len(ran(bench)) == 4


async def test_the_branch_is_checked_out_and_work_of_a_snapshot_is_left_alone(bench, git):
    commit = bench.make_repository()
    (bench.workspace / "README.md").write_text("edited\n")
    (bench.workspace / ".git" / "index.lock").touch()
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit, mode="snapshot_restore", branch="other"))
    await bench.until_kind(link, Booted)
    assert git(bench.workspace, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert (bench.workspace / "README.md").read_text() == "edited\n"
    assert not (bench.workspace / ".git" / "index.lock").exists()


async def test_a_fresh_boot_is_on_its_branch(bench, git):
    await boot(bench, branch="openinspect/7-fix")
    assert git(bench.workspace, "symbolic-ref", "HEAD") == "refs/heads/openinspect/7-fix"
    assert git(bench.workspace, "status", "--porcelain") == ""


async def test_a_commit_that_is_not_there_fails_the_boot(bench):
    _, failed = await boot(bench, until=BootFailed, change=lambda b: replace(b, commit="ab" * 20))
    assert failed.step == "workspace"


async def test_a_commit_that_is_no_commit_fails_the_boot(bench):
    _, failed = await boot(bench, until=BootFailed, change=lambda b: replace(b, commit="--help"))
    assert (failed.step, failed.message) == ("workspace", "not an object id")


async def test_the_agent_starts_while_scripts_run(bench):
    """The agent's spawn is seen before the script that waits for it has ended."""
    script = "for i in $(seq 200); do [ -e ~/.obliging ] && exit 0; sleep 0.05; done; exit 9"
    link, _ = await boot(bench, {".openinspect/setup.sh": script})
    assert [report.exit_code for report in bench.reports(ScriptFinished)] == [0]
    await bench.until_kind(link, AgentReady)


async def test_the_venv_is_cheap(bench):
    began = time.monotonic()
    _, booted = await boot(bench)
    assert booted.seconds["total"] < 3
    assert time.monotonic() - began < 10
    assert (bench.home / ".venv" / "bin" / "python").exists()


async def test_a_pack_becomes_the_workspace(bench, git, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "-q")
    for number in range(3):
        (source / "a.txt").write_text(f"{number}\n")
        git(source, "add", "-A")
        git(source, "commit", "-qm", f"commit {number}")
    head = git(source, "rev-parse", "HEAD")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--bare", "--depth", "2", f"file://{source}", str(clone))
    shallow = (clone / "shallow").read_text().split()
    (pack,) = clone.glob("objects/pack/*.pack")

    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(head, pack_follows=True))
    stream = await link.open(
        "repository",
        {"branch": "openinspect/1", "commit": head, "shallow": shallow, "url": None},
    )
    await stream.write(pack.read_bytes())
    await stream.close()
    assert await stream.read() == b'{"ok":true}\n'
    booted = await bench.until_kind(link, Booted)
    assert booted.head == head
    assert (bench.workspace / "a.txt").read_text() == "2\n"
    assert git(bench.workspace, "log", "--format=%s").split("\n") == ["commit 2", "commit 1"]
    assert git(bench.workspace, "symbolic-ref", "HEAD") == "refs/heads/openinspect/1"


async def test_a_pack_that_is_broken_is_refused_in_words(bench):
    await bench.start()
    link = await bench.attach()
    meta = {"branch": "b", "commit": "ab" * 20, "shallow": [], "url": None}
    for change, words in (
        ({}, b"index-pack"),
        ({"commit": "HEAD"}, b"not an object id"),
        ({"shallow": ["x"]}, b"not an object id"),
    ):
        stream = await link.open("repository", {**meta, **change})
        await stream.write(b"PACK nonsense" * 10_000)
        await stream.close()
        answer = await stream.read()
        assert answer.startswith(b'{"error":')
        assert words in answer


async def test_attach_while_booting_shows_the_phase(bench):
    commit = bench.make_repository(
        {".openinspect/setup.sh": "while [ ! -e go ]; do sleep 0.02; done"}
    )
    await bench.start()
    link = await bench.attach()
    await link.send(bench.boot(commit))
    await link.ping()
    await link.close()
    link = await bench.attach()
    assert link.hello.phase == "booting"
    (bench.workspace / "go").touch()
    await bench.until_kind(link, Booted)
    await asyncio.wait_for(bench.until_kind(link, AgentReady), 20)
