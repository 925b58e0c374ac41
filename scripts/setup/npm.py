"""`.tools`: the agent, Node where the system's is too old, and GitHub's schemas, pinned by hash."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from ground import ROOT, TOOLS, Problem, run, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OLDEST_NODE = 20
OCTOKIT = (
    "@octokit/graphql-schema",
    "@octokit/openapi",
    "@octokit/webhooks-examples",
    "@octokit/webhooks-schemas",
)
"""What GitHub publishes of its API: the tests hold our traffic against it."""


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


def install(name: str, packages: Sequence[str]) -> None:
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


def complete(sets: Mapping[str, Sequence[str]]) -> bool:
    return all(installed(*one).exists() for one in sets.items())


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


def wanted(*, test: bool) -> dict[str, Sequence[str]]:
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


def link_all(sets: Mapping[str, Sequence[str]]) -> None:
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
