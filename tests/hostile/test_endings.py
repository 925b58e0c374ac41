"""A hostile agent uses up what there is, or ends what it can: it ends its own sandbox at most."""

from __future__ import annotations

import asyncio
import signal
import zipapp
from dataclasses import replace
from pathlib import Path

import pytest
from support.attached import attach, drained
from support.sandboxes import Boxes, in_pid_namespace, names, needs_bwrap, until

from sandbox.provider import SandboxGone
from sandbox.providers.local_registry import Registry
from sandbox.spec import Checkout, Resources

pytestmark = [pytest.mark.sandboxed, needs_bwrap]


@pytest.mark.parametrize("name", ["KILL", "STOP", "SEGV", "TERM -1; kill -KILL", "ABRT"])
async def test_an_agent_cannot_kill_or_stop_the_supervisor(hosts: Boxes, name: str) -> None:
    """It is pid 1 of its namespace: the kernel drops what it has no handler for (kill(2))."""
    sandbox = await hosts.start()
    link = await attach(hosts, sandbox)
    command = f"kill -{name} 1; true"
    await hosts.sh(sandbox, f"(sleep 0.1; {command}) </dev/null >&/dev/null & sleep 0.3")
    async with asyncio.timeout(10):
        await link.ping()
    await link.close()


@pytest.mark.parametrize("how", ["killed", "told to end"])
async def test_the_death_of_the_supervisor_is_noticed_within_15_seconds(
    hosts: Boxes, how: str
) -> None:
    """Whatever the agent leaves running goes with it."""
    sandbox = await hosts.start()
    link = await attach(hosts, sandbox)
    namespace = (await hosts.sh(sandbox, "readlink /proc/self/ns/pid")).out.strip()
    await hosts.sh(sandbox, "setsid sleep 1000 </dev/null >&/dev/null &")
    record = Registry(hosts.root).read(sandbox)
    assert record is not None and record.init is not None
    record.init.signal(signal.SIGKILL if how == "killed" else signal.SIGTERM)
    async with asyncio.timeout(15):
        with pytest.raises(SandboxGone):
            await drained(link)

        async def unlisted() -> bool:
            return await hosts.provider.list({}) == []

        await until(unlisted)
    with pytest.raises(SandboxGone):
        await attach(hosts, sandbox, 2)
    assert in_pid_namespace(namespace) == []


async def test_a_supervisor_that_has_stopped_can_be_ended(
    hosts: Boxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = await hosts.start()
    await (await attach(hosts, sandbox)).close()
    monkeypatch.setattr("sandbox.link.ATTACH_SECONDS", 1.0)
    record = Registry(hosts.root).read(sandbox)
    assert record is not None and record.init is not None
    record.init.signal(signal.SIGSTOP)
    with pytest.raises(SandboxGone):
        await attach(hosts, sandbox, 2)
    await hosts.provider.terminate(sandbox)
    assert names(hosts.root / "sandboxes") == []


async def test_a_hundred_thousand_files_are_no_burden(hosts: Boxes, checkout: Checkout) -> None:
    resources = Resources(memory_mib=1024, disk_mib=4096, processes=128)
    sandbox = await hosts.start(checkout=checkout, resources=resources)
    program = """
import os
for folder in range(100):
    os.mkdir(f"/workspace/{folder}")
    open(f"/workspace/{folder}/0", "w").close()
    for number in range(1, 1000):
        os.link(f"/workspace/{folder}/0", f"/workspace/{folder}/{number}")
"""
    assert (await hosts.python(sandbox, program, within=60)).ok
    async with asyncio.timeout(60):
        await (await attach(hosts, sandbox)).close()
        snapshot = await hosts.provider.snapshot(sandbox)
        assert [info.id for info in await hosts.provider.list({})] == [sandbox]
        await hosts.provider.terminate(sandbox)
    again = await hosts.provider.launch(hosts.spec("again", snapshot=snapshot, resources=resources))
    assert again.restored
    assert (await hosts.sh(again.id, "ls 99 | wc -l")).out.strip() == "1000"


async def test_words_without_end_do_not_fill_the_disk(hosts: Boxes, tmp_path: Path) -> None:
    """A supervisor that is none and prints for ever: its output is a file of the host."""
    source = tmp_path / "printer"
    source.mkdir()
    (source / "__main__.py").write_text("while True: print('x' * 65536)")
    zipapp.create_archive(source, tmp_path / "printer.pyz")
    printing = replace(hosts.options, supervisor=tmp_path / "printer.pyz")
    provider = hosts.another(options=printing)
    resources = Resources(memory_mib=512, disk_mib=32, processes=128)
    launched = await provider.launch(hosts.spec(resources=resources))

    async def ended() -> bool:
        return await provider.list({}) == []

    await until(ended)
    assert (hosts.home(launched.id) / "log").stat().st_size <= 32 << 20
