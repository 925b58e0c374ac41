"""No bytes hang the reader, break it or make it grow. `make fuzz` goes on for 50 million."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.config import config_problems

SCRIPT = Path(__file__).with_name("fuzzing.py")
ROOT = SCRIPT.parents[2]
BYTES = int(os.environ.get("OPENINSPECT_FUZZ_BYTES", "1000000"))
SEED = int(os.environ.get("OPENINSPECT_FUZZ_SEED", "1"))


def test_any_bytes_are_read_or_explained_quickly_and_in_little_memory() -> None:
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), str(BYTES), str(SEED)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60 + BYTES / 2_000,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2_000:]
    cost = json.loads(ran.stdout)
    print(f"{cost}")
    assert cost["bytes"] >= BYTES
    assert cost["good"] > 0, "some of it is good, or nothing deep was reached"
    assert cost["slowest"] < 1.0
    assert cost["peak_mib"] < 200


def test_linting_a_full_file_is_quick(tmp_path: Path) -> None:
    """64 KiB, in the words of the command line: all problems, in processor time."""
    file = tmp_path / "config.yml"
    line = "triggers: {mention: {enabled: yes}} # and more\n"
    file.write_text("".join(line.replace("triggers", f"key{n}") for n in range(1_380)))
    assert 60_000 < file.stat().st_size <= 65_536
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bot", "lint", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    loaded = {row.rpartition("|")[2].strip() for row in ran.stderr.splitlines() if "|" in row}
    assert "orchestrator.config" in loaded
    assert not loaded & {"aiohttp", "cryptography", "pygit2", "modal", "rich"}, "nothing needless"
    begun = time.process_time()
    assert config_problems(file.read_bytes())
    assert time.process_time() - begun < 0.3
