"""Starting, finding again, ending: a sandbox is one, and leaves nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from support.sandboxes import (
    Boxes,
    in_pid_namespace,
    mounts,
    names,
    needs_bwrap,
    processes_of,
    until,
)

from sandbox.provider import LaunchRefused, SandboxGone
from sandbox.providers.local_limits import Limits
from sandbox.providers.local_registry import Registry
from sandbox.spec import Checkout, Program, SandboxId

pytestmark = [pytest.mark.sandboxed, needs_bwrap]


async def test_the_workspace_is_the_commit(boxes: Boxes, checkout: Checkout) -> None:
    launched = await boxes.provider.launch(boxes.spec(checkout=checkout))
    assert launched.workspace_present and not launched.restored
    said = await boxes.sh(launched.id, "pwd; cat src/one.py; git rev-parse HEAD; git status -s")
    assert said.out.splitlines() == ["/workspace", "ONE = 1", checkout.commit]


async def test_what_one_sandbox_writes_another_does_not_see(
    boxes: Boxes, checkout: Checkout
) -> None:
    one = await boxes.start("one", checkout=checkout)
    two = await boxes.start("two", checkout=checkout)
    assert (await boxes.sh(one, "echo ONE = 2 >> src/one.py; rm -r docs; echo x > ~/x")).ok
    said = await boxes.sh(two, "git status -s; cat src/one.py; ls docs/deep/er; ls -A ~")
    assert said.out.splitlines() == ["ONE = 1", "page.md"]


async def test_without_a_checkout_the_workspace_is_empty(boxes: Boxes) -> None:
    launched = await boxes.provider.launch(boxes.spec())
    assert not launched.workspace_present
    assert (await boxes.sh(launched.id, "ls -A; touch here")).out == ""


async def test_nothing_of_our_environment_is_inside(
    boxes: Boxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "obviously-fake-token")
    sandbox = await boxes.start()
    said = await boxes.sh(sandbox, "env; cat /proc/*/environ")
    assert "HOME=/home/agent" in said.out
    assert "obviously-fake" not in said.out
    assert str(Path.home()) not in said.out


async def test_programs_are_shown_read_only(boxes: Boxes, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "tool").mkdir(parents=True)
    (closed / "tool" / "hello").write_text("#!/bin/sh\necho hello\n")
    (closed / "tool" / "hello").chmod(0o755)
    closed.chmod(0o700)
    boxes.programs = (Program(source=closed / "tool", target="/opt/tool"),)
    sandbox = await boxes.start()
    assert (await boxes.sh(sandbox, "/opt/tool/hello")).out == "hello\n"
    assert not (await boxes.sh(sandbox, "echo >> /opt/tool/hello")).ok
    assert (await boxes.sh(sandbox, "grep ' /opt/tool ro,' /proc/self/mountinfo")).ok


@pytest.mark.parametrize("target", ["/usr/bin", "/opt/../etc", "relative", "/proc/1"])
async def test_programs_cannot_cover_the_system(boxes: Boxes, tmp_path: Path, target: str) -> None:
    boxes.programs = (Program(source=tmp_path, target=target),)
    with pytest.raises(LaunchRefused):
        await boxes.start()


async def test_terminate_leaves_nothing_and_may_be_repeated(
    boxes: Boxes, checkout: Checkout
) -> None:
    before = mounts()
    sandbox = await boxes.start(checkout=checkout)
    namespace = (await boxes.sh(sandbox, "readlink /proc/self/ns/pid")).out.strip()
    script = """
        setsid sleep 1000 >/dev/null 2>&1 & nohup sleep 1000 >/dev/null 2>&1 &
        mkdir -p closed/deep; touch closed/deep/x; chmod 000 closed/deep closed
        python3 -c 'import os
