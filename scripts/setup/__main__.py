"""Install what `make demo` and `make test` need, into `.venv` and `.tools`; do nothing where done.

Run as `python3 scripts/setup demo` (or `test`, which is everything). Standard library only, and
readable by Python 3.7 and later: this runs before anything is installed. Every step is keyed by the
content it installs, so a second run costs a few stat calls; a file lock lets several runs at once
wait for one another. An error is one line that says what to type.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import sys
from contextlib import contextmanager

import npm
import python
import system
import third_party
from ground import TOOLS, Problem, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def main(arguments: Sequence[str]) -> int:
    purpose = arguments[0] if arguments else "test"
    if purpose not in ("demo", "test"):
        say("setup: say `demo` or `test` (everything)")
        return 2
    try:
        if sys.platform != "linux":
            raise Problem("sandboxes need Linux (bubblewrap); on a Mac use a Linux virtual machine")
        TOOLS.mkdir(exist_ok=True)
        with alone():
            sets = npm.wanted(test=purpose == "test")
            system.install_packages(
                npm_needed=not npm.complete(sets), venv_needed=not python.is_usable()
            )
            system.try_isolation()
            system.wish_for_ripgrep()
            python.install(test=purpose == "test")
            for name, packages in sets.items():
                npm.install(name, packages)
            npm.link_all(sets)
            if purpose == "test":
                third_party.fetch()
    except Problem as problem:
        say(f"setup: {problem}")
        return 1
    except OSError as error:
        say(f"setup: {error}")
        return 1
    except KeyboardInterrupt:
        say("setup: interrupted; the next run goes on from here")
        return 130
    return 0


@contextmanager
def alone() -> Iterator[None]:
    """One set-up of this checkout at a time; another one waits, and then finds it all done."""
    with (TOOLS / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("setup: waiting for another set-up of this checkout")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start() -> int:
    if sys.version_info >= python.OLDEST:
        return main(sys.argv[1:])
    for minor in range(14, python.OLDEST[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            os.execv(newer, [newer, "-E", "-s", *sys.argv])
    say(
        f"setup: Python 3.11 or newer is needed, this is {platform.python_version()}; "
        "type: make PYTHON=/path/to/python3.11 ..."
    )
    return 1


if __name__ == "__main__":
    sys.exit(start())
