"""The composition root: everything is built here, started in order, and let go in reverse."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field

import aiohttp
import structlog
from aiohttp import web

from bot.api import Api
from bot.deployment import agents_from, author, deployment_name, state_key, upstreams_from
from bot.intake import Intake
from bot.metrics import Metrics
from bot.missed import Missed
from bot.settings import Settings
from bot.webhook import MAX_BODY, Webhook
from orchestrator.access import Access
from orchestrator.agents import Agents
from orchestrator.asking import Asking
from orchestrator.clock import SystemClock
from orchestrator.courier import HostGit, Mirrors
from orchestrator.engine import Engine
from orchestrator.filing import Filing
from orchestrator.gateway import Gateway, Upstream, model_session
from orchestrator.github.app import AppIdentity
from orchestrator.github.client import GitHub
from orchestrator.github.endpoints import Endpoints
from orchestrator.github.errors import GitHubError, RateLimited, TryLater
from orchestrator.github.limits import Pace
from orchestrator.github.values import AppInfo
from orchestrator.looking import Looking
from orchestrator.notices import Notices
from orchestrator.opening import Deployment, Threads
from orchestrator.outgoing import Outgoing
from orchestrator.performing import Performing
from orchestrator.ports import Clock
from orchestrator.publisher import EditFailed, EditRefused, Publisher
from orchestrator.repo_config import RepoConfigs
from orchestrator.requesting import Requesting
from orchestrator.secret import Secret
from orchestrator.session import Session
from orchestrator.session.effects import STATUS_KEY
from orchestrator.session.events import Event, ModelCallSettled, TurnEnded
from orchestrator.session.values import parse_session_id
from orchestrator.settle import Settler
from orchestrator.showing import Showing
from orchestrator.stores.branches import Branches
from orchestrator.stores.chain import Keys
from orchestrator.stores.journal import Journal
from orchestrator.stores.journaled import JournaledStore
from orchestrator.stores.tokenbook import FILE, TokenBook
from orchestrator.sweeper import Sweeper
from orchestrator.triggers import BotIdentity
from orchestrator.working import Working
from sandbox.provider import Provider
from sandbox.providers.local import LocalProvider
from sandbox.providers.local_keeper import Options

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a test or the demo may give in place of what the settings would build."""

    clock: Clock = field(default_factory=SystemClock)
    provider: Provider | None = None
    agents: Agents | None = None
    upstreams: Sequence[Upstream] | None = None
    listeners: Sequence[Callable[[Session, Sequence[Event]], None]] = ()


