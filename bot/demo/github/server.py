"""The embedded GitHub as tests and the demo hold it: people act, Apps call in, all is seen."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Literal, Self

from aiohttp import hdrs, web

from . import apps, people
from .accounts import App, Grant, Person
from .door import RestDoor
from .faults import Fault
from .githttp import GitDoor
from .gitstore import BareRepository, Signature
from .graphql_door import GraphQLDoor
from .hooks import Hooks
from .looking import Looking
from .model import (
    Delivery,
    Installation,
    Repo,
    Token,
)
from .pages import Pages
from .world import World

DEFAULT_PERMISSIONS: Mapping[str, str] = {
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "pull_requests": "write",
}


def real_clock() -> datetime:
    return datetime.now(UTC)


class EmbeddedGitHub(people.PeopleActions, Looking):
    """Use as `async with EmbeddedGitHub(root=folder) as gh`; it serves from then until the end.

    `clock` is what tokens, timestamps and listings go by. With `record=True` every request is
    kept in `exchanges`, so that tests can hold it against GitHub's published descriptions.
    """

    def __init__(
        self,
        root: Path,
        clock: Callable[[], datetime] = real_clock,
        record: bool = False,
    ) -> None:
        self.world = World(root, clock)
        self.hooks = Hooks(self.world)
        self.rest = RestDoor(self.world, self.hooks, record=record)
        self.graphql = GraphQLDoor(self.world, self.hooks, record=record)
        self.git = GitDoor(self.world, self.hooks)
        self.pages = Pages(self.world)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        self.git.prepare()
        door = web.Application(client_max_size=2**31)
        door.on_response_prepare.append(self._dated)
        door.router.add_route("*", "/api/v3{path:/.*}", self.rest.handle)
        door.router.add_post("/api/graphql", self.graphql.handle)
        door.router.add_route(
            "*",
            "/{owner}/{name}/{rest:info/refs|git-upload-pack|git-receive-pack}",
            self.git.handle,
        )
        for path, page in self.pages.routes():
            door.router.add_get(path, page)
        self._runner = web.AppRunner(door, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        _, port = self._runner.addresses[0][:2]
        self.world.url = f"http://127.0.0.1:{port}"
        await self.hooks.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hooks.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _dated(self, request: web.Request, response: web.StreamResponse) -> None:
        """Clients read resets and expiries against this header, so it goes by our clock too."""
        response.headers[hdrs.DATE] = format_datetime(self.world.now(), usegmt=True)

    # -- where it is

    @property
    def url(self) -> str:
        """The web pages, and git at `{url}/{owner}/{repo}.git`."""
        return self.world.url

    @property
    def api_url(self) -> str:
        return f"{self.world.url}/api/v3"

    @property
    def graphql_url(self) -> str:
        return f"{self.world.url}/api/graphql"

    # -- who and what there is

    def create_person(
        self,
        login: str,
        name: str | None = None,
        type: Literal["User", "Bot", "Organization"] = "User",
    ) -> Person:
        person = Person(
            id=self.world.next_id("person"),
            login=login,
            name=name or login,
            type=type,
            created_at=self.world.now(),
        )
        if self.world.person(login) is not None:
            raise ValueError(f"{login} exists already")
        self.world.people[login.lower()] = person
        self.world.touch()
        return person

    def create_app(
        self,
        slug: str = "openinspect",
        name: str = "Open-Inspect",
        webhook_url: str | None = None,
        webhook_secret: str = "not-a-real-secret",  # noqa: S107 - obviously made up
        permissions: Mapping[str, str] | None = None,
        long_tokens: bool = False,
    ) -> App:
        """An App with a key pair and a bot account `slug[bot]`, not yet installed anywhere.

        `long_tokens` chooses the `ghs_APPID_JWT` form of 2026 over `ghs_` and 36 characters.
        """
        owner = self.world.person("apps") or self.create_person("apps", type="Organization")
        return apps.create_app(
            self.world,
            slug=slug,
            name=name,
            owner=owner,
            bot=self.create_person(f"{slug}[bot]", name=f"{slug}[bot]", type="Bot"),
            webhook_url=webhook_url,
            webhook_secret=webhook_secret,
            permissions=DEFAULT_PERMISSIONS if permissions is None else permissions,
            long_tokens=long_tokens,
        )

    def set_webhook(self, app: App, url: str | None, secret: str | None = None) -> None:
        app.webhook_url = url
        app.webhook_secret = app.webhook_secret if secret is None else secret

    async def create_repository(
        self,
        full_name: str,
        files: Mapping[str, str | bytes | None] | None = None,
        source: Path | None = None,
        private: bool = False,
        default_branch: str = "main",
        description: str | None = None,
        owner: Person | None = None,
    ) -> Repo:
        """With `files` as its first commit, or as a copy of `source`: a git repository (all its
        branches and tags), or a plain folder whose files become the first commit.
        """
        login, _, name = full_name.partition("/")
        account = owner or self.world.person(login)
        account = account or self.create_person(login, type="Organization")
        path = self.world.root / "repositories" / login / f"{name}.git"
        if source is not None and _is_git(source):
            git = await asyncio.to_thread(BareRepository.copy_of, source, path, default_branch)
        else:
            git = BareRepository.create(path, default_branch)
            files = _files_under(source) if source is not None else files
            if files:
                now = self.world.now()
                author = Signature(name=account.name, email=account.email, when=now)
                git.commit_files(default_branch, files, "Initial commit", author, None)
        now = self.world.now()
        repo = Repo(
            id=self.world.next_id("repository"),
            owner=account,
            name=name,
            private=private,
            default_branch=default_branch,
            description=description,
            created_at=now,
            pushed_at=now,
            git=git,
        )
        self.world.repositories[full_name.lower()] = repo
        self.world.touch()
        return repo

    async def fork(self, repo: Repo, owner: Person) -> Repo:
        """A copy in another account, from which pull requests can come."""
        made = await self.create_repository(
            f"{owner.login}/{repo.name}",
            source=repo.path,
            default_branch=repo.default_branch,
            private=repo.private,
        )
        made.parent = repo
        return made

    def install(self, app: App, repositories: Sequence[Repo]) -> Installation:
        """On the account that owns them; again with other repositories adds those."""
        return apps.install(self.hooks, app, repositories)

    def uninstall(
        self, installation: Installation, repositories: Sequence[Repo] | None = None
    ) -> None:
        """Take it from some repositories, or altogether; its tokens stop working."""
        apps.uninstall(self.hooks, installation, repositories)

    def grant(
        self,
        repo: Repo,
        person: Person,
        level: Literal["admin", "maintain", "write", "triage", "read", "none"],
        role_name: str | None = None,
    ) -> None:
        """`role_name` names a custom role that is built on `level`."""
        repo.grants[person.id] = Grant(level=level, role_name=role_name or level)
        self.world.touch()

    def protect(self, repo: Repo, branch: str) -> None:
        """From now on the branch only moves forward and cannot be deleted."""
        repo.protected.add(f"refs/heads/{branch}")

    def token_for(
        self,
        installation: Installation,
        repositories: Sequence[Repo] | None = None,
        permissions: Mapping[str, str] | None = None,
    ) -> str:
        """An installation token without asking over HTTP: an Action's GITHUB_TOKEN, say."""
        token = apps.mint(
            self.world, installation, repositories=repositories, permissions=permissions
        )
        return token.value

    def personal_token(self, person: Person) -> str:
        """For `git push` or API calls as this person."""
        return apps.personal_token(self.world, person).value

    @property
    def tokens(self) -> list[Token]:
        """Every token ever given out, so that tests can look for them where none may be."""
        return list(self.world.tokens.values())

    # -- deliveries and faults

    async def deliver_pending(self) -> None:
        """Returns when every delivery caused so far was answered or has failed."""
        await self.hooks.drain()

    async def redeliver(self, guid: str) -> Delivery:
        """As a person clicks Redeliver; returns when it was answered or has failed."""
        found = [d for d in self.deliveries if d.guid == guid]
        if not found:
            raise KeyError(guid)
        again = self.hooks.again(found[-1])
        await self.wait_for(lambda: not again.pending)
        return again

    def drop_deliveries(self, drop: bool) -> None:
        """While set, deliveries fail as if the receiver were down."""
        self.world.faults.drop_deliveries = drop

    def fail(self, fault: Fault) -> Fault:
        """Set a knob; the fault counts its own `hits`."""
        self.world.faults.add(fault)
        return fault

    def heal(self) -> None:
        """Take all knobs back."""
        self.world.faults.clear()


def _is_git(source: Path) -> bool:
    return (source / ".git").exists() or (source / "objects").is_dir()


def _files_under(source: Path) -> dict[str, str | bytes | None]:
    found: dict[str, str | bytes | None] = {}
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            with contextlib.suppress(OSError):
                found[path.relative_to(source).as_posix()] = path.read_bytes()
    return found