for i in range(3000):
    os.mkdir("d"); os.chdir("d")'
    """
    assert (await boxes.sh(sandbox, script)).ok
    assert len(in_pid_namespace(namespace)) >= 3
    record = Registry(boxes.root).read(sandbox)
    assert record is not None
    await boxes.provider.terminate(sandbox)
    assert in_pid_namespace(namespace) == []
    assert processes_of(sandbox) == []
    assert mounts() == before
    assert not any(group.exists() for group in record.groups)
    assert names(boxes.root / "sandboxes") == names(boxes.root / "trash") == []
    await boxes.provider.terminate(sandbox)
    await boxes.provider.terminate(SandboxId("local-never"))
    await boxes.provider.terminate(SandboxId("../locks"))
    assert (boxes.root / "locks").exists()


async def test_a_name_is_launched_once_however_often_it_is_asked_for(
    boxes: Boxes, checkout: Checkout
) -> None:
    other = boxes.another()
    spec = boxes.spec(checkout=checkout)
    launches = [each.launch(spec) for each in (boxes.provider, other) for _ in range(4)]
    found = await asyncio.gather(*launches)
    assert len({launched.id for launched in found}) == 1
    assert len(await boxes.provider.list({})) == 1
    assert await boxes.another().launch(spec) == found[0]


async def test_a_dead_sandbox_is_gone_from_the_list_and_its_name_is_free(boxes: Boxes) -> None:
    sandbox = await boxes.start()
    record = Registry(boxes.root).read(sandbox)
    assert record is not None and record.init is not None
    os.kill(record.init.pid, signal.SIGKILL)
    await until(lambda: not record.live)
    assert await boxes.provider.list({}) == []
    with pytest.raises(SandboxGone):
        await boxes.provider.attach(sandbox, epoch=1, after=0, handlers={})
    assert await boxes.start() != sandbox
    assert not boxes.home(sandbox).exists()


async def test_another_process_with_the_same_id_is_not_our_sandbox(boxes: Boxes) -> None:
    sandbox = await boxes.start()
    namespace = (await boxes.sh(sandbox, "readlink /proc/self/ns/pid")).out.strip()
    file = boxes.home(sandbox) / "record.json"
    words = json.loads(file.read_text())
    real = dict(words["init"])
    words["init"] = {"pid": os.getpid(), "started": 12345, "boot": real["boot"]}
    file.write_text(json.dumps(words))
    assert await boxes.provider.list({}) == []
    await boxes.provider.terminate(sandbox)  # and we are still here
    assert processes_of(sandbox) == in_pid_namespace(namespace) == []


@pytest.mark.parametrize("groups", [True, False], ids=["control groups", "no control groups"])
async def test_a_crash_between_start_and_record_leaves_no_orphan(
    boxes: Boxes, groups: bool
) -> None:
    if not groups:
        boxes.options = replace(boxes.options, limits=Limits(mode="rlimit"))
    before = boxes.another()
    spec = boxes.spec()
    sandbox = (await before.launch(spec)).id
    namespace = (await boxes.sh(sandbox, "readlink /proc/self/ns/pid")).out.strip()
    file = boxes.home(sandbox) / "record.json"
    words = json.loads(file.read_text())
    words |= {"state": "starting", "init": None, "monitor": None}
    file.write_text(json.dumps(words))
    assert processes_of(sandbox)
    after = boxes.another()
    again = await after.launch(spec)
    assert again.id != sandbox
    assert processes_of(sandbox) == in_pid_namespace(namespace) == []
    assert [info.id for info in await after.list({})] == [again.id]


async def test_sweep_removes_what_the_dead_left_and_nothing_else(
    boxes: Boxes, checkout: Checkout
) -> None:
    kept = await boxes.start("kept", checkout=checkout)
    dead = await boxes.start("dead", checkout=checkout)
    record = Registry(boxes.root).read(dead)
    assert record is not None and record.init is not None
    os.kill(record.init.pid, signal.SIGKILL)
    await until(lambda: not record.live)
    (boxes.root / "trash" / "left.over").mkdir()
    (boxes.root / "snapshots" / ".snap-half").mkdir()
    (boxes.root / "sandboxes" / "local-unregistered").mkdir()
    await boxes.another().sweep()
    assert names(boxes.root / "sandboxes") == [kept]
    assert names(boxes.root / "trash") == names(boxes.root / "snapshots") == []
    assert (await boxes.sh(kept, "cat src/one.py")).ok


async def test_launches_are_refused_below_the_floor_of_free_disk(boxes: Boxes) -> None:
    full = boxes.another(options=replace(boxes.options, free_floor_mib=1 << 40))
    with pytest.raises(LaunchRefused, match="MiB of disk are free"):
        await full.launch(boxes.spec())
    assert ["MiB free" in each.what for each in await full.preflight() if each.fatal] == [True]
    assert names(boxes.root / "sandboxes") == []


async def test_a_supervisor_that_cannot_start_is_said_and_leaves_nothing(
    boxes: Boxes, tmp_path: Path
) -> None:
    broken = boxes.another(options=replace(boxes.options, supervisor=tmp_path / "missing.pyz"))
    with pytest.raises(Exception, match="did not start"):
        await broken.launch(boxes.spec())
    assert names(boxes.root / "sandboxes") == []


async def test_this_machine_has_no_problems(boxes: Boxes) -> None:
    assert [problem for problem in await boxes.provider.preflight() if problem.fatal] == []