class Server:
    """One running server. `start` returns when it is ready; `close` drains and lets go.

    Sandboxes outlive `close`: the next server on the same data directory takes them up again.
    """

    def __init__(self, settings: Settings, outgoing: Outgoing, parts: Parts | None = None) -> None:
        self._settings = settings
        self._outgoing = outgoing
        self._parts = parts or Parts()
        self._stack = contextlib.AsyncExitStack()
        self.metrics = Metrics()
        self.ready = False
        self.port = 0
        self.info: AppInfo
        self.engine: Engine
        self.intake: Intake
        self.settler: Settler
        self.journal: Journal
        self.access: Access
        self.provider: Provider
        self._api: Api

    async def start(self) -> None:
        """Raises a `SetupError` in words where the App is not as configured."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def close(self) -> None:
        """Idempotent: take nothing more, let what runs end, push what waits, let go."""
        self.ready = False
        await self._stack.aclose()

    async def _start(self) -> None:
        settings, clock, stack = self._settings, self._parts.clock, self._stack
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        models = await stack.enter_async_context(model_session())
        github, self.info = await self._github(http)
        stack.push_async_callback(github.close)
        self.access = Access(github, settings.data / "repositories.json")
        marker_key = state_key(settings)
        git = HostGit()

        self.journal = await Journal.open(settings.data / "journal.sqlite3")
        stack.push_async_callback(self.journal.close)
        branches = Branches(
            root=settings.data / "state",
            access=self.access,
            git=git,
            keys=Keys(marker_key),
            clean=self._outgoing.clean,
            author=author(self.info),
            clock=clock,
        )
        store = JournaledStore(self.journal, branches.of, clock)
        stack.push_async_callback(store.close)
        stack.push_async_callback(store.drain)
        await store.start()
        self.engine = Engine(store)
        for listener in self._parts.listeners:
            self.engine.listen(listener)

        publisher = Publisher(
            render=lambda s: showing.render(s),
            edit=lambda s, body: _edit(showing, clock, s, body),
            budget_of=lambda s: str(self.access.installation(parse_session_id(s.id)[0])),
            clock=clock,
        )
        stack.push_async_callback(publisher.close)
        showing = Showing(
            engine=self.engine,
            access=self.access,
            publisher=publisher,
            outgoing=self._outgoing,
            marker_key=marker_key,
            clock=clock,
        )
        self.engine.listen(lambda session, events: self._told(publisher, session, events))
        self.provider = self._parts.provider or await self._local_provider()
        gateway = Gateway(
            session=models,
            upstreams=self._parts.upstreams or upstreams_from(settings),
            clock=clock,
        )
        stack.push_async_callback(gateway.close)
        working = Working(
            engine=self.engine,
            access=self.access,
            provider=self.provider,
            agents=self._parts.agents or agents_from(settings),
            gateway=gateway,
            clean=self._outgoing.clean,
            mirrors=Mirrors(settings.data / "mirrors", git),
            deployment=deployment_name(settings),
            app_id=self.info.id,
            clock=clock,
        )
        performing = Performing(
            showing=showing, working=working, clock=clock, observe=self.metrics.effect
        )
        self.settler = Settler(self.engine, performing, clock)
        stack.push_async_callback(self.settler.close)
        stack.callback(working.close)
        identity = BotIdentity(
            name=settings.name or self.info.slug,
            app_id=self.info.id,
            bot_user_id=self.info.bot_user_id or 0,
        )
        configs = RepoConfigs(clock)
        threads = Threads(self.engine, configs, Deployment(model=settings.model))
        asking = Asking(
            engine=self.engine,
            access=self.access,
            configs=configs,
            decisions=self.journal,
            notices=Notices(
                marker_key=marker_key,
                outgoing=self._outgoing,
                bot_user_id=self.info.bot_user_id or 0,
            ),
            bot=identity,
            threads=threads,
            clock=clock,
        )
        self.intake = Intake(journal=self.journal, asking=asking, clock=clock, metrics=self.metrics)
        stack.push_async_callback(self.intake.drain)
        self._api = await self._built_api(asking, threads, marker_key)
        await self._take_up()
        missed = Missed(github=github, journal=self.journal, intake=self.intake, clock=clock)
        await missed.prepare()
        await self._listen()
        self._in_background(missed.run(), "missed deliveries")

    async def _github(self, http: aiohttp.ClientSession) -> tuple[GitHub, AppInfo]:
        """The slug is GitHub's to tell: it is learned first, then everything is called by it."""
        settings = self._settings

        def client(slug: str) -> GitHub:
            return GitHub(
                endpoints=Endpoints(
                    api_url=settings.api_url,
                    graphql_url=settings.graphql_url,
                    server_url=settings.server_url,
                ),
                identity=AppIdentity(
                    app_id=settings.app_id,
                    client_id=settings.client_id,
                    private_key=settings.private_key,
                    slug=slug,
                ),
                session=http,
                clock=self._parts.clock,
                on_secret=self._outgoing.learn,
                observe=self.metrics.github,
                pace=Pace(
                    per_minute=settings.creates_per_minute, per_hour=settings.creates_per_hour
                ),
            )

        slug = await client("").discover_slug()
        github = client(slug)
        info = await github.verify_app()
        log.info("app", slug=info.slug, id=info.id, events=",".join(info.events))
        return github, info

    async def _built_api(self, asking: Asking, threads: Threads, marker_key: Secret) -> Api:
        book = await asyncio.to_thread(TokenBook, self._settings.data / FILE)
        self._stack.callback(book.close)
        looking = Looking(engine=self.engine, access=self.access)
        return Api(
            requesting=Requesting(
                engine=self.engine,
                looking=looking,
                asking=asking,
                threads=threads,
                filing=Filing(
                    book=book, marker_key=marker_key, bot_user_id=self.info.bot_user_id or 0
                ),
                book=book,
                keep=self.journal.decide_delivery,
                clock=self._parts.clock,
            ),
            looking=looking,
            book=book,
            clean=self._outgoing.clean,
            server_url=self._settings.server_url,
            clock=self._parts.clock,
            observe=self.metrics.decision,
        )

    async def _local_provider(self) -> Provider:
        uid = self._settings.sandbox_user
        provider = LocalProvider(
            self._settings.data / "sandboxes",
            tools=self._settings.tools,
            log=log,
            options=Options(uid=uid) if uid is not None else None,
        )
        self._stack.push_async_callback(provider.close)
        for problem in await provider.preflight():
            log.warning("sandbox_problem", what=problem.what, fix=problem.fix, fatal=problem.fatal)
        return provider

    async def _take_up(self) -> None:
        """Everything that an earlier server left open goes on."""
        sweeper = Sweeper(
            engine=self.engine,
            settler=self.settler,
            clock=self._parts.clock,
            repositories=self.journal.repositories,
            tidy=self._tidy,
            known_open=self.journal.open_sessions,
        )
        found = await sweeper.sweep()
        self._in_background(sweeper.run(), "sweeper")
        waiting = await self.intake.resume()
        self._in_background(self.intake.keep_up(), "intake")
        log.info("taken_up", sessions=found, deliveries=waiting)

    async def _tidy(self) -> None:
        if isinstance(self.provider, LocalProvider):
            await self.provider.sweep()
        await self.journal.prune(self._parts.clock.now())

    def _in_background(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._stack.push_async_callback(_cancel, task)

    async def _listen(self) -> None:
        app = web.Application(client_max_size=MAX_BODY)
        webhook = Webhook(
            secrets=self._settings.webhook_secrets,
            take=self.intake.take,
            now=self._parts.clock.now,
        )
        app.router.add_post("/webhooks/github", webhook.handle)
        app.add_routes(self._api.routes())
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self._settings.host, self._settings.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self.ready = True
        log.info("ready", host=self._settings.host, port=self.port)

    async def _health(self, request: web.Request) -> web.Response:
        status = "ok" if self.ready else "stopping"
        if not self.journal.healthy:
            status = "journal cannot be written"
        body = {
            "status": status,
            "app": self.info.slug,
            "open_sessions": len(self.settler.kept()),
        }
        return web.json_response(body, status=200 if status == "ok" else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        self.metrics.open_sessions(len(self.settler.kept()))
        body, content_type = self.metrics.text()
        return web.Response(body=body, headers={"Content-Type": content_type})

    def _told(self, publisher: Publisher, session: Session, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case TurnEnded(outcome=outcome):
                    self.metrics.turn(outcome)
                case ModelCallSettled(usage=usage):
                    self.metrics.cost(usage.microdollars)
                case _:
                    pass
        if session.ref(STATUS_KEY) is not None:
            publisher.show(session)


async def _edit(showing: Showing, clock: Clock, session: Session, body: str) -> None:
    try:
        await showing.edit_status(session, body)
    except RateLimited as error:
        raise EditRefused((error.until - clock.now()).total_seconds()) from error
    except TryLater as error:
        raise EditRefused(5.0) from error
    except GitHubError as error:
        raise EditFailed(str(error)) from error


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
