"""The demo: the whole product for real, on this machine, with no accounts.

The GitHub is embedded and the model's words are scripted; the server, the sandbox, the agent, git
and everything in between are what a deployment runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from rich.console import Console

from bot import settings as deployment
from bot.app import Parts, Server
from bot.demo.github import App, EmbeddedGitHub, Person, Repo
from bot.demo.happenings import (
    Asked,
    DiffShown,
    Opened,
    Summary,
    TestsRan,
    WentWrong,
)
from bot.demo.model import ModelServer
from bot.demo.proof import Proof, prove
from bot.demo.screenplay import (
    ANY_REPOSITORY,
    FIRST_PROMPT,
    FOLLOW_UP,
    ISSUE_BODY,
    ISSUE_TITLE,
    STORY,
    TEST_COMMAND,
)
from bot.demo.story import Story
from bot.demo.watcher import Watcher
from bot.deployment import agents_from, secrets_of
from bot.logging import set_up
from bot.settings import Settings, SettingsError
from orchestrator.gateway import Upstream, anthropic
from orchestrator.outgoing import Outgoing
from orchestrator.secret import Secret
from sandbox.providers.local import LocalProvider

log = structlog.get_logger()

SAMPLE = Path(__file__).parent / "sample"
REPOSITORY = "acme/patient"
DEMO_MODEL = "anthropic/claude-sonnet-4-5"
MODEL_KEY = "sk-ant-obviously-fake-demo-key-000000"
LOOK_AROUND = "look around and leave a short note of what you saw"
TURN_SECONDS = 180.0
"""The longest that the demo waits for one turn."""


class DemoFailed(Exception):
    """The demo did not get where it should; `str()` says where it stood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    keep: bool = False
    repository: Path | None = None
    model: str | None = None
    prompt: str | None = None

    @property
    def is_story(self) -> bool:
        """The sample repository and its two prompts."""
        return self.repository is None and self.prompt is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs while the demo plays."""

    github: EmbeddedGitHub
    server: Server
    repository: Repo
    person: Person
    issue: int


async def run_demo(options: DemoOptions, console: Console | None = None) -> int:
    """Exit code 0 only if the pull request's head passes its tests in a fresh clone."""
    console = console or Console()
    root = Path(tempfile.mkdtemp(prefix="openinspect-demo-"))
    try:
        with Story(console) as story:
            try:
                async with _stage(root, options, story) as stage:
                    return await _play(stage, options, story)
            except (DemoFailed, SettingsError) as error:
                story.tell(WentWrong(what=str(error)))
                return 1
    finally:
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)


async def _play(stage: Stage, options: DemoOptions, story: Story) -> int:
    github, repository, person = stage.github, stage.repository, stage.person
    thread = f"{github.url}/{repository.full_name}/issues/{stage.issue}"
    story.tell(Opened(repository=repository.full_name, url=thread))
    watcher = Watcher(github, stage.server, repository, stage.issue, story)
    watching = asyncio.create_task(watcher.run())
    try:
        prompt = options.prompt or (FIRST_PROMPT if options.is_story else LOOK_AROUND)
        await _ask(stage, story, stage.issue, prompt)
        await _until(watcher, lambda: watcher.turns_ended >= 1, "the first turn ends")
        pulls = github.pulls(repository)
        if not pulls:
            raise DemoFailed(f"the first turn opened no pull request: {watcher.last_reason}")
        number = pulls[0].number
        if options.is_story:
            await _ask(stage, story, number, FOLLOW_UP)
            await _until(watcher, lambda: watcher.turns_ended >= 2, "the second turn ends")
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        watcher.catch_up()
    return await _end(stage, options, story, number, person)


async def _ask(stage: Stage, story: Story, number: int, prompt: str) -> None:
    text = f"@openinspect {prompt}"
    where = f"{stage.repository.full_name}#{number}"
    story.tell(Asked(author=stage.person.login, thread=where, text=text))
    await stage.github.comment(stage.repository, number, by=stage.person, body=text)


async def _until(watcher: Watcher, condition: Callable[[], bool], what: str) -> None:
    try:
        await watcher.wait_for(condition, TURN_SECONDS)
    except TimeoutError:
        raise DemoFailed(
            f"waited {TURN_SECONDS:g} s until {what}; the last step was: {watcher.last_step}"
        ) from None


