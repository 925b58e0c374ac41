"""What follows from the settings alone: upstreams, agents, keys, names."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

import structlog

from bot.settings import Settings
from orchestrator.agents import Agents
from orchestrator.gateway import Upstream, anthropic, openai, opencode
from orchestrator.github.values import AppInfo
from orchestrator.secret import Secret

log = structlog.get_logger()


def author(info: AppInfo) -> tuple[str, str]:
    """Name and address that state commits carry: the App's bot account."""
    bot = info.bot_user_id or info.id
    return f"{info.slug}[bot]", f"{bot}+{info.slug}[bot]@users.noreply.github.com"


def deployment_name(settings: Settings) -> str:
    """Tags our sandboxes among those of other deployments on the same provider."""
    return hashlib.sha256(f"{settings.app_id}/{settings.data}".encode()).hexdigest()[:16]


def state_key(settings: Settings) -> Secret:
    """The configured one, else one made and kept beside the journal."""
    if settings.state_key is not None:
        return settings.state_key
    path: Path = settings.data / "state.key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="ascii")
        log.warning(
            "state_key_made",
            path=str(path),
            advice="set OPENINSPECT_STATE_KEY to its content, so that it survives this disk",
        )
    return Secret(path.read_text(encoding="ascii").strip())


def agents_from(settings: Settings) -> Agents:
    opencode_program = None
    if settings.tools is not None:
        found = settings.tools / "bin" / "opencode"
        opencode_program = found.resolve() if found.exists() else None
    return Agents(opencode=opencode_program, default_model=settings.model, command=settings.agent)


def upstreams_from(settings: Settings) -> Sequence[Upstream]:
    """An address of the deployment's own may need no key, as a local model does not."""
    return (
        anthropic(settings.anthropic.key, settings.anthropic.own_address),
        openai(settings.openai.key, settings.openai.own_address),
        opencode(settings.opencode.key, settings.opencode.own_address),
    )


def secrets_of(settings: Settings) -> list[str]:
    """Every live secret of the deployment, for the one place where text leaves."""
    keys = (settings.anthropic.key, settings.openai.key, settings.opencode.key)
    held = (settings.private_key, settings.state_key, *settings.webhook_secrets, *keys)
    return [secret.reveal() for secret in held if secret]
