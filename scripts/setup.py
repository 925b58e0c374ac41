"""Install what `make demo` and `make test` need, into `.venv` and `.tools`; do nothing where done.

Standard library only, and readable by any Python 3: this runs before anything is installed. Every
step is keyed by the content it installs, so a second run costs a few stat calls; a file lock lets
several runs at once wait for one another. An error is one line that says what to type.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
LOG = TOOLS / "setup.log"
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
NOBODY = 65534

PROGRAMS = {"git": "git", "bwrap": "bubblewrap", "zstd": "zstd", "tar": "tar"}
"""Programs that we call, and Debian's package of each."""

OCTOKIT = (
    "@octokit/graphql-schema",
    "@octokit/openapi",
    "@octokit/webhooks-examples",
    "@octokit/webhooks-schemas",
)
"""What GitHub publishes of its API: the tests hold our traffic against it."""


class Problem(Exception):
    """Set-up cannot go on: one sentence for the person who typed `make`."""


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
            sets = npm_sets(test=purpose == "test")
            install_system_packages(sets)
            try_isolation()
            install_python_packages(test=purpose == "test")
            for name, packages in sets.items():
                install_npm(name, packages)
            link_npm(sets)
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


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


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


# --- the system


def install_system_packages(sets: Mapping[str, Sequence[str]]) -> None:
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if not venv_is_usable() and importlib.util.find_spec("ensurepip") is None:
        missing.append("python3-venv")
    if not shutil.which("npm") and not all(installed(*one).exists() for one in sets.items()):
        missing.append("npm")
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Problem(f"missing on this system; type: {install_line(missing)}")
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    with told("installing " + ", ".join(missing)):
        run("apt-get update", [*apt, "update"])
        run("apt-get install", [*apt, "install", "-y", "--no-install-recommends", *missing])


def install_line(packages: Sequence[str]) -> str:
    """The one line to type. Only Debian keeps `venv` apart from Python itself."""
    others = [name for name in packages if name != "python3-venv"]
    sudo = "" if os.geteuid() == 0 else "sudo "
    if shutil.which("dnf"):
        return f"{sudo}dnf install -y {' '.join(others)}"
    if shutil.which("pacman"):
        return f"{sudo}pacman -S --needed {' '.join(others)}"
    return f"{sudo}apt-get install -y {' '.join(packages)}"


def try_isolation() -> None:
    """Start the emptiest sandbox there is, as the user that sandboxes run as (never root)."""
    command = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    user = NOBODY if os.geteuid() == 0 else None
    trial = subprocess.run(
        [*command, "true"], user=user, cwd="/", stdin=subprocess.DEVNULL, capture_output=True
    )
    if trial.returncode == 0:
        return
    said = (trial.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
    raise Problem(f"bubblewrap cannot make a sandbox here ({said}); {isolation_remedy()}")


def isolation_remedy() -> str:
    for setting, wrong, right in (
        ("kernel/unprivileged_userns_clone", "0", "1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user/max_user_namespaces", "0", "15000"),
    ):
        with suppress(OSError):
            if Path("/proc/sys", setting).read_text().strip() == wrong:
                return f"type: sudo sysctl -w {setting.replace('/', '.')}={right}"
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            "in a container, start it with --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --security-opt systempaths=unconfined"
        )
    return "user namespaces have to be allowed for normal users"


# --- Python


def install_python_packages(*, test: bool) -> None:
    lock = ROOT / ("requirements-dev.lock" if test else "requirements.lock")
    if not venv_is_usable():
        with told("creating .venv"):
            run("creating .venv", [base_python(), "-m", "venv", "--clear", str(VENV)])
    pip = [str(VENV / "bin/python"), "-I", "-m", "pip", "-q", "--disable-pip-version-check"]
    install = [*pip, "install", "--no-input", "--no-deps"]
    stamps = {name: VENV / f".installed-{name}" for name in ("demo", "test", "project")}
    wanted = stamps["test" if test else "demo"]
    # The test lock holds every pin of the other one, so either will do for the demo.
    if not any(is_stamped(stamp, locked) for stamp, locked in acceptable(stamps, test=test)):
        with told("installing Python packages"):
            run(
                "installing Python packages",
                [*install, "--require-hashes", "--only-binary", ":all:", "-r", str(lock)],
            )
        wanted.write_text(digest(lock))
    project = ROOT / "pyproject.toml"
    if not (is_stamped(stamps["project"], project) and (VENV / "bin/openinspect").exists()):
        with told("installing openinspect"):
            run(
                "installing openinspect",
                [*install, "--no-index", "--no-build-isolation", "-e", str(ROOT)],
            )
        stamps["project"].write_text(digest(project))


def acceptable(stamps: Mapping[str, Path], *, test: bool) -> Iterator[tuple[Path, Path]]:
    yield stamps["test"], ROOT / "requirements-dev.lock"
    if not test:
        yield stamps["demo"], ROOT / "requirements.lock"


