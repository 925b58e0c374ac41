"""GitHub's deliveries at the door: verify, write down, answer 202. Deciding comes later.

https://docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks: answer within
10 s; GitHub does not send again by itself.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiohttp import web

from orchestrator.secret import Secret

log = structlog.get_logger()

MAX_BODY = 25 * 1024 * 1024
"""GitHub sends no larger payload: docs.github.com/webhooks/webhook-events-and-payloads."""
MAX_HEADER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A delivery whose signature was right. The headers are not signed: they only label it."""

    guid: str
    event: str
    body: bytes
    received_at: datetime


class IntakeUnavailable(Exception):
    """Deliveries cannot be written down now, so none is taken."""


Take = Callable[[Posted], Awaitable[bool]]
"""Make a delivery durable and see to it; False where it was known already."""


class Webhook:
    """`POST /webhooks/github`."""

    def __init__(
        self, *, secrets: Sequence[Secret], take: Take, now: Callable[[], datetime]
    ) -> None:
        if not any(secrets):
            raise ValueError("a webhook without a secret would take events from anyone")
        self._keys = [secret.reveal().encode() for secret in secrets if secret]
        self._take = take
        self._now = now

    async def handle(self, request: web.Request) -> web.Response:
        received_at = self._now()
        if request.headers.get("Content-Encoding"):
            return _refuse(415, "compressed deliveries are not taken")
        if request.content_type != "application/json":
            return _refuse(
                415, "set the webhook's content type to application/json in the App's settings"
            )
        signatures = request.headers.getall("X-Hub-Signature-256", [])
        if len(signatures) != 1:
            return _refuse(401, "exactly one X-Hub-Signature-256 header is needed")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _refuse(413, f"a delivery has at most {MAX_BODY} bytes")
        if not self._signed(body, signatures[0]):
            return _refuse(
                401, "the signature is not ours: compare the webhook secret here and in the App"
            )
        guid = request.headers.get("X-GitHub-Delivery", "")
        event = request.headers.get("X-GitHub-Event", "")
        if not _plain(guid) or not _plain(event):
            return _refuse(400, "X-GitHub-Delivery and X-GitHub-Event are needed")
        posted = Posted(guid=guid, event=event, body=body, received_at=received_at)
        try:
            new = await self._take(posted)
        except IntakeUnavailable as error:
            log.error("delivery_not_taken", delivery=guid, reason=str(error))
            return _refuse(503, "deliveries cannot be stored at the moment; send it again later")
        return web.json_response({"status": "accepted" if new else "duplicate"}, status=202)

    def _signed(self, body: bytes, signature: str) -> bool:
        """Constant time, over the raw bytes, SHA-256 only.

        https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
        """
        scheme, _, digest = signature.partition("=")
        given = digest.strip().encode("utf-8", "replace")
        matches = [
            hmac.compare_digest(hmac.new(key, body, hashlib.sha256).hexdigest().encode(), given)
            for key in self._keys
        ]
        return scheme == "sha256" and any(matches)


def _plain(text: str) -> bool:
    return 0 < len(text) <= MAX_HEADER and text.isascii() and text.isprintable()


def _refuse(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)
