"""A snapshot is the workspace and HOME at one moment, and comes back exactly so."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from support.sandboxes import Boxes, names, needs_bwrap, until

from sandbox.provider import SandboxGone
from sandbox.providers import local_limits
from sandbox.providers.local_limits import Limits
from sandbox.providers.local_processes import process_state
from sandbox.providers.local_registry import Registry
from sandbox.spec import Checkout, SandboxId, SnapshotId

pytestmark = [pytest.mark.sandboxed, needs_bwrap]

PICTURE = """
cd /workspace
find . -path ./.git -prune -o -printf '%p %y %m %l %s\\n' | sort
find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
git status --porcelain=v2 | sort
python3 -c 'import os
for at, folders, files in sorted(os.walk("/home/agent")):
    for name in sorted(files):
        path = os.path.join(at, name)
        print(path, oct(os.lstat(path).st_mode), os.listxattr(path, follow_symlinks=False))'
"""


async def restored(boxes: Boxes, snapshot: SnapshotId, name: str = "again") -> SandboxId:
    launched = await boxes.provider.launch(boxes.spec(name, snapshot=snapshot))
    assert launched.restored and launched.workspace_present, launched.note
    return launched.id


async def kept(boxes: Boxes, sandbox: SandboxId) -> SandboxId:
    """Through a snapshot and back, in another sandbox."""
    snapshot = await boxes.provider.snapshot(sandbox)
    await boxes.provider.terminate(sandbox)
    return await restored(boxes, snapshot)


@pytest.fixture(params=["overlay", "copy"])
def either(boxes: Boxes, request: pytest.FixtureRequest) -> Boxes:
    """With overlayfs, and on machines without."""
    if request.param == "copy":
        boxes.options = replace(boxes.options, overlay=False)
        boxes.provider = boxes.another()
    return boxes


async def test_forty_edits_come_back(either: Boxes, checkout: Checkout) -> None:
    sandbox = await either.start(checkout=checkout)
    script = """
    set -e
    for i in $(seq 10); do echo $i > new$i; mkdir -p dir/$i; echo $i > dir/$i/file; done
    for i in $(seq 5); do ln -s ../new$i dir/link$i; ln new$i hard$i; done
    echo more >> src/one.py; rm src/two.py; chmod 755 run.sh; mv README.md READ.md
    git add -A dir; git -c user.name=T -c user.email=t@e.st commit -qm 'An edit'
    mkdir ~/.cache ~/.config; echo state > ~/.config/agent; chmod 600 ~/.config/agent
    touch -d 2001-02-03 new1; chmod 2750 dir/1
    """
    ran = await either.sh(sandbox, script)
    assert ran.ok, ran.err
    before = (await either.sh(sandbox, PICTURE)).out
    assert "READ.md" in before and ".config/agent 0o100600" in before
    assert (await either.sh(await kept(either, sandbox), PICTURE)).out == before


async def test_what_was_deleted_stays_deleted(either: Boxes, checkout: Checkout) -> None:
    """A directory that was deleted and made again is opaque: what was in it must not return."""
    sandbox = await either.start(checkout=checkout)
    await either.sh(
        sandbox, "rm -r docs src; mkdir -p docs/deep; echo new > docs/deep/new; rm run.sh"
    )
    again = await kept(either, sandbox)
    said = await either.sh(again, "find . -name .git -prune -o -type f -print | sort")
    assert said.out.split() == ["./README.md", "./docs/deep/new"]
    twice = await kept(either, again)
    said = await either.sh(twice, "find . -name .git -prune -o -type f -print | sort")
    assert said.out.split() == ["./README.md", "./docs/deep/new"]


async def test_extended_attributes_and_odd_modes_are_kept(boxes: Boxes, checkout: Checkout) -> None:
    sandbox = await boxes.start(checkout=checkout)
    program = (
        "import os\n"
        "open('/home/agent/x', 'w').close()\n"
        "os.setxattr('/home/agent/x', 'user.note', b'kept')\n"
        "os.mkdir('/home/agent/closed'); open('/home/agent/closed/in', 'w').write('inside')\n"
        "os.chmod('/home/agent/closed', 0)\n"
        "open('/home/agent/' + 'ö\\udcff\\n', 'w').close()\n"
        "os.mkfifo('/home/agent/pipe')\n"
    )
    assert (await boxes.python(sandbox, program)).ok
    again = await kept(boxes, sandbox)
    program = (
        "import os\n"
        "print(os.getxattr('/home/agent/x', 'user.note'))\n"
        "print(oct(os.stat('/home/agent/closed').st_mode))\n"
        "os.chmod('/home/agent/closed', 0o700); print(open('/home/agent/closed/in').read())\n"
        "print('ö\\udcff\\n' in os.listdir('/home/agent'))\n"
    )
    said = await boxes.python(again, program)
    assert said.out.splitlines() == ["b'kept'", "0o40000", "inside", "True"]


@pytest.mark.parametrize("frozen_by", ["control groups", "signals"])
async def test_a_database_in_use_is_not_torn(
    boxes: Boxes, checkout: Checkout, frozen_by: str
) -> None:
    if frozen_by == "signals":
        boxes.options = replace(boxes.options, limits=Limits(mode="rlimit"))
        boxes.provider = boxes.another()
    elif local_limits.detect().mode == "rlimit":
        pytest.skip("no control groups here")
    sandbox = await boxes.start(checkout=checkout)
    writer = """
