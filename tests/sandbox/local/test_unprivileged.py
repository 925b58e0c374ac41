"""The same for somebody who is not root: the contract, run again as another user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.sandboxes import needs_bwrap

pytestmark = [pytest.mark.sandboxed, needs_bwrap]

HERE = Path(__file__).parents[3]
SYSTEM_PYTHON = "/usr/bin/python3"
UID = 60871


def as_somebody(*command: str) -> list[str]:
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *command]


@pytest.mark.skipif(os.geteuid() != 0, reason="this is already such a user")
def test_the_contract_holds_without_root(tmp_path_factory: pytest.TempPathFactory) -> None:
    packages = [path for path in sys.path if path.endswith("site-packages")]
    env = {
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE), *packages]),
    }
    probe = as_somebody(SYSTEM_PYTHON, "-c", "import pytest, sandbox.providers.local")
    if subprocess.run(probe, env=env, capture_output=True, cwd="/").returncode != 0:
        pytest.skip("the system's Python cannot read this installation as another user")
    place = Path("/tmp", f"openinspect-{os.getpid()}")
    place.mkdir(mode=0o700)
    os.chown(place, UID, UID)
    tests = ["tests/contracts/test_provider.py", "tests/sandbox/local/test_snapshots.py"]
    wanted = "agent_works or snapshot_brings or evicts or noticed or forty_edits or odd_modes"
    try:
        done = subprocess.run(
            as_somebody(
                *(SYSTEM_PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", wanted),
                *(f"--basetemp={place}/t", *tests),
            ),
            env=env | {"HOME": str(place)},
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=240,
        )
    finally:
        subprocess.run(["rm", "-rf", place], check=True)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout and "skipped" not in done.stdout
