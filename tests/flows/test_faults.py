"""GitHub fails at each thing we do to it, and in the end each thing is there exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.demo.github import Fault

from .conftest import World, make_world
from .test_main_road import FIX

RATE = 20
"""So many seconds pass in one: waits of a minute take three seconds."""

REQUESTS = {
    "reaction": ("POST", r"/issues/comments/\d+/reactions$"),
    "status create": ("POST", r"/issues/1/comments$"),
    "status edit": ("PATCH", r"/issues/comments/\d+$"),
    "label": ("POST", r"/issues/1/labels$"),
    "label off": ("DELETE", r"/issues/1/labels/"),
    "check run": ("POST", r"/check-runs$"),
    "check run's end": ("PATCH", r"/check-runs/\d+$"),
    "push": ("POST", r"/git-receive-pack$"),
    "pull request": ("POST", r"/pulls$"),
    "reply": ("POST", r"/issues/2/comments$"),
}
KINDS: dict[str, dict[str, Any]] = {
    "error before": {"kind": "before_effect_500"},
    "error after": {"kind": "after_effect_500", "status": 502},
    "dropped before": {"kind": "before_effect_drop"},
    "dropped after": {"kind": "after_effect_drop"},
    "primary limit": {"kind": "primary_limit", "retry_after": 7},
    "secondary limit": {"kind": "secondary_limit", "status": 429, "retry_after": 7},
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, rate=RATE) as made:
        await made.start()
        yield made


async def story(world: World) -> None:
    """An issue becomes a pull request, and a comment there a second commit."""
    number = await world.issue()
    await world.say(f"@openinspect {FIX}", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    await world.until_status(number, "Done")
    [pull] = world.github.pulls(world.repo)
    more = "sh: echo more >> fix.txt && git commit -qam 'Say more'\nsay: Said more."
    await world.say(f"@openinspect {more}", on=pull.number, by=world.bob)
    await world.until(lambda: "turn 2" in world.status(number))
    await world.until_status(number, "Done")
    await world.at_rest(number)


def each_is_there_once(world: World) -> None:
    done = Counter(
        (entry.action, entry.kind, entry.number if entry.action == "create" else 0)
        for entry in world.github.ledger
        if entry.app == "openinspect"
    )
    pulls = world.github.pulls(world.repo)
    assert len(pulls) == 1 and done["create", "pull_request", 2] == 1
    assert done["create", "issue_comment", 1] == 1, "one status comment"
    assert done["create", "issue_comment", 2] == 1, "one reply"
    assert done["delete", "issue_comment", 0] == 0, "and no double had to be taken away"
    assert done["add", "reaction", 0] == 2
    branch = f"refs/heads/{pulls[0].head}"
    assert done["push", branch, 0] == 2
    titles = [c.title for c in world.github.commits(world.repo, pulls[0].head)]
    assert titles == ["Say more", "Fix the thing", "Initial commit"]

    runs = world.github.check_runs(world.repo)
    assert all(run.status == "completed" and run.conclusion == "success" for run in runs)
    told = Counter((run.head_sha, run.external_id.rpartition("/")[2]) for run in runs)
    first = world.github.commits(world.repo, pulls[0].head)[1].sha
    assert told == {(first, "1"): 1, (first, "2"): 1, (pulls[0].head_sha, "2"): 1}
    assert world.github.labels(world.repo, 1) == []
    assert "**Done** · turn 2" in world.status(1)
    assert "Said more." in world.ours(2)[0].body


@pytest.mark.parametrize("kind", list(KINDS))
async def test_whatever_fails_once_is_there_once(world: World, kind: str) -> None:
    faults = {
        name: world.github.fail(Fault(method=method, path=path, **KINDS[kind]))
        for name, (method, path) in REQUESTS.items()
    }
    await story(world)
    each_is_there_once(world)
    assert {name: fault.hits for name, fault in faults.items()} == dict.fromkeys(REQUESTS, 1)


@pytest.mark.parametrize("lag", [1.0, 5.0, 10.0])
async def test_what_is_listed_late_is_not_made_twice(world: World, lag: float) -> None:
    """The answer is lost, and the listing does not show for a while what was made."""
    for name in ("status create", "pull request", "reply", "check run"):
        method, path = REQUESTS[name]
        hide = Fault(method=method, path=path, kind="hidden_in_listings", delay=lag)
        world.github.fail(hide)
        world.github.fail(Fault(method=method, path=path, kind="after_effect_drop"))
    await story(world)
    each_is_there_once(world)


async def test_a_refusal_whose_answer_was_lost_is_said_once(world: World) -> None:
    number = await world.issue()
    method, path = REQUESTS["status create"]
    hide = Fault(method=method, path=path, kind="hidden_in_listings", delay=8)
    world.github.fail(hide)
    world.github.fail(Fault(method=method, path=path, kind="after_effect_drop"))
    await world.say("@openinspect do it", on=number, by=world.stranger)
    await world.quiet()
    assert len(world.ours(number)) == 1
    world.github.fail(Fault(method=method, path=path, kind="before_effect_500"))
    await world.say("@openinspect stop", on=number)
    await world.quiet()
    assert len(world.ours(number)) == 2


async def test_permission_that_cannot_be_asked_for_is_asked_again(world: World) -> None:
    number = await world.issue()
    path = r"/collaborators/alice/permission$"
    fault = world.github.fail(Fault(path=path, kind="before_effect_500", times=7))
    await world.say("@openinspect say: Patience.", on=number)
    await world.until(lambda: any("Patience." in c.body for c in world.ours(number)[1:]))
    assert fault.hits == 7
    await world.at_rest(number)


async def test_a_status_comment_that_people_deleted_does_not_hold_up_the_rest(
    world: World,
) -> None:
    number = await world.issue()
    world.model.gate.clear()
    await world.say("@openinspect model: hm\nsay: All the same.", on=number)
    await world.until(lambda: world.model.calls)
    [status] = world.ours(number)
    await world.github.delete_comment(world.repo, status, by=world.alice)
    world.model.gate.set()
    await world.until(lambda: any("All the same." in c.body for c in world.ours(number)))
    await world.until(lambda: world.github.labels(world.repo, number) == [])
