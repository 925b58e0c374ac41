"""Ctrl-C at any time: the demo ends, and leaves no process, no mount and no file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.agent


def sandbox_processes(root: Path) -> set[int]:
    """Process ids that the demo's sandboxes have on this machine, as their records say."""
    found: set[int] = set()
    for record in root.glob("openinspect-demo-*/server/sandboxes/sandboxes/*/record.json"):
        try:
            told = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        found |= {told[who]["pid"] for who in ("init", "monitor") if told.get(who)}
    return found


def said(log: Path) -> str:
    return log.read_text(encoding="utf-8")


MOMENTS: dict[str, Callable[[Path, Path], bool]] = {
    "at once": lambda log, root: True,
    "when it listens": lambda log, root: "is at http" in said(log),
    "when the sandbox starts": lambda log, root: bool(sandbox_processes(root)),
    "when the agent works": lambda log, root: "Working" in said(log),
    "when it pushes": lambda log, root: "pull request" in said(log),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_an_interrupted_demo_leaves_nothing(moment: str, tmp_path: Path) -> None:
    root = tmp_path / "tmp"
    root.mkdir()
    root.chmod(0o755)
    log = tmp_path / "log"
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    with log.open("wb") as out:
        demo = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "bot", "demo"),
            env={"PATH": os.environ["PATH"], "TMPDIR": str(root), "HOME": str(tmp_path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    seen: set[int] = set()
    try:
        async with asyncio.timeout(90):
            while not MOMENTS[moment](log, root) and demo.returncode is None:
                await asyncio.sleep(0.02)
        assert demo.returncode is None, said(log)
        seen = sandbox_processes(root)
        demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(40):
            await demo.wait()
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()
    assert demo.returncode in (130, -signal.SIGINT), said(log)
    assert list(root.iterdir()) == []
    assert not [pid for pid in seen if Path(f"/proc/{pid}/root/workspace").exists()]
    assert str(root) not in Path("/proc/self/mounts").read_text(encoding="utf-8")
    assert str(root) not in mounts
    assert "Traceback" not in said(log) or moment == "at once"
