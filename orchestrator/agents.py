"""How an agent is started in a sandbox: its command, its configuration, what it needs to see.

Any program that speaks the Agent Client Protocol will do; OpenCode is the default. Its models
are reached through the gateway only, so its configuration holds an address and no key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.session.values import Plan
from sandbox.commands import GATEWAY_PORT, AgentProgram
from sandbox.spec import Program

AGENT_DIRECTORY = "/opt/openinspect/agent"
LOCAL = "local"
"""`local/NAME` is model NAME of whatever OpenAI-compatible server `OPENAI_BASE_URL` names."""
KEYLESS = "the-key-is-added-outside-the-sandbox"


class NoAgent(Exception):
    """The default agent is not installed here, and the repository names no other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomModel:
    """A model that OpenCode does not know by itself, behind an OpenAI-compatible upstream."""

    context_tokens: int = 200_000
    output_tokens: int = 32_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """What this deployment has: OpenCode's program, the default model, and models of its own."""

    opencode: Path | None
    default_model: str
    command: tuple[str, ...] = ()
    custom_models: Mapping[str, CustomModel] = field(default_factory=dict)
    """By full id, such as `ours/scripted`: a provider word of its own, since OpenCode speaks to
    `openai` in its own way."""

    def programs(self, plan: Plan) -> tuple[Program, ...]:
        """Read-only trees that the sandbox must show for the agent to start."""
        if plan.agent or self.command:
            return ()
        if self.opencode is None:
            raise NoAgent(
                "OpenCode is not installed; run `make setup`, or name another ACP agent"
                " in `agent.command`"
            )
        return (Program(source=self.opencode.resolve().parent, target=AGENT_DIRECTORY),)

    def program(self, plan: Plan, session: str | None) -> AgentProgram:
        """`session` is the ACP session to take up again, if there is one."""
        model = plan.model or self.default_model
        command = plan.agent or self.command
        if command:
            return AgentProgram(
                command=command,
                env=gateway_environment(),
                model=plan.model if plan.agent else model,
                effort=plan.effort,
                session=session,
            )
        return AgentProgram(
            command=(f"{AGENT_DIRECTORY}/opencode", "acp"),
            env=gateway_environment() | self._opencode_environment(model),
            model=model,
            effort=plan.effort,
            session=session,
        )

    def _opencode_environment(self, model: str) -> dict[str, str]:
        return {
            "OPENCODE_CONFIG_CONTENT": json.dumps(self.opencode_config(model)),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        }

    def opencode_config(self, model: str) -> dict[str, object]:
        """https://opencode.ai/docs/config: no updates, no sharing, all tools allowed, since the
        sandbox is the boundary; every provider at the gateway's address."""
        providers: dict[str, dict[str, object]] = {
            "anthropic": {"options": _options("anthropic")},
            "openai": {"options": _options("openai")},
            "opencode": {"options": _options("opencode")},
        }
        custom_models = dict(self.custom_models)
        if model.startswith(f"{LOCAL}/"):
            custom_models.setdefault(model, CustomModel())
        for full, custom in custom_models.items():
            name, _, short = full.partition("/")
            upstream = "openai" if name == LOCAL else name
            provider = providers.setdefault(name, {"options": _options(upstream)})
            provider["npm"] = "@ai-sdk/openai-compatible"
            models = provider.setdefault("models", {})
            assert isinstance(models, dict)
            models[short] = {
                "name": short,
                "limit": {"context": custom.context_tokens, "output": custom.output_tokens},
                "tool_call": True,
            }
        return {
            "$schema": "https://opencode.ai/config.json",
            "autoupdate": False,
            "share": "disabled",
            "model": model,
            "small_model": model,
            "permission": {"edit": "allow", "bash": "allow", "webfetch": "allow"},
            "enabled_providers": sorted(providers),
            "provider": providers,
        }


def _options(upstream: str) -> dict[str, str]:
    return {"baseURL": f"{_gateway(upstream)}/v1", "apiKey": KEYLESS}


def _gateway(upstream: str) -> str:
    return f"http://127.0.0.1:{GATEWAY_PORT}/{upstream}"


def gateway_environment() -> dict[str, str]:
    """The variables by which the usual agents and SDKs find a model API."""
    return {
        "ANTHROPIC_BASE_URL": _gateway("anthropic"),
        "ANTHROPIC_API_KEY": KEYLESS,
        "OPENAI_BASE_URL": f"{_gateway('openai')}/v1",
        "OPENAI_API_KEY": KEYLESS,
    }
