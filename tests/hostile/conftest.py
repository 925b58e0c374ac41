from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support.cell import CANARY, Cell, listening
from support.sandbox_fixtures import boxes, checkout, listener
from support.sandboxes import REAL_SUPERVISOR, Boxes

from sandbox.providers.local_keeper import Keeper, Options
from sandbox.spec import Checkout, Program, Resources, SandboxId, SandboxSpec
from sandbox.zipapp import build_supervisor

__all__ = ["boxes", "checkout", "listener"]

_HOLDER = """
import sys, time
secret = "obviously-fake-" + "canary-" + sys.argv[1]
print("ready", flush=True)
time.sleep(1000)
"""


def _addresses() -> list[str]:
    """This machine's own addresses, other than loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return ["192.0.2.1"]
        return [probe.getsockname()[0], "192.0.2.1"]


@pytest.fixture(scope="session")
def cell(
    tmp_path_factory: pytest.TempPathFactory, listener: Path, checkout: Checkout
) -> Iterator[Cell]:
    """One sandbox for all attempts that do not end it, with a neighbour, and bait all around."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is missing")
    folder = tmp_path_factory.mktemp("cell")
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    bait = [home / name for name in (".netrc", ".git-credentials", ".config", "id_ed25519")]
    token = secrets.token_hex(16)
    bait += [Path(f"/tmp/openinspect-{token}"), Path(f"/dev/shm/openinspect-{token}")]
    for path in bait:
        path.write_text(f"machine example.com password {CANARY}{token}\n")
        path.chmod(0o644)
    with pytest.MonkeyPatch.context() as patch, listening(folder) as sink:
        patch.setenv("HOME", str(home))
        for name in ("GITHUB_TOKEN", "ANTHROPIC_API_KEY", "OPENINSPECT_APP_KEY"):
            patch.setenv(name, CANARY + token)
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, token], stdout=subprocess.PIPE, env=dict(os.environ)
        )
        assert holder.stdout is not None and holder.stdout.readline() == b"ready\n"
        keeper = Keeper.open(folder / "sandboxes", None, Options(supervisor=listener))
        real = build_supervisor(folder / "supervisor")
        programs = (Program(source=real, target=REAL_SUPERVISOR),)

        def start(name: str) -> SandboxId:
            resources = Resources(memory_mib=512, disk_mib=512, processes=128)
            return keeper.launch(
                SandboxSpec(
                    name=name, tags={}, checkout=checkout, resources=resources, programs=programs
                )
            ).id

        sandbox, neighbour = start("hostile"), start("neighbour")
        facts = {
            "real": REAL_SUPERVISOR,
            "root": str(folder),
            "home": str(home),
            "bait": [str(path) for path in bait],
            "addresses": _addresses(),
            "port": sink.port,
            "abstract": sink.abstract,
            "named": str(sink.path),
            "host_pid": os.getpid(),
            "holder_pid": holder.pid,
            "mirror": str(checkout.mirror),
            "neighbour": neighbour,
            "sandbox": sandbox,
        }
        yield Cell(
            keeper=keeper,
            root=folder / "sandboxes",
            sandbox=sandbox,
            neighbour=neighbour,
            sink=sink,
            facts=facts,
        )
        for each in (sandbox, neighbour):
            keeper.terminate(each)
        holder.kill()
        holder.wait()
        holder.stdout.close()
        for path in bait:
            path.unlink()


@pytest.fixture
async def hosts(boxes: Boxes, tmp_path: Path) -> AsyncIterator[Boxes]:
    """Sandboxes with the real supervisor, and the listener as its child."""
    real = build_supervisor(tmp_path / "supervisor")
    boxes.programs = (Program(source=real, target=REAL_SUPERVISOR),)
    yield boxes