def base_python() -> str:
    """The interpreter itself, also where an activated virtual environment started us."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def venv_is_usable() -> bool:
    """Made by us, for this folder (its scripts name their own path), by a Python still there."""
    try:
        lines = (VENV / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return False
    settings = dict(line.split(" = ", 1) for line in lines if " = " in line)
    version = tuple(int(part) for part in settings.get("version", "0").split(".")[:2])
    here = settings.get("command", str(VENV)).endswith(str(VENV))
    return here and version >= OLDEST_PYTHON and (VENV / "bin/python").exists()


def digest(path: Path) -> str:
    return hashlib.sha256(str(ROOT).encode() + b"\0" + path.read_bytes()).hexdigest()


def is_stamped(stamp: Path, content: Path) -> bool:
    try:
        return stamp.read_text() == digest(content)
    except OSError:
        return False


# --- npm


def subset(names: Sequence[str]) -> tuple[dict[str, object], dict[str, object]]:
    """`package.json` and its lock for some packages of `tools/` and all that those need."""
    lock = json.loads((ROOT / "tools/package-lock.json").read_text())
    packages = lock["packages"]
    chosen: dict[str, object] = {}
    waiting = list(names)
    while waiting:
        key = f"node_modules/{waiting.pop()}"
        if key in packages and key not in chosen:
            chosen[key] = packages[key]
            waiting += [*packages[key].get("dependencies", {})]
            waiting += [*packages[key].get("peerDependencies", {})]
    absent = [name for name in names if f"node_modules/{name}" not in chosen]
    if absent:
        raise Problem(f"tools/package-lock.json has no {', '.join(absent)}")
    wanted = {name: packages[f"node_modules/{name}"]["version"] for name in names}
    manifest: dict[str, object] = {"private": True, "dependencies": wanted}
    chosen = {"": {"dependencies": wanted}, **chosen}
    return manifest, {"lockfileVersion": 3, "requires": True, "packages": chosen}


def installed(name: str, packages: Sequence[str]) -> Path:
    """Where that set of packages goes: another lock, another folder; running demos keep theirs."""
    content = json.dumps(subset(packages), sort_keys=True).encode()
    return TOOLS / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"


def install_npm(name: str, packages: Sequence[str]) -> None:
    target = installed(name, packages)
    if target.exists():
        return
    fresh = TOOLS / f".new-{name}"
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir()
    for file, content in zip(("package.json", "package-lock.json"), subset(packages), strict=True):
        (fresh / file).write_text(json.dumps(content, indent=2))
    with told(f"installing {', '.join(packages)}"):
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        run(f"npm ci ({name})", ["npm", "ci", *flags, "--no-update-notifier"], cwd=fresh)
    fresh.rename(target)


def link(at: Path, to: Path) -> None:
    """Point a relative link, in one step, so nobody ever sees it missing."""
    target = os.path.relpath(to, at.parent)
    if at.is_symlink() and str(at.readlink()) == target:
        return
    at.parent.mkdir(exist_ok=True)
    new = at.with_name(at.name + ".new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(at)


def processor() -> str:
    return {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def agent_package() -> str:
    """OpenCode's own choice (its post-install script): the plain build needs AVX2."""
    if processor() == "x64" and "avx2" not in Path("/proc/cpuinfo").read_text().split():
        return "opencode-linux-x64-baseline"
    return f"opencode-linux-{processor()}"


def npm_sets(*, test: bool) -> dict[str, Sequence[str]]:
    """What has to come from npm, in sets that are installed one by one."""
    lock = json.loads((ROOT / "tools/package-lock.json").read_text())["packages"]
    sets: dict[str, Sequence[str]] = {}
    if f"node_modules/{agent_package()}" in lock:
        sets["opencode"] = [agent_package()]
    elif shutil.which("opencode") is None:
        raise Problem(
            f"no build of OpenCode for {platform.machine()} is pinned in tools/; "
            "install OpenCode 1.18 so that `opencode` is on PATH"
        )
    if node_major() < OLDEST_NODE:
        sets["node"] = [f"node-linux-{processor()}"]
    if test:
        sets["octokit"] = OCTOKIT
    return sets


def link_npm(sets: Mapping[str, Sequence[str]]) -> None:
    """`.tools/bin` holds programs for a sandbox, `.tools/node_modules` what the tests read."""
    own = shutil.which("opencode")
    if "opencode" not in sets and own is not None:
        link(TOOLS / "bin/opencode", Path(own).resolve())
    for name, packages in sets.items():
        modules = installed(name, packages) / "node_modules"
        if name == "octokit":
            link(TOOLS / "node_modules", modules)
        else:
            link(TOOLS / "bin" / name, modules / packages[0] / "bin" / name)


def node_major() -> int:
    """0 where there is none."""
    try:
        said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
        return int(said.lstrip("v").split(".")[0] or 0)
    except (OSError, ValueError):
        return 0


def start() -> int:
    if sys.version_info >= OLDEST_PYTHON:
        return main(sys.argv[1:])
    for minor in range(14, OLDEST_PYTHON[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            os.execv(newer, [newer, *sys.argv])
    say(
        f"setup: Python 3.11 or newer is needed, this is {platform.python_version()}; "
        "type: make PYTHON=/path/to/python3.11 ..."
    )
    return 1


if __name__ == "__main__":
    sys.exit(start())