async def _end(
    stage: Stage, options: DemoOptions, story: Story, number: int, person: Person
) -> int:
    github, repository = stage.github, stage.repository
    pull = next(p for p in github.pulls(repository) if p.number == number)
    command = TEST_COMMAND if options.repository is None else ""
    proof: Proof = await prove(
        f"{github.url}/{repository.full_name}.git",
        token=github.personal_token(person),
        base=pull.base,
        head=pull.head,
        test_command=command,
    )
    story.tell(DiffShown(patch=proof.patch))
    if command:
        story.tell(
            TestsRan(command=command, ok=proof.tests_pass, seconds=proof.seconds, tail=proof.tail)
        )
    wanted = 2 if options.is_story else 1
    authored = all(person.login in commit.author for commit in proof.commits)
    good = proof.tests_pass and len(proof.commits) >= wanted and authored
    page = f"{github.url}/{repository.full_name}/pull/{number}"
    commits = "; ".join(f"{c.sha[:7]} {c.subject} ({c.author})" for c in proof.commits)
    story.tell(
        Summary(
            ok=good,
            facts=(
                ("Pull request", f"#{number} {pull.title}"),
                ("Commits", commits or "none"),
                ("Comments", f"{len(github.comments(repository, stage.issue))} on the issue"),
            ),
            open=(page, f"{github.url}/{repository.full_name}/issues/{stage.issue}")
            if options.keep
            else (),
            type=("Ctrl-C to end",)
            if options.keep
            else ("openinspect demo --keep", "openinspect demo --repo PATH --prompt TEXT"),
        )
    )
    if options.keep:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    return 0 if good else 1


@contextlib.asynccontextmanager
async def _stage(root: Path, options: DemoOptions, story: Story) -> AsyncIterator[Stage]:
    """Start everything, and leave nothing behind: no process, no mount, no file."""
    async with contextlib.AsyncExitStack() as stack:
        github = await stack.enter_async_context(EmbeddedGitHub(root / "github"))
        person = github.create_person("octocat", name="Mona Lisa")
        secret = secrets.token_hex(16)
        app = github.create_app(webhook_secret=secret)
        source = options.repository.resolve() if options.repository is not None else SAMPLE
        name = REPOSITORY if options.repository is None else f"acme/{_slug(source.name)}"
        repository = await github.create_repository(name, source=source)
        github.install(app, [repository])
        github.grant(repository, person, "write")
        title, body = (
            (ISSUE_TITLE, ISSUE_BODY)
            if options.repository is None
            else ("Try Open-Inspect here", "")
        )
        issue = await github.open_issue(repository, by=person, title=title, body=body)
        settings, upstreams = await _models(stack, root, options, github, app, secret)
        outgoing = Outgoing(secrets_of(settings))
        set_up(
            style="text",
            level=os.environ.get("OPENINSPECT_LOG_LEVEL", "error"),
            clean=outgoing.clean,
        )
        if settings.agent == () and agents_from(settings).opencode is None:
            raise DemoFailed("OpenCode is not installed here; run `make setup` first")
        provider = LocalProvider(settings.data / "sandboxes", tools=settings.tools, log=log)
        stack.push_async_callback(_leave_nothing, provider)
        for problem in await provider.preflight():
            if problem.fatal:
                raise DemoFailed(f"{problem.what}; type: {problem.fix}")
        server = Server(settings, outgoing, Parts(upstreams=upstreams, provider=provider))
        await server.start()
        stack.push_async_callback(server.close)
        github.set_webhook(app, f"http://127.0.0.1:{server.port}/webhooks/github", secret)
        yield Stage(
            github=github,
            server=server,
            repository=repository,
            person=person,
            issue=issue.number,
        )


async def _leave_nothing(provider: LocalProvider) -> None:
    """Sandboxes outlive a server on purpose; the demo's do not outlive the demo."""
    for info in await provider.list({}):
        await provider.terminate(info.id)
    await provider.close()


async def _models(
    stack: contextlib.AsyncExitStack,
    root: Path,
    options: DemoOptions,
    github: EmbeddedGitHub,
    app: App,
    secret: str,
) -> tuple[Settings, tuple[Upstream, ...] | None]:
    values = {
        "GITHUB_APP_ID": str(app.id),
        "GITHUB_APP_PRIVATE_KEY": app.private_key_pem,
        "GITHUB_WEBHOOK_SECRET": secret,
        "GITHUB_API_URL": github.api_url,
        "GITHUB_GRAPHQL_URL": github.graphql_url,
        "GITHUB_SERVER_URL": github.url,
        "OPENINSPECT_DATA": str(root / "server"),
        "OPENINSPECT_PORT": "0",
        "OPENINSPECT_STATE_KEY": secrets.token_hex(32),
        "OPENINSPECT_MODEL": options.model or DEMO_MODEL,
        "OPENINSPECT_TOOLS": str(tools_directory()),
    }
    if options.model is not None:
        for name in ("ANTHROPIC", "OPENAI", "OPENCODE"):
            for end in ("API_KEY", "BASE_URL"):
                value = os.environ.get(f"{name}_{end}")
                if value:
                    values[f"{name}_{end}"] = value
        return deployment.parse(values), None
    script = STORY if options.repository is None else ANY_REPOSITORY
    serving = await stack.enter_async_context(ModelServer(script, key=MODEL_KEY))
    return deployment.parse(values), (anthropic(Secret(MODEL_KEY), serving.url),)


def tools_directory() -> Path:
    """Where `make setup` put OpenCode: `OPENINSPECT_TOOLS`, else `.tools` of the checkout."""
    configured = os.environ.get("OPENINSPECT_TOOLS")
    return Path(configured) if configured else Path(__file__).parents[2] / ".tools"


def _slug(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    return kept.strip("-.") or "project"