import sqlite3
for path in ("/home/agent/db", "/workspace/db"):
    database = sqlite3.connect(path)
    database.execute("pragma journal_mode = wal")
    database.execute("create table if not exists t (a integer, b blob)")
one, two = sqlite3.connect("/home/agent/db"), sqlite3.connect("/workspace/db")
n = 0
while True:
    n += 1
    for database in (one, two):
        with database:
            database.execute("insert into t values (?, ?)", (n, b"x" * 3000))
            database.execute("insert into t values (?, ?)", (-n, b"y" * 3000))
"""
    await boxes.sh(sandbox, f"cat > ~/w.py <<'EOF'{writer}EOF\npython3 ~/w.py >/dev/null 2>&1 &")

    async def rows() -> int:
        said = await boxes.sh(sandbox, "stat -c %s ~/db-wal 2>/dev/null || echo 0")
        return int(said.out) > 200_000

    await until(rows)
    for _ in range(3):
        snapshot = await boxes.provider.snapshot(sandbox)
        again = await restored(boxes, snapshot)
        check = (
            "import sqlite3\n"
            "for path in ('/home/agent/db', '/workspace/db'):\n"
            "    d = sqlite3.connect(path)\n"
            "    print(*d.execute('pragma integrity_check').fetchone(),\n"
            "          *d.execute('select sum(a), count(*) > 10 from t').fetchone())\n"
            "one, two = (sqlite3.connect(p).execute('select max(a) from t').fetchone()[0]\n"
            "            for p in ('/home/agent/db', '/workspace/db'))\n"
            "print(0 <= one - two <= 1)\n"
        )
        said = await boxes.python(again, check)
        assert said.out == "ok 0 1\nok 0 1\nTrue\n", said
        await boxes.provider.terminate(again)
    assert (await boxes.sh(sandbox, "pgrep -f w.py")).ok  # it has gone on


async def test_a_snapshot_after_a_crash_thaws_what_was_frozen(
    boxes: Boxes, checkout: Checkout
) -> None:
    sandbox = await boxes.start(checkout=checkout)
    record = Registry(boxes.root).read(sandbox)
    assert record is not None and record.init is not None
    if not record.groups:
        pytest.skip("no control groups here")
    assert local_limits.freeze(record.groups)
    with pytest.raises(TimeoutError):
        await boxes.sh(sandbox, "echo awake", within=0.3)
    await boxes.another().sweep()
    assert (await boxes.sh(sandbox, "echo awake")).out == "awake\n"


async def test_a_frozen_sandbox_can_be_terminated(boxes: Boxes, checkout: Checkout) -> None:
    sandbox = await boxes.start(checkout=checkout)
    record = Registry(boxes.root).read(sandbox)
    assert record is not None and record.init is not None
    if record.groups:
        assert local_limits.freeze(record.groups)
    record.init.signal(signal.SIGSTOP)
    await boxes.provider.terminate(sandbox)
    assert process_state(record.init.pid) in "ZX"
    assert names(boxes.root / "sandboxes") == []


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "no manifest", "no lower"])
async def test_a_snapshot_that_cannot_be_restored_is_said_and_the_checkout_used(
    boxes: Boxes, checkout: Checkout, damage: str
) -> None:
    sandbox = await boxes.start(checkout=checkout)
    await boxes.sh(sandbox, "head -c 300000 /dev/urandom > noise")
    snapshot = await boxes.provider.snapshot(sandbox)
    await boxes.provider.terminate(sandbox)
    folder = boxes.root / "snapshots" / snapshot
    archive = folder / "layer.tar.zst"
    match damage:
        case "missing":
            await boxes.provider.delete_snapshot(snapshot)
            await boxes.provider.delete_snapshot(snapshot)
        case "truncated":
            os.truncate(archive, archive.stat().st_size // 2)
        case "flipped":
            content = bytearray(archive.read_bytes())
            content[len(content) // 2] ^= 0xFF
            archive.write_bytes(content)
        case "no manifest":
            (folder / "manifest.json").write_text("{")
        case "no lower":
            words = json.loads((folder / "manifest.json").read_text())
            (folder / "manifest.json").write_text(json.dumps(words | {"lower": "0" * 32}))
    spec = boxes.spec("again", snapshot=snapshot, checkout=checkout)
    launched = await boxes.provider.launch(spec)
    assert not launched.restored and launched.workspace_present
    assert "snapshot" in launched.note and "started afresh" in launched.note
    said = await boxes.sh(launched.id, "ls; git status -s")
    assert said.out.split() == ["README.md", "docs", "run.sh", "src"]
    assert names(boxes.root / "sandboxes") == [launched.id]


async def test_a_checkout_is_kept_while_a_snapshot_or_a_sandbox_stands_on_it(
    boxes: Boxes, checkout: Checkout
) -> None:
    boxes.options = replace(boxes.options, warm_kept=0)
    boxes.provider = boxes.another()
    sandbox = await boxes.start(checkout=checkout)
    await boxes.provider.sweep()
    snapshot = await boxes.provider.snapshot(sandbox)
    await boxes.provider.terminate(sandbox)
    await boxes.provider.sweep()
    assert len(names(boxes.root / "warm")) == 1
    again = await restored(boxes, snapshot)
    await boxes.provider.terminate(again)
    await boxes.provider.delete_snapshot(snapshot)
    await boxes.provider.sweep()
    assert names(boxes.root / "warm") == names(boxes.root / "trash") == []


async def test_a_dead_sandbox_has_no_snapshot(boxes: Boxes) -> None:
    sandbox = await boxes.start()
    await boxes.provider.terminate(sandbox)
    with pytest.raises(SandboxGone):
        await boxes.provider.snapshot(sandbox)
    assert names(boxes.root / "snapshots") == []


async def test_terminating_during_a_snapshot_wins(boxes: Boxes, checkout: Checkout) -> None:
    sandbox = await boxes.start(checkout=checkout)
    await boxes.sh(sandbox, "head -c 80M /dev/urandom > noise")
    taking = asyncio.create_task(boxes.provider.snapshot(sandbox))
    await until(lambda: names(boxes.root / "snapshots"))
    await boxes.provider.terminate(sandbox)
    with pytest.raises(SandboxGone):
        await taking
    assert names(boxes.root / "snapshots") == names(boxes.root / "sandboxes") == []


async def test_a_sparse_giant_costs_neither_time_nor_space(
    boxes: Boxes, checkout: Checkout
) -> None:
    sandbox = await boxes.start(checkout=checkout)
    await boxes.sh(sandbox, "for i in $(seq 20); do truncate -s 200M ~/hole$i; done")
    snapshot = await boxes.provider.snapshot(sandbox)
    archive: Path = boxes.root / "snapshots" / snapshot / "layer.tar.zst"
    assert archive.stat().st_size < 100_000
    again = await restored(boxes, snapshot)
    assert (
        await boxes.sh(again, "stat -c %s ~/hole20; du -sm ~ | cut -f1")
    ).out == "209715200\n1\n"


async def test_a_snapshot_of_two_weeks_ago_is_swept_away(boxes: Boxes, checkout: Checkout) -> None:
    sandbox = await boxes.start(checkout=checkout)
    fresh, old = [await boxes.provider.snapshot(sandbox) for _ in range(2)]
    await boxes.provider.terminate(sandbox)
    [folder] = [path for path in boxes.root.rglob(str(old)) if path.is_dir()]
    long_ago = folder.stat().st_mtime - 15 * 24 * 3600
    os.utime(folder, (long_ago, long_ago))
    await boxes.provider.sweep()
    assert not folder.exists()
    await restored(boxes, fresh)
