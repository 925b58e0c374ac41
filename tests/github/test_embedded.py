"""The whole API against the embedded GitHub, which checks every token's scope and, in the end,
every request and answer against GitHub's published descriptions."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.published import assert_as_published

from bot.demo.github import App, EmbeddedGitHub, Fault, Installation, Person, Repo
from orchestrator.github import (
    AppIdentity,
    CheckOutput,
    Endpoints,
    EntryKind,
    GitHub,
    OnIssue,
    OnIssueComment,
    OnReview,
    OnReviewComment,
    Repository,
    errors,
)
from orchestrator.secret import Secret

FILES = {
    "README.md": "# app\n",
    ".openinspect/config.yml": "version: 1\n",
    ".github/pull_request_template.md": "## Why\n",
    "src/app.py": "x = 1\n",
    "data.bin": bytes(range(256)),
}


class QuickClock:
    """The real time, but sleeping takes none of it."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass(kw_only=True)
class Place:
    """The demo's world in small: an App in one of two repositories, and people."""

    gh: EmbeddedGitHub
    app: App
    installation: Installation
    repo: Repo
    alice: Person
    github: GitHub
    repository: Repository
    clock: QuickClock

    def at(self, repo: Repo) -> Repository:
        return self.github.repository(
            installation=self.installation.id, repository=repo.id, full_name=repo.full_name
        )

    @property
    def scopes(self) -> list[dict[str, str]]:
        """Of every token that was made, in order, without what every token has."""
        given = [dict(token.permissions) for token in self.gh.tokens if token.installation]
        return [{k: v for k, v in one.items() if k != "metadata"} for one in given]


