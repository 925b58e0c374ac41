"""Limits hold from outside: whatever the sandbox takes, the machine and the others go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.sandboxes import Boxes, needs_bwrap, until

from sandbox.provider import SandboxGone
from sandbox.providers import local_limits
from sandbox.providers.local_limits import Limits
from sandbox.providers.local_processes import family
from sandbox.providers.local_registry import Registry
from sandbox.spec import Resources, SandboxId

SMALL = Resources(memory_mib=128, disk_mib=48, processes=40, cpu=1.0)


@pytest.fixture(params=["control groups", "rlimits"])
def held(boxes: Boxes, request: pytest.FixtureRequest) -> Boxes:
    """The provider with what this machine has, and with nothing but rlimits and the watchdog."""
    if request.param == "rlimits":
        boxes.options = replace(boxes.options, limits=Limits(mode="rlimit"))
        boxes.provider = boxes.another()
    elif local_limits.detect().mode == "rlimit":
        pytest.skip("no control groups here")
    return boxes


def ended(boxes: Boxes, sandbox: SandboxId, why: str) -> Callable[[], bool]:
    def look() -> bool:
        record = Registry(boxes.root).read(sandbox)
        return record is not None and record.state == "ended" and why in record.reason

    return look


@pytest.mark.sandboxed
@needs_bwrap
async def test_a_fork_bomb_stays_inside(held: Boxes) -> None:
    bomb = await held.start("bomb", resources=SMALL)
    other = await held.start("other", resources=SMALL)
    await held.sh(bomb, "(f() { f | f & }; f) >/dev/null 2>&1 </dev/null &")
    record = Registry(held.root).read(bomb)
    assert record is not None and record.init is not None
    init = record.init
    await until(lambda: len(family(init)) > SMALL.processes // 2)
    counted = [len(family(init)) for _ in range(20)]
    assert max(counted) <= SMALL.processes
    assert (await held.sh(await held.start("later", resources=SMALL), "echo fine")).ok
    assert (await held.sh(other, "echo fine")).out == "fine\n"
    await held.provider.terminate(bomb)
    assert bomb not in [info.id for info in await held.provider.list({})]


@pytest.mark.sandboxed
@needs_bwrap
async def test_a_memory_hog_is_ended_and_others_are_not(held: Boxes) -> None:
    hog = await held.start("hog", resources=SMALL)
    other = await held.start("other", resources=SMALL)
    said = await held.python(hog, "import time\nx = b'x' * (600 << 20)\ntime.sleep(1000)")
    assert not said.ok
    assert (await held.sh(other, "echo fine")).out == "fine\n"


@pytest.mark.sandboxed
@needs_bwrap
async def test_shared_memory_has_an_end(held: Boxes) -> None:
    sandbox = await held.start(resources=SMALL)
    said = await held.sh(sandbox, "for i in 1 2 3; do head -c 40M /dev/zero > /dev/shm/$i; done")
    assert "No space" in said.err


@pytest.mark.sandboxed
@needs_bwrap
@pytest.mark.parametrize("place", ["/workspace", "/home/agent", "/tmp", "/run/openinspect"])
async def test_a_disk_filler_is_ended_with_the_reason(boxes: Boxes, place: str) -> None:
    sandbox = await boxes.start(resources=SMALL)
    await boxes.sh(sandbox, f"for i in 1 2 3; do head -c 20M /dev/zero > {place}/$i; done")
    await until(ended(boxes, sandbox, "MiB of disk, 48 allowed"))
    with pytest.raises(SandboxGone, match="48 allowed"):
        await boxes.provider.attach(sandbox, epoch=1, after=0, handlers={})
    await until(lambda: "sandbox_ended" in [event for event, _ in boxes.log.lines])


@pytest.mark.sandboxed
@needs_bwrap
async def test_one_file_cannot_be_larger_than_the_disk(boxes: Boxes) -> None:
    sandbox = await boxes.start(resources=SMALL)
    assert not (await boxes.sh(sandbox, "exec truncate -s 49M big")).ok
    assert (await boxes.sh(sandbox, "exec truncate -s 47M big")).ok


@pytest.mark.sandboxed
@needs_bwrap
async def test_what_is_hidden_is_measured_too(boxes: Boxes) -> None:
    sandbox = await boxes.start(resources=SMALL)
    script = "mkdir h; for i in 1 2 3; do head -c 20M /dev/zero > h/$i; done; chmod 000 h"
    await boxes.sh(sandbox, script)
    await until(ended(boxes, sandbox, "MiB of disk"))


@pytest.mark.sandboxed
@needs_bwrap
async def test_deep_nesting_is_measured_too(boxes: Boxes) -> None:
    sandbox = await boxes.start(resources=SMALL)
    program = "import os\nfor i in range(300):\n    os.mkdir('d'); os.chdir('d')\n"
    await boxes.python(sandbox, program + "open('x', 'wb').write(b'x' * (47 << 20))")
    await boxes.sh(sandbox, "head -c 10M /dev/zero > more")
    await until(ended(boxes, sandbox, "MiB of disk"))


@pytest.mark.sandboxed
@needs_bwrap
async def test_inodes_cannot_be_used_up(boxes: Boxes) -> None:
    sandbox = await boxes.start(resources=replace(SMALL, disk_mib=40))
    await boxes.python(sandbox, "for i in range(3000): open(f'{i}', 'w').close()")
    await until(ended(boxes, sandbox, "2560 allowed"))


@pytest.mark.sandboxed
@needs_bwrap
async def test_a_lifetime_ends(boxes: Boxes) -> None:
    sandbox = await boxes.start(resources=replace(SMALL, lifetime_seconds=0.5))
    await until(ended(boxes, sandbox, "lifetime of 0.5 s"))
    assert await boxes.provider.list({}) == []
    assert boxes.home(sandbox).exists()
    await boxes.provider.terminate(sandbox)
    assert not boxes.home(sandbox).exists()


@pytest.mark.sandboxed
@needs_bwrap
async def test_limits_hold_from_the_first_process_on(boxes: Boxes) -> None:
    sandbox = await boxes.start(resources=SMALL)
    record = Registry(boxes.root).read(sandbox)
    assert record is not None and record.init is not None and record.monitor is not None
    if not record.groups:
        pytest.skip("no control groups here")
    assert {record.init.pid, record.monitor.pid} <= local_limits.members(record.groups)


def v2_tree(root: Path, *, inner_processes: bool) -> Path:
    """A control group tree as systemd hands it to a user, made of plain files."""
    service = root / "sys/fs/cgroup/user.slice/user@1000.service"
    scope = service / "app.slice/run-1.scope"
    scope.mkdir(parents=True)
    for group in (service, service / "app.slice", scope):
        (group / "cgroup.controllers").write_text("cpu memory pids")
        (group / "cgroup.subtree_control").write_text("")
        (group / "cgroup.procs").write_text("")
    if inner_processes:  # a group with processes may not hand controllers down
        (scope / "cgroup.subtree_control").unlink()
        (scope / "cgroup.subtree_control").mkdir()
    return scope


@pytest.mark.parametrize("inner", [True, False])
def test_delegated_control_groups_v2_are_used(tmp_path: Path, inner: bool) -> None:
    scope = v2_tree(tmp_path, inner_processes=inner)
    parent = (scope.parent if inner else scope) / "openinspect"
    parent.mkdir()
    (parent / "cgroup.controllers").write_text("cpu memory pids")
    found = local_limits.detect(
        cgroup_text="0::/user.slice/user@1000.service/app.slice/run-1.scope\n",
        mountinfo_text="30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
        root=tmp_path,
    )
    assert found == Limits(mode="v2", parents=(parent,))
    assert (parent / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    group = parent / "local-1"
    group.mkdir()
    for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.max"):
        (group / name).write_text("max")
    assert found.make("local-1", Resources(cpu=1.5, memory_mib=64, processes=9)) == (group,)
    assert (group / "memory.max").read_text() == str(64 << 20)
    assert (group / "memory.swap.max").read_text() == "0"
    assert (group / "pids.max").read_text() == "9"
    assert (group / "cpu.max").read_text() == "150000 100000"


def test_without_writable_groups_it_is_rlimits_and_that_is_said(tmp_path: Path) -> None:
    found = local_limits.detect(
        cgroup_text="0::/docker/abc\n",
        mountinfo_text="30 20 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
        root=tmp_path,
    )
    assert found == Limits(mode="rlimit")
    assert "watchdog" in found.said
