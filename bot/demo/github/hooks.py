"""Webhooks: signed, in order, once each, 10 seconds for an answer, no retry; as GitHub does.

Deliveries are sent by one task, so the person or App whose action caused them never waits.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
import uuid
from collections import deque
from dataclasses import replace
from datetime import timedelta

import aiohttp

from .accounts import App, Person
from .faults import Fault
from .model import Delivery, Installation, Json, Repo
from .shapes import events_of, node_id, repository, user
from .world import World

# https://docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks
ANSWER_WITHIN = 10.0
# https://docs.github.com/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks
KEPT_FOR = timedelta(days=3)


class Hooks:
    """Every delivery ever attempted, the queue of those to come, and the task that sends them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.deliveries: list[Delivery] = []
        self._queue: deque[Delivery] = deque()
        self._held: list[Delivery] = []
        self._late: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._sending = False
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN)
        self._session = aiohttp.ClientSession(timeout=timeout)
        self._task = asyncio.create_task(self._run(), name="webhook deliveries")

    async def stop(self) -> None:
        for task in [t for t in (self._task, *self._late) if t is not None]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._session is not None:
            await self._session.close()

    # -- what happened

    def emit(
        self,
        event: str,
        action: str | None,
        parts: Json,
        *,
        repo: Repo,
        sender: Person,
        only: App | None = None,
    ) -> None:
        """Tell every App that is installed on the repository and may see this event."""
        body: Json = {} if action is None else {"action": action}
        body |= parts
        guid = str(uuid.uuid4())
        common: Json | None = None
        for installation in self.world.installations.values():
            app = installation.app
            if only not in (None, app) or app.webhook_url is None or installation.suspended:
                continue
            if repo not in installation.repositories or event not in events_of(app):
                continue
            if common is None:
                common = {
                    "repository": repository(self.world, repo),
                    "sender": user(self.world, sender),
                }
            short = {
                "id": installation.id,
                "node_id": node_id("MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9u", installation.id),
            }
            payload = {**body, **common, "installation": short}
            self._enqueue(app, guid, event, action, payload, installation, repo)

    def emit_installation(self, action: str, installation: Installation, parts: Json) -> None:
        """Installation events cannot be unsubscribed and carry no repository."""
        if installation.app.webhook_url is None:
            return
        sender = user(self.world, installation.account)
        payload = {"action": action, **parts, "sender": sender}
        guid = str(uuid.uuid4())
        event = "installation" if "requester" not in parts else "installation_repositories"
        self._enqueue(installation.app, guid, event, action, payload, installation, None)

    def _enqueue(
        self,
        app: App,
        guid: str,
        event: str,
        action: str | None,
        payload: Json,
        installation: Installation,
        repo: Repo | None,
    ) -> None:
        self._put(
            Delivery(
                id=self.world.next_id("delivery"),
                guid=guid,
                app=app,
                event=event,
                action=action,
                payload=json.dumps(payload, separators=(",", ":")).encode(),
                installation_id=installation.id,
                repository_id=None if repo is None else repo.id,
                delivered_at=self.world.now(),
            )
        )

    def _put(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        self._queue.append(delivery)
        self._wake.set()
        self.world.touch()

    # -- what is asked about it

    def of_app(self, app: App) -> list[Delivery]:
        """Newest first, those of the last three days."""
        oldest = self.world.now() - KEPT_FOR
        mine = [d for d in self.deliveries if d.app is app and not d.pending]
        return [d for d in reversed(mine) if d.delivered_at >= oldest]

    def again(self, delivery: Delivery, *, guid: str | None = None) -> Delivery:
        """Send the same payload once more; the GUID stays unless another is given."""
        copy = replace(
            delivery,
            id=self.world.next_id("delivery"),
            guid=guid or delivery.guid,
            redelivery=guid is None,
            pending=True,
            status="pending",
            status_code=0,
            delivered_at=self.world.now(),
        )
        self._put(copy)
        return copy

    @property
    def idle(self) -> bool:
        return not (self._queue or self._sending or self._late)

    async def drain(self) -> None:
        """Returns when everything that was caused has been delivered or has failed."""
        self._release_held()
        while not self.idle:
            await self.world.changed(self.world.version)
            if not self._queue:
                self._release_held()

    def _release_held(self) -> None:
        while self._held:
            self._queue.append(self._held.pop())
            self._wake.set()

    # -- sending

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                delivery = self._queue.popleft()
                self._sending = True
                try:
                    await self._with_faults(delivery)
                finally:
                    self._sending = False
                    self.world.touch()

    async def _with_faults(self, delivery: Delivery) -> None:
        held, self._held = self._held, []
        faults = self.world.faults.for_delivery(delivery.event, delivery.action)
        for fault in faults:
            match fault.kind:
                case "reordered":
                    self._held = [*held, delivery]
                    return
                case "delayed":
                    task = asyncio.create_task(self._later(delivery, fault))
                    self._late.add(task)
                    task.add_done_callback(self._arrived_late)
                    return
                case "lost":
                    self._failed(delivery, "failed to connect to host", 502, 0.0)
                    return
                case "vanished":
                    self.deliveries.remove(delivery)
                    return
                case "doubled":
                    await self._send(delivery)
                case "doubled_new_guid":
                    self.again(delivery, guid=str(uuid.uuid4()))
                case _:
                    raise ValueError(f"{fault.kind} is not a fault of deliveries")
        await self._send(delivery)
        self._queue.extendleft(held)

    def _arrived_late(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        self.world.touch()

    async def _later(self, delivery: Delivery, fault: Fault) -> None:
        await asyncio.sleep(fault.delay)
        await self._send(delivery)

    async def _send(self, delivery: Delivery) -> None:
        app, started = delivery.app, time.monotonic()
        delivery.headers = _headers(delivery)
        delivery.delivered_at = self.world.now()
        if app.webhook_url is None or self.world.faults.drop_deliveries:
            self._failed(delivery, "failed to connect to host", 502, 0.0)
            return
        assert self._session is not None
        try:
            async with self._session.post(
                app.webhook_url,
                data=delivery.payload,
                headers=delivery.headers,
                allow_redirects=False,
            ) as answer:
                delivery.response_body = (await answer.text())[:65_536]
                delivery.response_headers = dict(answer.headers)
                delivery.status_code = answer.status
                delivery.status = (
                    "OK" if answer.status < 400 else f"Invalid HTTP Response: {answer.status}"
                )
        except TimeoutError:
            # A timeout has no status code, so `status=failure` does not list it.
            self._failed(delivery, "timed out", 0, time.monotonic() - started)
            return
        except aiohttp.ClientError:
            self._failed(delivery, "failed to connect to host", 502, time.monotonic() - started)
            return
        delivery.duration = round(time.monotonic() - started, 2)
        delivery.pending = False
        self.world.touch()

    def _failed(self, delivery: Delivery, status: str, code: int, took: float) -> None:
        delivery.headers = delivery.headers or _headers(delivery)
        delivery.status, delivery.status_code = status, code
        delivery.duration, delivery.pending = round(took, 2), False
        self.world.touch()


def _headers(delivery: Delivery) -> dict[str, str]:
    app = delivery.app
    key = app.webhook_secret.encode()
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/0000000",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(app.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-Hub-Signature": "sha1=" + hmac.new(key, delivery.payload, hashlib.sha1).hexdigest(),
        "X-Hub-Signature-256": "sha256="
        + hmac.new(key, delivery.payload, hashlib.sha256).hexdigest(),
    }