@pytest.fixture(params=[False, True], ids=["short-tokens", "long-tokens"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    clock = QuickClock()
    async with (
        aiohttp.ClientSession() as session,
        EmbeddedGitHub(root=tmp_path, clock=clock.now, record=True) as gh,
    ):
        app = gh.create_app(
            slug="openinspect",
            long_tokens=request.param,
            permissions={
                "checks": "write",
                "contents": "write",
                "issues": "write",
                "pull_requests": "write",
                "workflows": "write",
            },
        )
        alice = gh.create_person("octocat")
        repo = await gh.create_repository("acme/app", files=FILES, private=True)
        gh.grant(repo, alice, "write")
        installation = gh.install(app, [repo])
        github = GitHub(
            endpoints=Endpoints(api_url=gh.api_url, graphql_url=gh.graphql_url, server_url=gh.url),
            identity=AppIdentity(
                app_id=app.id,
                client_id=app.client_id,
                private_key=Secret(app.private_key_pem),
                slug=app.slug,
            ),
            session=session,
            clock=clock,
            on_secret=lambda text: None,
        )
        place = Place(
            gh=gh,
            app=app,
            installation=installation,
            repo=repo,
            alice=alice,
            github=github,
            repository=github.repository(
                installation=installation.id, repository=repo.id, full_name=repo.full_name
            ),
            clock=clock,
        )
        yield place
        await github.close()
        assert gh.unhandled == []
        assert_as_published(gh)
        assert all(
            token.repositories == (repo,) or token.repositories is None for token in gh.tokens
        )


async def test_who_we_are(place: Place) -> None:
    info = await place.github.verify_app()
    assert (info.id, info.slug) == (place.app.id, "openinspect")
    assert info.bot_user_id == place.app.bot.id
    assert info.permissions["contents"] == "write"
    assert await place.github.installation_of("acme/app") == place.installation.id
    assert await place.github.installation_of("acme/elsewhere") is None


async def test_another_app_than_configured_is_said(place: Place) -> None:
    place.app.slug = "renamed-app"
    with pytest.raises(errors.WrongApp, match=r"renamed-app .* openinspect"):
        await place.github.verify_app()


async def test_what_a_repository_is(place: Place) -> None:
    info = await place.repository.info()
    assert (info.id, info.full_name, info.default_branch) == (place.repo.id, "acme/app", "main")
    assert info.private and not info.archived


async def test_who_may_what(place: Place) -> None:
    reader, boss = place.gh.create_person("reader"), place.gh.create_person("boss")
    place.gh.grant(place.repo, reader, "triage")
    place.gh.grant(place.repo, boss, "maintain", role_name="release-captain")
    alice = await place.repository.permission("octocat")
    assert (alice.user_id, alice.can_push, alice.can_admin) == (place.alice.id, True, False)
    assert not (await place.repository.permission("reader")).can_push
    captain = await place.repository.permission("boss")
    assert captain.can_push
    assert captain.role == "release-captain"
    nobody = await place.repository.permission("nobody-here")
    assert (nobody.user_id, nobody.can_push, nobody.role) == (None, False, "none")
    assert place.scopes == [{}], "metadata only"


async def test_files_and_branches(place: Place) -> None:
    head = await place.repository.branch_head("main")
    assert head is not None
    config = await place.repository.file(".openinspect/config.yml", ref=head)
    assert config is not None
    assert (config.kind, config.content, config.mode) == (EntryKind.FILE, b"version: 1\n", "100644")
    for ref in ("main", head):
        binary = await place.repository.file("data.bin", ref=ref)
        assert binary is not None
        assert binary.content == bytes(range(256))
    folder = await place.repository.file("src", ref=head)
    assert folder is not None
    assert (folder.kind, folder.content) == (EntryKind.DIRECTORY, None)
    large = await place.repository.file("data.bin", ref=head, limit=100)
    assert large is not None
    assert (large.size, large.content) == (256, None)
    for path in ("nothing", "src/nothing", "README.md/x", "nothing/at/all", ""):
        assert await place.repository.file(path, ref=head) is None
    assert await place.repository.file("README.md", ref="0" * 40) is None
    assert await place.repository.branch_head("no/such/branch") is None
    assert place.scopes == [{"contents": "read"}]


async def test_a_symbolic_link_is_never_followed(place: Place, tmp_path: Path) -> None:
    work = tmp_path / "work"
    git = await place.repository.git_credentials(write=True)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **git.environment()}

    def run(*arguments: str) -> None:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@x.test", *arguments]
        subprocess.run(command, check=True, env=env, capture_output=True, timeout=60)

    def push() -> None:
        run("clone", "-q", git.url, str(work))
        (work / "link.yml").symlink_to("README.md")
        (work / "tool.sh").write_text("#!/bin/sh\n")
        (work / "tool.sh").chmod(0o755)
        run("-C", str(work), "add", "-A")
        run("-C", str(work), "commit", "-q", "-m", "more kinds")
        run("-C", str(work), "push", "-q", "origin", "HEAD:main")

    await asyncio.to_thread(push)
    link = await place.repository.file("link.yml", ref="main")
    tool = await place.repository.file("tool.sh", ref="main")
    assert link is not None and tool is not None
    assert (link.kind, link.content) == (EntryKind.SYMLINK, None)
    assert (tool.kind, tool.content) == (EntryKind.EXECUTABLE, b"#!/bin/sh\n")
    assert await place.repository.file("link.yml/x", ref="main") is None
    config = (work / ".git" / "config").read_text()
    assert "extraheader" not in config and "ghs_" not in config


async def test_a_token_to_read_does_not_push(place: Place, tmp_path: Path) -> None:
    git = await place.repository.git_credentials(write=False)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **git.environment()}
    command = ["git", "ls-remote", git.url]

    def run(command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=60, check=False, **more
        )

    listed = await asyncio.to_thread(run, command)
    assert "refs/heads/main" in listed.stdout
    clone = ["git", "clone", "-q", git.url, str(tmp_path / "w")]
    assert (await asyncio.to_thread(run, clone)).returncode == 0
    push = ["git", "-C", str(tmp_path / "w"), "push", "origin", "HEAD:refs/heads/x"]
    refused = await asyncio.to_thread(run, push)
    assert refused.returncode != 0
    assert "x" not in place.gh.branches(place.repo)


async def test_a_conversation(place: Place) -> None:
    repository, gh = place.repository, place.gh
    opened = await gh.open_issue(place.repo, by=place.alice, title="Flaky", body="It is flaky")
    issue = await repository.issue(opened.number)
    assert (issue.title, issue.body, issue.state) == ("Flaky", "It is flaky", "open")
    assert (issue.author.id, issue.author.type) == (place.alice.id, "User")
    assert not issue.is_pull_request
    hers = await gh.comment(place.repo, issue.number, by=place.alice, body="<!-- mark --> copied")
    first = await repository.create_comment(issue.number, "<!-- mark --> one")
    second = await repository.create_comment(issue.number, "<!-- mark --> two")
    other = await repository.create_comment(issue.number, "something else")
    assert first.app_id == place.app.id
    assert [c.id for c in await repository.comments(issue.number)] == [
        hers.id, first.id, second.id, other.id,
    ]  # fmt: skip
    since = datetime.now(UTC) - timedelta(hours=1)
    ours = await repository.find_own_comments(issue.number, containing="<!-- mark", since=since)
    assert [comment.id for comment in ours] == [first.id, second.id]
    edited = await repository.edit_comment(first.id, "changed")
    assert edited.body == "changed"
    found = await repository.comment(first.id)
    assert found is not None and found.body == "changed"
    await repository.delete_comment(second.id)
    await repository.delete_comment(second.id)
    assert await repository.comment(second.id) is None
    assert len(gh.comments(place.repo, issue.number)) == 3


