"""One push: what arrives is known, what is refused is said, and nothing is forced."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from support.code_remote import TOKEN, git

from orchestrator.courier import (
    AllowedBranches,
    AlreadyThere,
    CourierRefused,
    GitError,
    Moved,
    Pushed,
    PushUncertain,
    Rejected,
    push,
    remote_tip,
)
from orchestrator.courier.push import refusal

BRANCH = "openinspect/41-fix"


async def one_push(yard, expected: str | None = None, seconds: float = 60) -> Any:
    await yard.write("a.txt")
    taken = await yard.taken("Work")
    return taken, await push(
        yard.opens,
        taken,
        branch=BRANCH,
        expected=expected,
        allowed=yard.allowed,
        seconds=seconds,
    )


async def test_an_answer_that_is_lost_after_the_push_arrived(yard):
    async def lose(request: web.Request) -> web.StreamResponse | None:
        if request.path.endswith("git-receive-pack") and request.method == "POST":
            assert request.transport is not None
            request.transport.close()
        return None

    yard.server.after = lose
    taken, outcome = await one_push(yard)
    assert outcome == Pushed(head=taken.head)


async def test_a_server_error_before_anything_happened_is_uncertain(yard):
    async def fail(request: web.Request) -> web.StreamResponse | None:
        broken = request.method == "POST" and request.path.endswith("git-receive-pack")
        return web.Response(status=502) if broken else None

    yard.server.before = fail
    with pytest.raises(PushUncertain):
        await one_push(yard)
    yard.server.before = None
    taken, outcome = await one_push(yard)
    assert outcome == Pushed(head=taken.head)


async def test_a_server_that_is_gone_is_uncertain(yard):
    async def gone(request: web.Request) -> web.StreamResponse | None:
        return web.Response(status=503)

    yard.server.before = gone
    with pytest.raises(PushUncertain) as caught:
        await one_push(yard)
    assert TOKEN not in str(caught.value) + repr(caught.value.__cause__)


async def test_a_push_that_hangs_is_ended_and_looked_after(yard):
    hang = asyncio.Event()

    async def stop(request: web.Request) -> web.StreamResponse | None:
        if request.method == "POST" and request.path.endswith("git-receive-pack"):
            await hang.wait()
        return None

    yard.server.after = stop
    taken, outcome = await one_push(yard, seconds=1.5)
    assert outcome == Pushed(head=taken.head)
    hang.set()


async def test_somebody_is_faster_while_we_push(yard):
    await git(yard.seed, "checkout", "-q", "-b", "theirs")
    (yard.seed / "b.txt").write_text("b\n")
    await git(yard.seed, "add", "-A")
    await git(yard.seed, "commit", "-q", "-m", "Theirs")
    await git(yard.seed, "push", "-q", str(yard.remote), "theirs")
    theirs = await git(yard.seed, "rev-parse", "HEAD")

    async def overtake(request: web.Request) -> web.StreamResponse | None:
        if request.method == "POST" and request.path.endswith("git-receive-pack"):
            await git(yard.remote, "update-ref", f"refs/heads/{BRANCH}", theirs)
        return None

    yard.server.before = overtake
    _, outcome = await one_push(yard)
    assert outcome == Moved(tip=theirs)
    assert await yard.remote_head() == theirs


async def test_a_branch_that_was_deleted_is_not_made_again(yard):
    _, outcome = await one_push(yard, expected=yard.base)
    assert outcome == Moved(tip=None)


HOOKS = [
    ("error: GH006: Protected branch update failed", "the branch is protected"),
    ("error: GH013: Repository rule violations found", "a ruleset of the repository"),
    ("remote: - Push cannot contain secrets (GH013: rule violations)", "secret scanning"),
    ("error: GH001: Large files detected. x is 120 MB; exceeds GitHub's file size", "too large"),
    ("error: GH008: Your push referenced at least 1 unknown Git LFS objects", "Git LFS"),
    (
        "refusing to allow a GitHub App to create or update workflow `x` without `workflows`"
        " permission",
        "no `workflows` permission",
    ),
    ("we are on holiday", "we are on holiday"),
]


@pytest.mark.parametrize(("said", "sentence"), HOOKS)
async def test_what_the_remote_refuses_is_said(yard, said, sentence):
    hook = yard.remote / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ncat <<'END' >&2\n{said}\nEND\nexit 1\n")
    hook.chmod(0o755)
    _, outcome = await one_push(yard)
    assert isinstance(outcome, Rejected) and sentence in outcome.reason, outcome
    assert await remote_tip(yard.opens, BRANCH) is None


async def test_missing_rights_are_said(yard):
    async def forbid(request: web.Request) -> web.StreamResponse | None:
        return web.Response(status=403) if "receive-pack" in request.path_qs else None

    yard.server.before = forbid
    _, outcome = await one_push(yard)
    assert outcome == Rejected(reason="The App has no permission to push here (`contents: write`).")


async def test_a_redirect_is_not_followed(yard):
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse | None:
        seen.append(request.path_qs)
        if request.path.startswith("/app.git"):
            raise web.HTTPTemporaryRedirect(yard.server.url + "/evil" + request.path_qs)
        return None

    yard.server.before = elsewhere
    with pytest.raises(GitError):
        await remote_tip(yard.opens, BRANCH)
    assert seen and not any(path.startswith("/evil") for path in seen)


async def test_a_wrong_token_opens_nothing_and_is_not_told(yard):
    opens = yard.server.opens("app.git", token="ghs_another_CANARY_token_0123456789")
    with pytest.raises(GitError) as caught:
        await remote_tip(opens, BRANCH)
    basic = opens.header.reveal().split(" ")[-1]
    assert "CANARY" not in str(caught.value) and basic not in str(caught.value)
    assert len(yard.server.requests) <= 2


async def test_only_the_one_ref_is_pushed(yard):
    await git(yard.work, "tag", "v1")
    await yard.write("a.txt")
    await yard.commit("One")
    await git(yard.work, "tag", "-a", "-m", "x", "v2")
    await git(yard.work, "branch", "other")
    taken = await yard.taken(None)
    before = await git(yard.remote, "for-each-ref")
    await push(yard.opens, taken, branch=BRANCH, expected=None, allowed=yard.allowed)
    after = await git(yard.remote, "for-each-ref", "--format=%(refname)")
    assert after.splitlines() == ["refs/heads/main", f"refs/heads/{BRANCH}"]
    assert BRANCH not in before


HOSTILE = [
    "",
    "main",
    "Main",
    "MAIN",
    "HEAD",
    "@",
    "refs/heads/main",
    "refs/tags/v1",
    "refs/heads/openinspect/x",
    "heads/main",
    "tags/v1",
    "openinspect/",
    "openinspect",
    "openinspect/state",
    "openinspect/State",
    "OPENINSPECT/STATE",
    "openinspect/state/x",
    "openinspect//state",
    "openinspect/./state",
    "openinspect/x/../state",
    "openinspect/../main",
    "openinspect/x:refs/heads/main",
    "openinspect/x:main",
    ":main",
    "+main",
    "+openinspect/x",
    "^main",
    "openinspect/x^{}",
    "openinspect/x~1",
    "openinspect/@{u}",
    "openinspect/*",
    "openinspect/?",
    "openinspect/[a]",
    "openinspect/x main",
    "openinspect/x\nmain",
    "openinspect/x\0",
    "openinspect/x\\main",
    "openinspect/.x",
    "openinspect/x.lock",
    "openinspect/x.",
    "openinspect/x/",
    "-f",
    "--force",
    "--mirror",
    "--delete",
    "openinspect/--receive-pack=x ",
    "feature/x",
    "release",
    "gh-pages",
    "a" * 40,
    "openinspect/" + "x" * 300,
    "openinspect/\u202ex",
    "openinspect/caf\u00e9",
    "/openinspect/x",
    "https://evil.test/openinspect/x",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_other_name_gets_through(yard_light, name):
    taken, opens, allowed = yard_light
    with pytest.raises(CourierRefused):
        await push(opens, taken, branch=name, expected=None, allowed=allowed)
    assert not AllowedBranches(
        default_branch="main", prefix="openinspect/", pull_head="main"
    ).allows("main")


@pytest.fixture
def yard_light() -> Any:
    """Names are refused before anything is looked at."""
    return None, None, AllowedBranches(default_branch="main", prefix="openinspect/")


def test_the_head_of_ones_own_pull_request_is_allowed():
    allowed = AllowedBranches(default_branch="main", prefix="openinspect/", pull_head="fix/ü")
    assert allowed.allows("fix/ü") and allowed.allows("openinspect/41-x")
    assert not allowed.allows("fix/other")
    for head in ("main", "openinspect/state", "refs/heads/main", "a b", "-x"):
        other = AllowedBranches(default_branch="main", prefix="openinspect/", pull_head=head)
        assert not other.allows(head)
    assert not AllowedBranches(default_branch="main", prefix="").allows("anything")


def test_words_that_are_no_refusal():
    assert refusal("fatal: unable to access: Could not resolve host") is None
    assert refusal("error: RPC failed; HTTP 502") is None


def test_outcomes_compare_by_content():
    assert AlreadyThere(head="a") == AlreadyThere(head="a")
