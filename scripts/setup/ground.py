"""What every step of set-up stands on: where things go, how a step is run, what is said of it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
LOG = TOOLS / "setup.log"


class Problem(Exception):
    """Set-up cannot go on: one sentence for the person who typed `make`."""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say what takes time, and how long it took."""
    started = time.monotonic()
    say(f"setup: {what} ...")
    yield
    say(f"setup: {what}: done in {time.monotonic() - started:.1f} s")


def run(what: str, command: Sequence[str], cwd: Path = ROOT) -> None:
    """Run a step; its output goes to the log, and its end is shown only where it fails."""
    with LOG.open("a", encoding="utf-8", errors="replace") as log:
        log.write(f"\n$ {shlex.join(command)}\n")
        log.flush()
        begin = log.tell()
        code = subprocess.run(
            command, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ).returncode
    if code:
        with LOG.open(encoding="utf-8", errors="replace") as log:
            log.seek(begin)
            for line in log.read().splitlines()[-15:]:
                say(f"    {line}")
        raise Problem(f"{what} failed (exit {code}); all it printed is in {LOG.relative_to(ROOT)}")


def environment() -> Mapping[str, str]:
    """Ours, without what would change where Python looks, and with a cache that can be written."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    home = env.get("HOME")
    if not home or not os.access(home, os.W_OK):
        env["HOME"] = str(TOOLS / "home")
        Path(env["HOME"]).mkdir(exist_ok=True)
    return env
