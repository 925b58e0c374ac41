"""The door for GitHub's deliveries: what gets in, and that it is durable before the 202."""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web

from bot.webhook import MAX_BODY, IntakeUnavailable, Posted, Webhook
from orchestrator.secret import Secret

KEY = "It's a Secret to Everybody"
BODY = b"Hello, World!"
# https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries, "Testing"
DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


class Door:
    def __init__(self) -> None:
        self.taken: list[Posted] = []
        self.known = False
        self.broken = False
        self.url = ""

    async def take(self, posted: Posted) -> bool:
        if self.broken:
            raise IntakeUnavailable("the disk is full")
        self.taken.append(posted)
        return not self.known

    async def post(self, body: bytes = BODY, **headers: str | None) -> tuple[int, str]:
        sent = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": f"sha256={DIGEST}",
            "X-GitHub-Event": "issues",
            "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        }
        for name, value in headers.items():
            header = name.replace("_", "-")
            for known in list(sent):
                if known.lower() == header.lower():
                    del sent[known]
            if value is not None:
                sent[header] = value
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.url}/webhooks/github", data=io.BytesIO(body), headers=sent
            ) as answer,
        ):
            return answer.status, await answer.text()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    webhook = Webhook(
        secrets=[Secret("another one while rotating"), Secret(KEY)],
        take=made.take,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_post("/webhooks/github", webhook.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_githubs_own_test_vector_gets_in(door: Door) -> None:
    assert (await door.post())[0] == 202
    [posted] = door.taken
    assert posted.body == BODY
    assert posted.event == "issues"


async def test_a_known_delivery_is_answered_202_too(door: Door) -> None:
    door.known = True
    status, text = await door.post()
    assert (status, "duplicate" in text) == (202, True)


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({"X_Hub_Signature_256": None}, 401, "exactly one"),
        ({"X_Hub_Signature_256": ""}, 401, "not ours"),
        ({"X_Hub_Signature_256": "sha256="}, 401, "not ours"),
        ({"X_Hub_Signature_256": f"sha256={'0' * 64}"}, 401, "compare the webhook secret"),
        ({"X_Hub_Signature_256": f"sha1={DIGEST}"}, 401, "not ours"),
        ({"X_Hub_Signature_256": f"sha256={DIGEST.upper()}"}, 401, "not ours"),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
        ({"Content_Encoding": "gzip"}, 415, "compressed"),
        ({"X_GitHub_Event": None}, 400, "X-GitHub-Event"),
        ({"X_GitHub_Delivery": None}, 400, "X-GitHub-Delivery"),
        ({"X_GitHub_Delivery": "a" * 300}, 400, "X-GitHub-Delivery"),
    ],
)
async def test_everything_else_is_refused_with_the_reason(
    door: Door, headers: dict[str, str | None], status: int, said: str
) -> None:
    got, text = await door.post(**headers)
    assert got == status
    assert said in text
    assert door.taken == []


async def test_a_changed_body_is_refused(door: Door) -> None:
    assert (await door.post(BODY + b" "))[0] == 401
    assert door.taken == []


async def test_both_secrets_count_while_rotating(door: Door) -> None:
    digest = hmac.new(b"another one while rotating", BODY, hashlib.sha256).hexdigest()
    assert (await door.post(X_Hub_Signature_256=f"sha256={digest}"))[0] == 202


async def test_too_large_a_body_is_refused(door: Door) -> None:
    assert (await door.post(b"x" * (MAX_BODY + 1)))[0] == 413


async def test_what_cannot_be_stored_is_refused_loudly(door: Door) -> None:
    door.broken = True
    status, text = await door.post()
    assert status == 503
    assert "disk" not in text


def test_no_webhook_without_a_secret(door: Door) -> None:
    with pytest.raises(ValueError, match="events from anyone"):
        Webhook(secrets=[Secret("")], take=door.take, now=lambda: datetime.now(UTC))
