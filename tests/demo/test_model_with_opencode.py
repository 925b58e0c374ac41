"""The real OpenCode, with the scripted model behind it, does the demo's work."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from support.sample_repository import git, unittest_in

from bot.demo.model import ModelServer
from bot.demo.screenplay import (
    ANY_REPOSITORY,
    FIRST_PROMPT,
    FIX_SUBJECT,
    FOLLOW_UP,
    NOTE_PATH,
    STORY,
)

OPENCODE = Path(__file__).parents[2] / ".tools/bin/opencode"

pytestmark = pytest.mark.agent


def config_for(url: str) -> str:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": "obviously-fake"},
        "models": {"demo": {"name": "Demo"}},
    }
    return json.dumps(
        {
            "autoupdate": False,
            "share": "disabled",
            "enabled_providers": ["scripted", "anthropic"],
            "model": "scripted/demo",
            "provider": {
                "scripted": provider,
                "anthropic": {"options": {"baseURL": f"{url}/v1", "apiKey": "obviously-fake"}},
            },
        }
    )


async def opencode(workspace: Path, url: str, *arguments: str) -> str:
    """Run one prompt; gives all that the agent said and did."""
    home = workspace.parent / "home"
    home.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        str(OPENCODE),
        "run",
        "--format",
        "json",
        *arguments,
        cwd=workspace,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OPENCODE_CONFIG_CONTENT": config_for(url),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(120):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, out.decode()
    return out.decode()


async def test_the_whole_story(sample: Path) -> None:
    async with ModelServer(STORY, key="obviously-fake") as serving:
        said = await opencode(sample, serving.url, FIRST_PROMPT)
        assert "20 passed" in said
        assert git(sample, "log", "--format=%s", "-1") == FIX_SUBJECT
        said = await opencode(sample, serving.url, "--continue", FOLLOW_UP)
        assert "20 passed" in said
    assert unittest_in(sample).returncode == 0
    assert git(sample, "rev-list", "--count", "HEAD") == "3"
    assert git(sample, "status", "--porcelain") == ""
    assert git(sample, "diff", "--stat", "HEAD~2", "--name-only").split() == [
        "CHANGELOG.md",
        "patient/retry.py",
    ]


async def test_any_repository_over_anthropic_messages(sample: Path) -> None:
    async with ModelServer(ANY_REPOSITORY, key="obviously-fake") as serving:
        model = ("-m", "anthropic/claude-sonnet-4-5")
        said = await opencode(sample, serving.url, *model, "rewrite everything")
    assert "cannot understand a request" in said
    assert git(sample, "diff", "--name-only", "HEAD~1") == NOTE_PATH
    assert "unittest" not in git(sample, "show", f"HEAD:{NOTE_PATH}")
