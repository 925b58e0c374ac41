"""The configuration that holds, key by key, and where each value comes from."""

from __future__ import annotations

from dataclasses import dataclass

from .keys import KEYS, Key, Value
from .repo_config import RepoConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """`line` is None where the default holds."""

    key: Key
    value: Value
    line: int | None


def effective(config: RepoConfig) -> tuple[Effective, ...]:
    """Every key, in the order of the table."""
    values = _values(config)
    return tuple(
        Effective(key=key, value=values[key.path], line=config.lines.get(key.path)) for key in KEYS
    )


def _values(config: RepoConfig) -> dict[str, Value]:
    agent, triggers = config.agent, config.triggers
    sandbox, limits = config.sandbox, config.limits
    return {
        "agent.command": agent.command,
        "agent.model": agent.model or "",
        "agent.effort": agent.effort or "default",
        "agent.instructions": agent.instructions,
        "triggers.mention.enabled": triggers.mention_enabled,
        "triggers.mention.permission": triggers.permission,
        "triggers.mention.users": triggers.users,
        "triggers.mention.teams": triggers.teams,
        "triggers.label.name": triggers.label,
        "triggers.assign.user": triggers.assign,
        "triggers.refusals": triggers.refusals,
        "triggers.apps": triggers.apps,
        "branch_prefix": config.branch_prefix,
        "base_branch": config.base_branch,
        "pull_request": config.pull_request,
        "sandbox.provider": sandbox.provider,
        "sandbox.cpu": sandbox.cpu,
        "sandbox.memory_mib": sandbox.memory_mib,
        "sandbox.idle_minutes": sandbox.idle_minutes,
        "sandbox.lifetime_minutes": sandbox.lifetime_minutes,
        "sandbox.network": sandbox.network,
        "setup_timeout_seconds": config.setup_timeout_seconds,
        "start_timeout_seconds": config.start_timeout_seconds,
        "limits.turn_minutes": limits.turn_minutes,
        "limits.silence_seconds": limits.silence_seconds,
        "limits.turn_usd": limits.turn_usd,
        "limits.session_usd": limits.session_usd,
        "limits.thread_per_hour": limits.thread_per_hour,
    }