async def test_reactions_are_made_once(place: Place) -> None:
    issue = await place.gh.open_issue(place.repo, by=place.alice, title="t", body="b")
    comment = await place.gh.comment(place.repo, issue.number, by=place.alice, body="c")
    for _ in range(2):
        await place.repository.react(OnIssueComment(id=comment.id), "eyes")
        await place.repository.react(OnIssue(number=issue.number), "eyes")
    await place.repository.react(OnReview(id=1), "eyes")
    for seen in (issue, comment):
        assert [(r.content, r.user.id) for r in place.gh.reactions(seen)] == [
            ("eyes", place.app.bot.id)
        ]


async def test_labels(place: Place) -> None:
    issue = await place.gh.open_issue(place.repo, by=place.alice, title="t", body="b")
    name = "openinspect: working"
    for _ in range(2):
        await place.repository.ensure_label(name, "1f6feb", "An agent is at work here")
        await place.repository.add_label(issue.number, name)
    await place.at(place.repo).ensure_label(name, "ffffff", "other")
    assert place.gh.labels(place.repo, issue.number) == [name]
    assert (await place.repository.issue(issue.number)).labels == (name,)
    for _ in range(2):
        await place.repository.remove_label(issue.number, name)
    assert place.gh.labels(place.repo, issue.number) == []


async def test_a_pull_request(place: Place) -> None:
    repository, gh = place.repository, place.gh
    branch = "openinspect/1-fix"
    files = {"src/app.py": "x = 2\n", "new.py": "y = 1\n"}
    await gh.push_commit(place.repo, branch, by=place.alice, files=files, message="fix")
    assert await repository.pulls_with_head(branch) == []
    made = await repository.create_pull(
        title="Fix it", body="Why", head=branch, base="main", draft=True
    )
    assert made.draft and not made.merged
    assert (made.head.ref, made.head.repository) == (branch, place.repo.id)
    assert made.base.ref == "main"
    assert made.author.id == place.app.bot.id
    with pytest.raises(errors.AlreadyExists):
        await repository.create_pull(title="t", body="b", head=branch, base="main", draft=True)
    assert [pull.number for pull in await repository.pulls_with_head(branch)] == [made.number]
    edited = await repository.edit_pull(made.number, title="Fix it well", body="Because")
    assert (edited.title, edited.body) == ("Fix it well", "Because")
    assert (await repository.edit_pull(made.number, title="Again")).body == "Because"
    listed = await repository.pull_files(made.number)
    assert [(f.path, f.status, f.added, f.removed) for f in listed] == [
        ("new.py", "added", 1, 0),
        ("src/app.py", "modified", 1, 1),
    ]
    assert (await repository.issue(made.number)).is_pull_request
    assert (await repository.create_comment(made.number, "done")).app_id == place.app.id
    await gh.merge(place.repo, made.number, by=place.alice)
    merged = await repository.pull(made.number)
    assert (merged.state, merged.merged) == ("closed", True)
    assert (await repository.pulls_with_head(branch))[0].merged


async def test_a_branch_without_a_change_is_refused_in_words(place: Place) -> None:
    head = await place.repository.branch_head("main")
    assert head is not None
    with pytest.raises(errors.Invalid):
        await place.repository.create_pull(
            title="t", body="b", head="no-such-branch", base="main", draft=False
        )


async def test_the_template_of_a_pull_request(place: Place) -> None:
    assert await place.repository.pull_request_template() == "## Why\n"


