"""The commands of docs/state-branch.md, run as they stand there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.event_stores import branch_store
from support.git_http import git_server
from support.stored import a_session, finished_story, settled

GUIDE = Path(__file__).parent.parent.parent / "docs" / "state-branch.md"
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    for line in block.splitlines()
]
SESSION = a_session()


@pytest.fixture
async def clone(tmp_path: Path) -> AsyncIterator[Path]:
    async with git_server(tmp_path) as server:
        store = branch_store(server, tmp_path / "copy")
        story = settled(finished_story(SESSION), SESSION)
        await store.append(SESSION, 0, story[:4])
        await store.append(SESSION, 4, story[4:-1])
        clone = tmp_path / "clone"
        subprocess.run(["git", "init", "-q", str(clone)], check=True)
        subprocess.run(
            ["git", "-C", str(clone), "remote", "add", "origin", str(server.folder)], check=True
        )
        yield clone


async def test_every_command_of_the_guide_shows_what_it_says(clone: Path) -> None:
    assert len(COMMANDS) == 8
    shown = [
        subprocess.run(command, shell=True, cwd=clone, check=True, capture_output=True, text=True)
        for command in COMMANDS
    ]
    fetch, log, by_id, by_folder, by_actor, snapshot, segment, ls = (s.stdout for s in shown)
    assert fetch == ""
    assert log.splitlines()[0].endswith("issue 41: cancelled by octocat")
    assert by_id == by_folder
    assert by_id.count("Session: 7001-41-main-1") == 2
    assert "Cost: $0.19" in by_actor
    assert '"title": "Flaky retry test"' in snapshot
    assert segment.startswith('{"v":1,"e":"session_opened"')
    assert ls == "idx/open/7001-41-main-1\n"
