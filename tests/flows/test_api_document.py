"""The commands in docs/api.md are run as they stand there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import World
from .test_api import tool_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl and jq")
async def test_every_example_works_as_it_is_printed(world: World) -> None:
    examples = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    assert await world.issue() == 1
    async with tool_of(world) as tool:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OPENINSPECT_SERVER": tool.url,
            "OPENINSPECT_TOKEN": tool.token,
        }
        answers = []
        for example in examples:
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-euo",
                "pipefail",
                "-c",
                example,
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            async with asyncio.timeout(60):
                out, err = await process.communicate()
            assert process.returncode == 0, (example, out, err)
            answers.append(out.decode())
    asked, listed, shown = (json.loads(answer) for answer in answers[:3])
    session = world.session(1)
    assert asked["session"]["id"] == shown["id"] == session
    assert listed["sessions"][0]["id"] == session
    assert "succeeded" in answers[3]
    looked = DOCUMENT.read_text().partition("## Look")[2].partition("## From")[0]
    documented = set(re.findall(r"`(\w+)`", looked))
    assert {*shown, *shown["links"], *shown["cost"]} <= documented, "every field is documented"
