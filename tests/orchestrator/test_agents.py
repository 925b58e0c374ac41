"""How an agent is started: its command, what it needs to see, and never a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.agents import AGENT_DIRECTORY, KEYLESS, Agents, CustomModel, NoAgent
from orchestrator.session.values import Plan
from sandbox.commands import GATEWAY_PORT
from sandbox.spec import Program

MODEL = "anthropic/claude-sonnet-4-5"
OWN = ("python3", "/workspace/agent.py")


@pytest.fixture
def opencode(tmp_path: Path) -> Path:
    """Installed as `make setup` does it: a link to a program in a folder of its own."""
    program = tmp_path / "opencode-1.18/bin/opencode"
    program.parent.mkdir(parents=True)
    program.touch()
    link = tmp_path / "opencode"
    link.symlink_to(program)
    return link


def test_opencode_is_shown_to_the_sandbox_read_only_where_it_really_is(opencode: Path) -> None:
    agents = Agents(opencode=opencode, default_model=MODEL)
    assert agents.programs(Plan()) == (
        Program(source=opencode.resolve().parent, target=AGENT_DIRECTORY),
    )
    program = agents.program(Plan(effort="high"), "session-1")
    assert program.command == (f"{AGENT_DIRECTORY}/opencode", "acp")
    assert (program.model, program.effort, program.session) == (MODEL, "high", "session-1")


def test_the_repositorys_command_comes_before_the_deployments_and_that_before_opencode(
    opencode: Path,
) -> None:
    ours = Agents(opencode=opencode, default_model=MODEL, command=("codex-acp",))
    assert ours.program(Plan(agent=OWN), None).command == OWN
    assert ours.program(Plan(), None).command == ("codex-acp",)
    assert ours.programs(Plan(agent=OWN)) == ours.programs(Plan()) == ()


def test_where_opencode_is_missing_that_is_said_unless_another_agent_is_named() -> None:
    agents = Agents(opencode=None, default_model=MODEL)
    with pytest.raises(NoAgent, match="run `make setup`"):
        agents.programs(Plan())
    assert agents.programs(Plan(agent=OWN)) == ()


def test_the_plans_model_comes_before_the_deployments(opencode: Path) -> None:
    agents = Agents(opencode=opencode, default_model=MODEL)
    assert agents.program(Plan(model="openai/gpt-5"), None).model == "openai/gpt-5"
    assert agents.program(Plan(agent=OWN, model="openai/gpt-5"), None).model == "openai/gpt-5"


@pytest.mark.parametrize("agent", [(), OWN])
def test_every_address_is_the_gateways_and_no_key_is_one(
    opencode: Path, agent: tuple[str, ...]
) -> None:
    env = Agents(opencode=opencode, default_model=MODEL).program(Plan(agent=agent), None).env
    assert env["ANTHROPIC_BASE_URL"] == f"http://127.0.0.1:{GATEWAY_PORT}/anthropic"
    assert env["OPENAI_BASE_URL"] == f"http://127.0.0.1:{GATEWAY_PORT}/openai/v1"
    assert {value for name, value in env.items() if "KEY" in name} == {KEYLESS}


def test_opencode_reaches_every_provider_through_the_gateway_and_calls_nobody_else(
    opencode: Path,
) -> None:
    env = Agents(opencode=opencode, default_model=MODEL).program(Plan(), None).env
    config = json.loads(env["OPENCODE_CONFIG_CONTENT"])
    assert config["model"] == config["small_model"] == MODEL
    assert (config["autoupdate"], config["share"]) == (False, "disabled")
    assert config["enabled_providers"] == ["anthropic", "openai", "opencode"]
    for name in config["enabled_providers"]:
        options = config["provider"][name]["options"]
        assert options == {
            "baseURL": f"http://127.0.0.1:{GATEWAY_PORT}/{name}/v1",
            "apiKey": KEYLESS,
        }
    assert env["OPENCODE_DISABLE_MODELS_FETCH"] == "1"


def test_a_model_that_opencode_does_not_know_is_told_to_it(opencode: Path) -> None:
    agents = Agents(
        opencode=opencode,
        default_model="ours/scripted",
        custom_models={
            "ours/scripted": CustomModel(context_tokens=1000, output_tokens=100),
            "ours/other": CustomModel(),
        },
    )
    config = agents.opencode_config("ours/scripted")
    providers = config["provider"]
    assert isinstance(providers, dict)
    assert providers["ours"]["npm"] == "@ai-sdk/openai-compatible"
    assert sorted(providers["ours"]["models"]) == ["other", "scripted"]
    assert providers["ours"]["models"]["scripted"]["limit"] == {"context": 1000, "output": 100}
    assert config["enabled_providers"] == ["anthropic", "openai", "opencode", "ours"]


def test_a_local_model_needs_no_more_than_its_name(opencode: Path) -> None:
    agents = Agents(opencode=opencode, default_model="local/qwen3-coder:30b")
    providers = agents.opencode_config("local/qwen3-coder:30b")["provider"]
    assert isinstance(providers, dict)
    assert list(providers["local"]["models"]) == ["qwen3-coder:30b"]
    assert providers["local"]["options"]["baseURL"].endswith("/openai/v1")
