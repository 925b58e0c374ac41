"""The main road on code that nobody here wrote: a published package, its own tests, no network.

The package comes from its sdist, a bug is planted in it, and the wheels that its tests need lie in
the repository. The real OpenCode does the work; only the model's words are scripted.
"""

from __future__ import annotations

import re
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo.model import ModelServer
from bot.demo.proof import prove
from bot.demo.script import Conversation, Edit, Read, Run, Script, ScriptedTurn, Step
from orchestrator.session.values import Outcome

from .conftest import World, make_world
from .model import KEY, Model

TOOLS = Path(__file__).parents[2] / ".tools"
FETCHED = TOOLS / "third-party"

pytestmark = [
    pytest.mark.agent,
    pytest.mark.sandboxed,
    pytest.mark.skipif(not FETCHED.exists(), reason="`make setup` fetches the package"),
    pytest.mark.skipif(not (TOOLS / "bin/opencode").exists(), reason="OpenCode is not installed"),
]

TESTS = "python -m pytest -q -p no:cacheprovider"
NETWORKS = "python -c 'import socket; print(*(name for _, name in socket.if_nameindex()))'"
RIGHT, WRONG = "in (11, 12, 13)", "in (11, 12)"
SETUP = "#!/bin/sh\nset -e\npip install -q --no-index --find-links vendor/wheels pytest\n"


def summary(conversation: Conversation) -> Step:
    """What the last test run said, and nothing that it did not say."""
    said = re.findall(r"\d+ (?:passed|failed)[^\n]* in", "\n".join(conversation.results))
    result = said[-1].removesuffix(" in") if said else "the tests were not run"
    return Step(text=f"13 takes `th` again, and so do 113 and -13. Tests: {result}.")


SCRIPT = Script(
    turns=(
        ScriptedTurn(
            when="ordinal of 13",
            steps=(
                Step(text="What is there?", actions=(Run(command=NETWORKS, why="Look around"),)),
                Step(text="What fails?", actions=(Run(command=TESTS, why="Run the tests"),)),
                Step(actions=(Read(path="inflection/__init__.py"),)),
                Step(actions=(Edit(path="inflection/__init__.py", old=WRONG, new=RIGHT),)),
                Step(actions=(Run(command=TESTS, why="Run the tests again"),)),
                Step(
                    actions=(
                        Run(
                            command="git commit -qam 'Give 13 its th back' && git status --short",
                            why="Commit",
                        ),
                    )
                ),
                summary,
            ),
        ),
    ),
    otherwise=(Step(text="I was not told what to do."),),
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The unpacked sdist with the bug in it, and the wheels beside it."""
    [sdist] = FETCHED.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "sdist", filter="data")
    [root] = (tmp_path / "sdist").iterdir()
    module = root / "inflection/__init__.py"
    text = module.read_text(encoding="utf-8")
    assert text.count(RIGHT) == 1
    module.write_text(text.replace(RIGHT, WRONG), encoding="utf-8")
    (root / "vendor/wheels").mkdir(parents=True)
    for wheel in FETCHED.glob("*.whl"):
        (root / "vendor/wheels" / wheel.name).write_bytes(wheel.read_bytes())
    (root / ".openinspect").mkdir()
    (root / ".openinspect/setup.sh").write_text(SETUP, encoding="utf-8")
    (root / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    return root


@pytest.fixture
async def world(tmp_path: Path, package: Path) -> AsyncIterator[World]:
    async with ModelServer(SCRIPT, key=KEY) as model, make_world(tmp_path) as made:
        made.repo = await made.github.create_repository("jpvanhal/inflection", source=package)
        made.github.install(made.app, [made.repo])
        made.github.grant(made.repo, made.alice, "write")
        made.model = Model(url=model.url)
        made.extra = {
            "OPENINSPECT_TOOLS": str(TOOLS),
            "OPENINSPECT_MODEL": "anthropic/claude-sonnet-4-5",
        }
        await made.start()
        yield made


async def test_a_bug_in_a_published_package_is_fixed_and_its_own_tests_say_so(
    world: World,
) -> None:
    url = f"{world.github.url}/{world.repo.full_name}.git"
    token = world.github.personal_token(world.alice)
    check = (
        f"sh -ec '{sys.executable} -m venv --without-pip .check;"
        f" {sys.executable} -m pip --python .check/bin/python install -q --no-index"
        " --find-links vendor/wheels pytest;"
        " .check/bin/python -m pytest -q -p no:cacheprovider'"
    )
    before = await prove(url, token=token, base="main", head="main", test_command=check)
    assert not before.tests_pass
    assert "8 failed, 447 passed" in before.tail

    number = await world.issue("13st, 13nd, 13rd?", "`ordinalize(13)` gives 13rd.")
    await world.say("@openinspect fix the ordinal of 13", on=number)
    await world.until(lambda: world.github.pulls(world.repo), seconds=180)
    await world.until_status(number, "Done", seconds=30)

    [pull] = world.github.pulls(world.repo)
    after = await prove(url, token=token, base="main", head=pull.head, test_command=check)
    assert after.tests_pass, after.tail
    assert "455 passed" in after.tail
    [commit] = after.commits
    assert commit.subject == "Give 13 its th back"
    assert commit.author == f"alice <{world.alice.id}+alice@users.noreply.github.com>"
    assert after.patch.count("\n+++ ") == 1

    shown = world.status(number)
    assert f"`{TESTS}` passed" in shown
    assert "Tests: 455 passed." in shown
    assert "| Changed | `inflection/__init__.py` +1 −1 |" in shown
    state = await world.state(number)
    assert state.turns[0].outcome is Outcome.SUCCEEDED
    ran = [step for step in state.turns[0].steps if step.exit_code is not None]
    titles = [(step.title, step.exit_code) for step in ran]
    assert titles[:3] == [("setup", 0), (NETWORKS, 0), (TESTS, 1)]
    assert (TESTS, 0) in titles[3:]
    assert ran[1].tail.strip() == "lo", "there is no network in the sandbox"