async def test_replies_stay_in_their_thread(place: Place) -> None:
    repository, gh = place.repository, place.gh
    changed = {"src/app.py": "x = 2\n"}
    await gh.push_commit(place.repo, "topic", by=place.alice, files=changed, message="m")
    pull = await gh.open_pull_request(
        place.repo, by=place.alice, title="t", body="b", head="topic", base="main"
    )
    asked = await gh.review_comment(
        place.repo, pull.number, by=place.alice, body="why?", path="src/app.py", line=1
    )
    await repository.react(OnReviewComment(id=asked.id), "eyes")
    reply = await repository.reply_to_review_comment(pull.number, asked.id, "because")
    assert reply.in_reply_to == asked.id
    again = await repository.reply_to_review_comment(pull.number, reply.id, "and so on")
    assert again.in_reply_to == asked.id, "GitHub takes no reply to a reply"
    listed = await repository.review_comments(pull.number)
    assert [comment.id for comment in listed] == [asked.id, reply.id, again.id]
    assert (listed[0].path, listed[0].line) == ("src/app.py", 1)
    assert await repository.review_comment(1) is None


async def test_a_check_run(place: Place) -> None:
    head = await place.repository.branch_head("main")
    assert head is not None
    made = await place.repository.create_check_run(
        name="openinspect",
        head_sha=head,
        external_id="session/1/check",
        status="in_progress",
        output=CheckOutput(title="Working", summary="turn 1"),
        details_url="https://example.test/session",
    )
    assert (made.status, made.conclusion, made.app_id) == ("in_progress", None, place.app.id)
    for _ in range(2):
        ended = await place.repository.update_check_run(
            made.id,
            status="completed",
            conclusion="success",
            output=CheckOutput(title="Done", summary="s", text="t"),
        )
    assert (ended.status, ended.conclusion) == ("completed", "success")
    found = await place.repository.check_runs(head, "openinspect")
    assert [(run.id, run.external_id) for run in found] == [(made.id, "session/1/check")]
    assert await place.repository.check_runs(head, "another") == []


async def test_missed_deliveries_are_found_again(place: Place) -> None:
    place.gh.set_webhook(place.app, "http://127.0.0.1:1/hook")
    issue = await place.gh.open_issue(place.repo, by=place.alice, title="t", body="b")
    await place.gh.deliver_pending()
    page = await place.github.deliveries()
    newest = page.deliveries[0]
    assert (newest.event, newest.action) == ("issues", "opened")
    assert newest.status_code != 200
    assert newest.repository == place.repo.id
    event = await place.github.delivery(newest.id)
    assert event is not None
    assert event.payload["action"] == "opened"
    found: Any = event.payload["issue"]
    assert found["number"] == issue.number
    assert {name.lower() for name in event.headers} >= {"x-github-delivery", "x-github-event"}
    await place.github.redeliver(newest.id)
    await place.gh.deliver_pending()
    again = (await place.github.deliveries()).deliveries[0]
    assert (again.guid, again.redelivery) == (newest.guid, True)
    assert again.id != newest.id
    assert await place.github.delivery(1) is None


async def test_an_uncertain_comment_is_found_by_its_marker(place: Place) -> None:
    """The caller's part of the bargain: look, then decide."""
    issue = await place.gh.open_issue(place.repo, by=place.alice, title="t", body="b")
    for kind in ("after_effect_500", "after_effect_drop", "before_effect_500"):
        place.gh.fail(Fault(method="POST", path=rf"issues/{issue.number}/comments$", kind=kind))  # type: ignore[arg-type]
        mark = f"<!-- {kind} -->"
        with pytest.raises(errors.UncertainOutcome):
            await place.repository.create_comment(issue.number, mark)
        found = await place.repository.find_own_comments(
            issue.number, containing=mark, since=datetime.now(UTC) - timedelta(minutes=5)
        )
        assert len(found) == (0 if kind == "before_effect_500" else 1)


async def test_reading_survives_what_github_throws_at_it(place: Place) -> None:
    issue = await place.gh.open_issue(place.repo, by=place.alice, title="t", body="b")
    for fault in (
        Fault(method="GET", path="/issues/", kind="before_effect_500", times=4),
        Fault(method="GET", path="/issues/", kind="before_effect_drop"),
        Fault(method="GET", path="/issues/", kind="truncated"),
        Fault(method="GET", path="/issues/", kind="secondary_limit", retry_after=10),
        Fault(method="GET", path="/issues/", kind="secondary_limit", status=429),
        Fault(method="GET", path="/issues/", kind="primary_limit", retry_after=30),
    ):
        place.gh.fail(fault)
        assert (await place.repository.issue(issue.number)).title == "t"
        assert fault.hits >= 1
    place.gh.fail(Fault(method="GET", path="/issues/", kind="html"))
    with pytest.raises(errors.BadAnswer):
        await place.repository.issue(issue.number)


