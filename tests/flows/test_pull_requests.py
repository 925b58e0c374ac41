"""A session that lives on a pull request, and what people do to branches meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.demo.github.model import CheckRun, Comment, Pull, ReviewComment
from orchestrator.session.values import Outcome

from .conftest import World, make_world
from .test_main_road import FIX

HEAD = "feature/retry"


async def pull_of_alice(world: World, body: str = "Please review.") -> Pull:
    """A branch of this repository with one commit, shown as a pull request."""
    files = {"retry.py": "def retry():\n    pass\n"}
    await world.github.push_commit(
        world.repo, HEAD, files=files, message="Begin retrying", by=world.alice
    )
    return await world.github.open_pull_request(
        world.repo, by=world.alice, head=HEAD, base="main", title="Retry", body=body
    )


def titles(world: World, branch: str) -> list[str]:
    return [commit.title for commit in world.github.commits(world.repo, branch)]


def replies(world: World, number: int) -> list[Comment]:
    """What we said on a thread beside the status comment."""
    return [c for c in world.ours(number) if "effect=status" not in c.body]


def reviewed(world: World, number: int) -> list[ReviewComment]:
    """Our own review comments on a pull request."""
    return [c for c in world.github.review_comments(world.repo, number) if c.app is world.app]


def runs(world: World, sha: str) -> list[CheckRun]:
    return world.github.check_runs(world.repo, sha)


async def test_work_goes_to_the_pull_requests_own_branch_and_its_checks_say_so(
    world: World,
) -> None:
    pull = await pull_of_alice(world)
    before = pull.head_sha
    world.model.gate.clear()
    slowly = FIX.replace("say:", "model: and now?\nsay:")
    await world.say(f"@openinspect {slowly}", on=pull.number, by=world.bob)
    await world.until(lambda: runs(world, before))
    [started] = runs(world, before)
    assert (started.status, started.conclusion) == ("in_progress", None)
    assert started.title == "Turn 1 is running"
    world.model.gate.set()
    await world.until(lambda: replies(world, pull.number))
    await world.until(lambda: pull.head_sha != before and runs(world, pull.head_sha))

    assert titles(world, HEAD)[:2] == ["Fix the thing", "Begin retrying"]
    assert len(world.github.pulls(world.repo)) == 1, "no pull request of our own"
    assert (await world.state(pull.number)).pull_request is None
    await world.until(lambda: all(r.status == "completed" for r in world.repo.checks.values()))
    assert pull.head_sha != before
    [old] = runs(world, before)
    [new] = runs(world, pull.head_sha)
    assert (old.conclusion, new.conclusion) == ("success", "success")
    [reply] = replies(world, pull.number)
    assert "@bob **Done**" in reply.body
    assert f"`{HEAD}` (1 commit)" in reply.body


async def test_a_failed_turn_fails_its_check(world: World) -> None:
    pull = await pull_of_alice(world)
    await world.say("@openinspect die", on=pull.number)
    await world.until(lambda: replies(world, pull.number))
    await world.until(lambda: [r.conclusion for r in runs(world, pull.head_sha)] == ["failure"])
    [run] = runs(world, pull.head_sha)
    assert run.title is not None and run.title.startswith("Failed · turn 1")


@pytest.mark.parametrize("as_reply", [False, True])
async def test_a_review_comment_is_answered_in_its_own_thread(world: World, as_reply: bool) -> None:
    pull = await pull_of_alice(world)
    text = "@openinspect sh: echo a >> retry.py\nsay: Changed that line.\nshow-prompt"
    first = await world.github.review_comment(
        world.repo,
        pull.number,
        by=world.bob,
        body="Is this right?" if as_reply else text,
        path="retry.py",
        line=2,
    )
    asked = first
    if as_reply:
        asked = await world.github.review_comment(
            world.repo, pull.number, by=world.alice, body=text, in_reply_to=first.id
        )
    await world.until(lambda: reviewed(world, pull.number))

    [answer] = reviewed(world, pull.number)
    assert answer.in_reply_to == first.id
    assert "Changed that line." in answer.body
    assert [r.content for r in world.github.reactions(asked)] == ["eyes"]
    assert replies(world, pull.number) == [], "it was answered in the thread already"
    state = await world.state(pull.number)
    assert "review comment on retry.py, line 2" in state.turns[0].said


async def test_a_review_with_a_mention_in_its_body_is_a_request(world: World) -> None:
    pull = await pull_of_alice(world)
    await world.github.review(
        world.repo, pull.number, by=world.bob, body="@openinspect say: Looked at it."
    )
    await world.until(lambda: replies(world, pull.number))
    [reply] = replies(world, pull.number)
    assert "@bob **Done**" in reply.body and "Looked at it." in reply.body


async def test_a_mention_when_the_issue_is_opened_is_a_request(world: World) -> None:
    number = await world.issue("Say it", "Well then:\n\n@openinspect\nsay: From the body.")
    await world.until(lambda: len(world.ours(number)) == 2)
    assert "From the body." in world.ours(number)[1].body
    eyes = world.github.reactions(world.github.issue(world.repo, number))
    assert [r.content for r in eyes] == ["eyes"]


async def test_a_mention_in_the_title_takes_the_body_along(world: World) -> None:
    number = await world.issue("@openinspect please", "say: From title and body.")
    await world.until(lambda: len(world.ours(number)) == 2)
    assert "From title and body." in world.ours(number)[1].body


async def test_an_edit_that_adds_the_mention_asks_once(world: World) -> None:
    number = await world.issue()
    comment = await world.say("Something is off.", on=number)
    for text in ("@openinspect say: Edited in.", "@openinspect say: Edited again."):
        await world.github.edit_comment(world.repo, comment, by=world.alice, body=text)
        await world.quiet()
    await world.until(lambda: len(world.ours(number)) == 2)
    state = await world.state(number)
    assert [t.prompt.text for t in state.turns] == ["say: Edited in."]
    assert [r.content for r in world.github.reactions(comment)] == ["eyes"]


async def test_a_mention_edited_into_the_text_of_somebody_else_is_refused(world: World) -> None:
    number = await world.issue()
    comment = await world.say("Something is off.", on=number, by=world.stranger)
    text = "@openinspect say: Not my words."
    await world.github.edit_comment(world.repo, comment, by=world.alice, body=text)
    await world.until(lambda: len(world.ours(number)) == 1)
    assert "somebody else wrote" in world.ours(number)[0].body


async def test_the_repositorys_template_is_filled_in(tmp_path: Path) -> None:
    template = (
        "<!-- Thank you for your work! -->\n## What\n\n## How it was tested\n\n"
        "## Checklist\n- [ ] Changelog\n"
    )
    files = {".github/pull_request_template.md": template}
    async with make_world(tmp_path, files) as world:
        await world.start()
        number = await world.issue()
        await world.say(f"@openinspect {FIX}", on=number)
        await world.until(lambda: world.github.pulls(world.repo))
        [pull] = world.github.pulls(world.repo)
        assert pull.body is not None
        body = pull.body
        assert "Thank you" not in body
        assert body.index("## What") < body.index("Fixed it.") < body.index("## How it was")
        assert body.index("## How it was") < body.index("git commit") < body.index("## Checklist")
        assert f"Fixes #{number}" in body
        await world.until_status(number, "Done")


async def test_what_a_person_pushed_between_turns_is_told_and_not_lost(world: World) -> None:
    number = await world.issue()
    await world.say(f"@openinspect {FIX}", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    await world.until_status(number, "Done")
    [pull] = world.github.pulls(world.repo)
    theirs = await world.github.push_commit(
        world.repo, pull.head, files={"theirs.txt": "mine\n"}, message="By hand", by=world.bob
    )
    more = (
        f"sh: git rebase -q origin/{pull.head} && echo more >> fix.txt && git commit -qam 'More'\n"
        "show-prompt"
    )
    await world.say(f"@openinspect {more}", on=pull.number)
    await world.until(lambda: replies(world, pull.number))

    [reply] = replies(world, pull.number)
    assert f"its head is now {theirs[:12]}" in reply.body, "the agent is told"
    assert titles(world, pull.head)[:3] == ["More", "By hand", "Fix the thing"]
    assert world.github.file(world.repo, pull.head, "theirs.txt") == "mine\n"
    state = await world.state(number)
    assert state.turns[-1].work is not None and state.turns[-1].work.branch == pull.head
    assert [f.path for f in state.turns[-1].work.files] == ["fix.txt"], "theirs is not ours"


async def test_what_a_person_pushed_before_our_first_push_is_told(world: World) -> None:
    pull = await pull_of_alice(world)
    await world.say("@openinspect say: Nothing to do.", on=pull.number)
    await world.until(lambda: len(replies(world, pull.number)) == 1)
    theirs = await world.github.push_commit(
        world.repo, HEAD, files={"theirs.txt": "mine\n"}, message="By hand", by=world.bob
    )
    await world.say("@openinspect show-prompt", on=pull.number)
    await world.until(lambda: len(replies(world, pull.number)) == 2)
    assert f"its head is now {theirs[:12]}" in replies(world, pull.number)[1].body


async def test_a_branch_that_moved_during_the_turn_is_left_alone(world: World) -> None:
    number = await world.issue()
    await world.say(f"@openinspect {FIX}", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    await world.until_status(number, "Done")
    [pull] = world.github.pulls(world.repo)
    world.model.gate.clear()
    slow = "sh: echo more >> fix.txt && git commit -qam 'More'\nmodel: and now?\nsay: Said more."
    await world.say(f"@openinspect {slow}", on=pull.number)
    await world.until(lambda: "git commit -qam 'More'" in world.status(number))
    await world.github.push_commit(
        world.repo, pull.head, files={"theirs.txt": "mine\n"}, message="By hand", by=world.bob
    )
    world.model.gate.set()
    await world.until(lambda: replies(world, pull.number))

    beside = f"{pull.head}-turn-2"
    [reply] = replies(world, pull.number)
    assert f"`{pull.head}` had moved, so this is on `{beside}`" in reply.body
    assert f"The work is on `{beside}` (1 commit)." in reply.body
    assert titles(world, pull.head)[:2] == ["By hand", "Fix the thing"]
    assert titles(world, beside)[:2] == ["More", "Fix the thing"]
    assert len(world.github.pulls(world.repo)) == 1

    # The next turn brings both together on the pull request's branch.
    rebase = f"sh: git rebase -q origin/{pull.head}\nsay: Together again."
    await world.say(f"@openinspect {rebase}", on=pull.number)
    await world.until(lambda: len(replies(world, pull.number)) == 2)
    assert titles(world, pull.head)[:3] == ["More", "By hand", "Fix the thing"]


async def test_after_a_merge_the_issue_gets_a_new_pull_request(world: World) -> None:
    number = await world.issue()
    await world.say(f"@openinspect {FIX}", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    await world.until_status(number, "Done")
    [first] = world.github.pulls(world.repo)
    await world.github.merge(world.repo, first.number, by=world.alice)
    await world.quiet()

    await world.say("@openinspect say: It says how it is.", on=number)
    await world.until(lambda: len(replies(world, number)) == 1)
    assert "It says how it is." in replies(world, number)[0].body
    assert "pull request could not be opened" not in replies(world, number)[0].body
    assert len(world.github.pulls(world.repo)) == 1, "a question opens none"

    more = "sh: echo more >> fix.txt && git commit -qam 'Say more'\nsay: Said more."
    await world.say(f"@openinspect {more}", on=number)
    await world.until(lambda: len(world.github.pulls(world.repo)) == 2)
    await world.until(lambda: "**Done** · turn 3" in world.status(number))
    second = world.github.pulls(world.repo)[1]
    assert second.title == "Say more"
    assert world.github.file(world.repo, second.head, "fix.txt") == "fixed\nmore\n"
    assert f"→ #{second.number}" in world.status(number)


async def test_a_pull_request_whose_branch_is_gone_is_answered_in_words(world: World) -> None:
    pull = await pull_of_alice(world)
    await world.github.delete_branch(world.repo, HEAD, by=world.alice)
    await world.say(f"@openinspect {FIX}", on=pull.number)
    await world.until(lambda: replies(world, pull.number))
    [reply] = replies(world, pull.number)
    assert f"`{HEAD}`" in reply.body
    assert HEAD not in world.github.branches(world.repo), "it is not brought back behind their back"
    state = await world.state(pull.number)
    assert [t.outcome for t in state.turns] == [Outcome.FAILED]


async def test_the_branch_of_an_issue_that_somebody_deleted_is_made_again(world: World) -> None:
    number = await world.issue()
    await world.say(f"@openinspect {FIX}", on=number)
    await world.until(lambda: world.github.pulls(world.repo))
    await world.until_status(number, "Done")
    [first] = world.github.pulls(world.repo)
    await world.github.delete_branch(world.repo, first.head, by=world.alice)
    await world.quiet()
    more = "sh: echo more >> fix.txt && git commit -qam 'Say more'\nsay: Said more."
    await world.say(f"@openinspect {more}", on=number)
    await world.until(lambda: len(world.github.pulls(world.repo)) == 2)
    second = world.github.pulls(world.repo)[1]
    assert titles(world, second.head)[:2] == ["Say more", "Fix the thing"]
    await world.until_status(number, "Done")


async def test_the_agent_is_told_the_changes_and_the_review_threads(world: World) -> None:
    await world.github.push_commit(
        world.repo, "feature", files={"calc.py": "x = 1\n"}, message="Add x", by=world.alice
    )
    pull = await world.github.open_pull_request(
        world.repo, by=world.alice, head="feature", title="Add x", body="Adds x."
    )
    await world.github.review_comment(
        world.repo, pull.number, by=world.stranger, body="Why not 2?", path="calc.py", line=1
    )
    await world.say("@openinspect show-prompt", on=pull.number)
    await world.until(lambda: world.ours(pull.number)[1:])
    told = (await world.state(pull.number)).turns[0].said
    assert "+x = 1" in told
    assert "Why not 2?" in told
    assert "calc.py, line 1" in told
