"""Before the first sandbox: what is missing is said, with the one line to type."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.sandboxes import Boxes, Silence, needs_bwrap

from sandbox.provider import LaunchRefused
from sandbox.providers.local import LocalProvider
from sandbox.providers.local_limits import Limits

pytestmark = [pytest.mark.sandboxed]


def a_bwrap(folder: Path, script: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder


def provider(boxes: Boxes, tools: Path | None) -> LocalProvider:
    return LocalProvider(boxes.root, tools=tools, log=Silence(), options=boxes.options)


async def test_bubblewrap_is_missing(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    ours = provider(boxes, None)
    (problem,) = await ours.preflight()
    assert problem.fatal and problem.fix == "apt-get install -y bubblewrap"
    with pytest.raises(LaunchRefused, match="apt-get install"):
        await ours.launch(boxes.spec())
    monkeypatch.undo()
    await ours.close()


async def test_bubblewrap_is_too_old(boxes: Boxes, tmp_path: Path) -> None:
    ours = provider(boxes, a_bwrap(tmp_path / "tools", "echo bubblewrap 0.4.1"))
    (problem,) = await ours.preflight()
    assert problem.fatal and "bubblewrap 0.4.1" in problem.what
    await ours.close()


async def test_namespaces_are_forbidden(boxes: Boxes, tmp_path: Path) -> None:
    """A bubblewrap that is new enough, and fails: coreutils' `false` says that it is 8 or 9."""
    (tmp_path / "bin").mkdir()
    shutil.copy("/usr/bin/false", tmp_path / "bin" / "bwrap")
    ours = provider(boxes, tmp_path)
    (problem,) = await ours.preflight()
    assert problem.fatal and "namespace" in problem.what and problem.fix
    await ours.close()


@needs_bwrap
async def test_missing_groups_and_overlay_are_said_but_not_fatal(boxes: Boxes) -> None:
    boxes.options = replace(boxes.options, limits=Limits(mode="rlimit"))
    ours = boxes.another()
    said = await ours.preflight()
    assert [problem.fatal for problem in said] == [False] * len(said)
    assert any("rlimits" in problem.what and "Delegate" in problem.fix for problem in said)


@needs_bwrap
async def test_a_copied_checkout_is_said_once(boxes: Boxes, checkout: object) -> None:
    boxes.options = replace(boxes.options, overlay=False)
    ours = boxes.provider = boxes.another()
    notes = [
        (await ours.launch(boxes.spec(name, checkout=checkout))).note  # type: ignore[arg-type]
        for name in ("one", "two")
    ]
    assert "copied" in notes[0] and notes[1] == ""