async def test_a_token_that_ends_in_between_is_replaced(place: Place) -> None:
    issue = await place.gh.open_issue(place.repo, by=place.alice, title="t", body="b")
    await place.repository.issue(issue.number)
    for token in place.gh.tokens:
        token.revoked = True
    assert (await place.repository.issue(issue.number)).title == "t"
    place.clock.ahead += timedelta(minutes=70)
    assert (await place.repository.issue(issue.number)).title == "t"


async def test_taken_out_or_suspended(place: Place) -> None:
    issue = await place.gh.open_issue(place.repo, by=place.alice, title="t", body="b")
    await place.repository.issue(issue.number)
    place.installation.suspended = True
    with pytest.raises(errors.Suspended):
        await place.repository.issue(issue.number)
    place.installation.suspended = False
    place.gh.uninstall(place.installation)
    with pytest.raises(errors.NotInstalled):
        await place.repository.issue(issue.number)
    assert await place.github.installation_of("acme/app") is None


async def test_a_repository_where_the_app_is_not_is_not_installed(place: Place) -> None:
    other = await place.gh.create_repository("acme/secret", files={"a": "b"}, private=True)
    with pytest.raises(errors.NotInstalled):
        await place.at(other).branch_head("main")


async def test_missing_rights_are_named(place: Place) -> None:
    place.installation.permissions.pop("checks")
    with pytest.raises(errors.PermissionMissing, match="checks:write"):
        await place.repository.create_check_run(
            name="n", head_sha="0" * 40, external_id="e", status="queued"
        )


async def test_each_call_has_the_rights_it_needs_and_no_more(place: Place) -> None:
    """Each operation by itself, with a token of its own: the embedded GitHub refuses what is not
    covered, and what was asked for is listed here."""
    repository, gh = place.repository, place.gh
    issue = await gh.open_issue(place.repo, by=place.alice, title="t", body="b")
    await gh.push_commit(place.repo, "topic", by=place.alice, files={"a": "b"}, message="m")
    pull = await gh.open_pull_request(
        place.repo, by=place.alice, title="t", body="b", head="topic", base="main"
    )
    comment = await gh.comment(place.repo, issue.number, by=place.alice, body="c")
    thread = {"issues": "write", "pull_requests": "write"}
    read = {"issues": "read", "pull_requests": "read"}
    await repository.info()
    expected: list[tuple[Any, dict[str, str]]] = [
        (lambda: repository.permission("octocat"), {}),
        (lambda: repository.file("README.md", ref="main"), {"contents": "read"}),
        (lambda: repository.branch_head("main"), {"contents": "read"}),
        (lambda: repository.issue(issue.number), read),
        (lambda: repository.comments(issue.number), read),
        (lambda: repository.comment(comment.id), read),
        (lambda: repository.create_comment(issue.number, "x"), thread),
        (lambda: repository.create_comment(pull.number, "x"), thread),
        (lambda: repository.react(OnIssueComment(id=comment.id), "eyes"), thread),
        (lambda: repository.ensure_label("l", "ffffff", "d"), {"issues": "write"}),
        (lambda: repository.add_label(pull.number, "l"), thread),
        (lambda: repository.pull(pull.number), {"pull_requests": "read"}),
        (lambda: repository.pulls_with_head("topic"), {"pull_requests": "read"}),
        (lambda: repository.edit_pull(pull.number, title="u"), {"pull_requests": "write"}),
        (lambda: repository.pull_files(pull.number), {"pull_requests": "read"}),
        (lambda: repository.review_comments(pull.number), {"pull_requests": "read"}),
        (lambda: repository.check_runs("topic", "n"), {"checks": "read"}),
        (lambda: repository.git_credentials(write=False), {"contents": "read"}),
        (lambda: repository.git_credentials(write=True), {"contents": "write"}),
        (
            lambda: repository.git_credentials(write=True, workflows=True),
            {"contents": "write", "workflows": "write"},
        ),
    ]
    for operation, scope in expected:
        place.github._tokens.forget(place.installation.id)
        before = len(place.scopes)
        await operation()
        assert place.scopes[before:] == [scope]
