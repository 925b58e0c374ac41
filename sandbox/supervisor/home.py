"""HOME as on a developer's machine: a Python venv and an npm prefix first on PATH, git's author.

The environment of scripts and of the agent is built here from nothing: no variable of the
supervisor's own passes, but PATH.
"""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ..commands import GitIdentity
from .git import Git, GitFailed

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Home:
    """`path` may hold what an earlier sandbox left in a snapshot; nothing of it is overwritten."""

    def __init__(self, path: Path, system_path: str | None) -> None:
        self.path = path
        self._system_path = system_path or _SYSTEM_PATH
        self._git = Git(path, self.env({}))

    def env(self, extra: Mapping[str, str]) -> dict[str, str]:
        """What a program of the sandbox is given; `extra` wins."""
        home = self.path
        return {
            "PATH": f"{home}/.venv/bin:{home}/.npm-global/bin:{home}/.local/bin:"
            f"{self._system_path}",
            "HOME": str(home),
            "USER": "agent",
            "LOGNAME": "agent",
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "VIRTUAL_ENV": f"{home}/.venv",
            "NPM_CONFIG_PREFIX": f"{home}/.npm-global",
            **extra,
        }

    async def prepare(self) -> None:
        """Make what is missing. Raises `OSError` where HOME cannot be written."""
        await asyncio.to_thread(self._make_directories)
        await asyncio.gather(
            self._configure("safe.directory", "*"),
            asyncio.to_thread(self._make_venv),
        )

    async def identify(self, author: GitIdentity, repository: Git) -> None:
        """From now on commits are by `author`. Raises `GitFailed`.

        An agent that runs already has its environment, so git's configuration says it; names
        that an earlier turn wrote into the repository itself would win and go.
        """
        await self._configure("user.name", author.name)
        await self._configure("user.email", author.email)
        await self._configure("user.useConfigOnly", "true")
        pattern = r"^(user|author|committer)\.(name|email)$"
        try:
            local = await repository.run(
                "config", "--local", "--name-only", "--get-regexp", pattern
            )
        except GitFailed:
            return  # none, or no repository
        for key in sorted(set(local.split())):
            await repository.run("config", "--local", "--unset-all", key)

    async def _configure(self, key: str, value: str) -> None:
        await self._git.run("config", "--global", "--replace-all", key, value)

    def _make_directories(self) -> None:
        for name in (".npm-global/bin", ".local/bin"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def _make_venv(self) -> None:
        place = self.path / ".venv"
        if (place / "bin" / "python").exists():
            return
        venv.EnvBuilder(symlinks=True, with_pip=False).create(place)
        give_pip(place, installed_pip() or bundled_pip())


_PIP = """#!{python}
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""


def give_pip(place: Path, sources: list[Path]) -> None:
    """Make `sources` the pip of the venv at `place`: linked to, or a wheel that is unpacked."""
    packages = next(place.glob("lib/python*/site-packages"))
    for source in sources:
        if source.suffix == ".whl":
            with zipfile.ZipFile(source) as archive:
                archive.extractall(packages)
        else:
            (packages / source.name).symlink_to(source)
    for name in ("pip", "pip3") if sources else ():
        script = place / "bin" / name
        script.write_text(_PIP.format(python=place / "bin" / "python"))
        script.chmod(0o755)


def installed_pip() -> list[Path]:
    """The interpreter's own pip and its metadata, compiled already.

    Linking to it costs a millisecond; `ensurepip` starts pip to install itself: seconds.
    """
    places = {sysconfig.get_paths(vars={"base": sys.base_prefix})["purelib"]}
    places |= {"/usr/lib/python3/dist-packages"} if sys.base_prefix == "/usr" else set()
    for place in map(Path, sorted(places)):
        metadata = sorted(place.glob("pip-*.dist-info"))
        if metadata and os.access(place / "pip" / "__init__.py", os.R_OK):
            return [place / "pip", metadata[-1]]
    return []


def bundled_pip() -> list[Path]:
    """The wheel that `ensurepip` would install, here or where Debian keeps it."""
    places = [Path(sysconfig.get_path("stdlib")) / "ensurepip" / "_bundled"]
    places.append(Path("/usr/share/python-wheels"))
    found = [wheel for place in places for wheel in sorted(place.glob("pip-*.whl"))]
    return found[:1]
