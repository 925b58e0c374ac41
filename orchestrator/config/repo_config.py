"""A repository's configuration as a value, and the plan that a session takes from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from orchestrator.session.values import Limits, Plan

from .keys import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    command: tuple[str, ...] = ()
    model: str | None = None
    effort: str | None = None
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    mention_enabled: bool = True
    permission: str = "write"
    """`write`, `maintain` or `admin`; of everyone who asks, in whichever way."""
    users: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    label: str = ""
    assign: str = ""
    refusals: str = "once"
    """`once` or `silent`."""
    apps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    provider: str = "local"
    cpu: float = 2.0
    memory_mib: int = 4096
    idle_minutes: float = 10.0
    lifetime_minutes: float = 120.0
    network: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    turn_minutes: float = 90.0
    silence_seconds: float = 120.0
    turn_usd: float = 5.0
    session_usd: float = 25.0
    thread_per_hour: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoConfig:
    """Every key has a value. `lines` tells where the file sets a key; absent means the default."""

    agent: Agent = field(default_factory=Agent)
    triggers: Triggers = field(default_factory=Triggers)
    branch_prefix: str = "openinspect/"
    base_branch: str = ""
    pull_request: str = "draft"
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    setup_timeout_seconds: float = 300.0
    start_timeout_seconds: float = 120.0
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    commit: str = ""
    """Where the file was read; empty where there is none."""
    lines: Mapping[str, int] = field(default_factory=dict)


DEFAULTS = RepoConfig()


def config_of(
    values: Mapping[str, Value], *, lines: Mapping[str, int], commit: str = ""
) -> RepoConfig:
    """From checked values by key path; what is not there has its default."""

    def text(path: str, default: str) -> str:
        return cast(str, values.get(path, default))

    def number(path: str, default: float) -> float:
        return cast(float, values.get(path, default))

    effort = text("agent.effort", "default")
    triggers, sandbox, limits = DEFAULTS.triggers, DEFAULTS.sandbox, DEFAULTS.limits
    return RepoConfig(
        agent=Agent(
            command=cast(tuple[str, ...], values.get("agent.command", ())),
            model=text("agent.model", "") or None,
            effort=None if effort == "default" else effort,
            instructions=text("agent.instructions", ""),
        ),
        triggers=Triggers(
            mention_enabled=cast(bool, values.get("triggers.mention.enabled", True)),
            permission=text("triggers.mention.permission", triggers.permission),
            users=cast(tuple[str, ...], values.get("triggers.mention.users", ())),
            teams=cast(tuple[str, ...], values.get("triggers.mention.teams", ())),
            label=text("triggers.label.name", ""),
            assign=text("triggers.assign.user", ""),
            refusals=text("triggers.refusals", triggers.refusals),
            apps=cast(tuple[int, ...], values.get("triggers.apps", ())),
        ),
        branch_prefix=text("branch_prefix", DEFAULTS.branch_prefix),
        base_branch=text("base_branch", DEFAULTS.base_branch),
        pull_request=text("pull_request", DEFAULTS.pull_request),
        sandbox=SandboxConfig(
            provider=text("sandbox.provider", sandbox.provider),
            cpu=number("sandbox.cpu", sandbox.cpu),
            memory_mib=int(number("sandbox.memory_mib", sandbox.memory_mib)),
            idle_minutes=number("sandbox.idle_minutes", sandbox.idle_minutes),
            lifetime_minutes=number("sandbox.lifetime_minutes", sandbox.lifetime_minutes),
            network=text("sandbox.network", sandbox.network),
        ),
        setup_timeout_seconds=number("setup_timeout_seconds", DEFAULTS.setup_timeout_seconds),
        start_timeout_seconds=number("start_timeout_seconds", DEFAULTS.start_timeout_seconds),
        limits=LimitsConfig(
            turn_minutes=number("limits.turn_minutes", limits.turn_minutes),
            silence_seconds=number("limits.silence_seconds", limits.silence_seconds),
            turn_usd=number("limits.turn_usd", limits.turn_usd),
            session_usd=number("limits.session_usd", limits.session_usd),
            thread_per_hour=int(number("limits.thread_per_hour", limits.thread_per_hour)),
        ),
        commit=commit,
        lines=dict(lines),
    )


def plan_from(
    config: RepoConfig,
    *,
    default_branch: str,
    model: str | None = None,
    effort: str | None = None,
) -> Plan:
    """What a session is fixed to. `model` and `effort` are the deployment's defaults."""
    limits = config.limits
    session = _microdollars(limits.session_usd)
    return Plan(
        agent=config.agent.command,
        model=config.agent.model or model,
        effort=config.agent.effort or effort,
        base_branch=config.base_branch or default_branch,
        default_branch=default_branch,
        branch_prefix=config.branch_prefix,
        pull_request=config.pull_request,
        instructions=config.agent.instructions,
        config_commit=config.commit,
        provider=config.sandbox.provider,
        cpu=config.sandbox.cpu,
        memory_mib=config.sandbox.memory_mib,
        lifetime_seconds=config.sandbox.lifetime_minutes * 60,
        setup_seconds=config.setup_timeout_seconds,
        start_seconds=config.start_timeout_seconds,
        limits=Limits(
            turn_seconds=limits.turn_minutes * 60,
            silence_seconds=limits.silence_seconds,
            idle_seconds=config.sandbox.idle_minutes * 60,
            turn_microdollars=min(_microdollars(limits.turn_usd), session),
            session_microdollars=session,
        ),
    )


def _microdollars(usd: float) -> int:
    return round(usd * 1_000_000)
