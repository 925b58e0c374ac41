"""What a good file gives, and that table, schema, example and documentation are in step."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrator.config import (
    DEFAULTS,
    ConfigProblem,
    RepoConfig,
    effective,
    plan_from,
    read_config,
)
from orchestrator.config.keys import KEYS, Key
from orchestrator.config.repo_config import config_of
from orchestrator.config.schema import (
    TABLE_END,
    TABLE_START,
    json_schema,
    json_schema_text,
    markdown_table,
)
from orchestrator.config.tree import core_value

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "config-schema/config.schema.json"
EXAMPLE = ROOT / "config-schema/example.yml"
DOCUMENT = ROOT / "docs/configuration.md"


def good(text: str) -> RepoConfig:
    config = read_config(text.encode())
    assert isinstance(config, RepoConfig), config
    return config


@pytest.mark.parametrize(
    "text", ["", "\n", "# only a comment\n", "---\n", "~\n", "{}\n", "agent:\n", "agent: {}\n"]
)
def test_nothing_said_is_the_defaults(text: str) -> None:
    config = good(text)
    assert config == DEFAULTS


def test_every_key_is_read_and_knows_its_line() -> None:
    text = EXAMPLE.read_text()
    config = good(text)
    assert config.agent.command == ("opencode", "acp")
    assert config.agent.instructions.startswith("Run `make check`")
    assert config.triggers.apps == (12345,)
    assert config.limits.session_usd == 25.0
    assert set(config.lines) == {key.path for key in KEYS}
    lines = text.splitlines()
    for path, line in config.lines.items():
        assert lines[line - 1].strip().startswith(path.rpartition(".")[2] + ":")


def test_the_defaults_of_the_table_are_those_of_the_values() -> None:
    assert config_of({key.path: key.default for key in KEYS}, lines={}) == DEFAULTS


def test_what_holds_is_shown_key_by_key_with_its_line() -> None:
    """From values to configuration and back again: no key is lost on the way."""
    config = good(EXAMPLE.read_text())
    shown = effective(config)
    assert [one.key for one in shown] == list(KEYS)
    assert config_of({one.key.path: one.value for one in shown}, lines=config.lines) == config
    assert {one.key.path: one.line for one in shown} == dict(config.lines)
    assert [one.value for one in effective(DEFAULTS)] == [key.default for key in KEYS]
    assert {one.line for one in effective(DEFAULTS)} == {None}


def test_the_plan_of_a_session() -> None:
    config = good("agent: {model: a/b}\nlimits: {turn_usd: 3.3, session_usd: 2}\n")
    plan = plan_from(config, default_branch="trunk", model="x/y", effort="low")
    assert (plan.model, plan.effort, plan.base_branch) == ("a/b", "low", "trunk")
    based = plan_from(good("base_branch: develop\n"), default_branch="trunk")
    assert (based.base_branch, based.default_branch) == ("develop", "trunk")
    # A turn cannot cost more than its session.
    assert plan.limits.turn_microdollars == plan.limits.session_microdollars == 2_000_000
    assert plan_from(DEFAULTS, default_branch="main", model="x/y").model == "x/y"


def test_the_schema_is_in_step() -> None:
    """The file is generated; the message says how."""
    assert SCHEMA.read_text() == json_schema_text(), (
        "run: python -c 'from orchestrator.config.schema import json_schema_text as s; "
        'print(s(), end="")\' > config-schema/config.schema.json'
    )


def test_the_documentation_is_in_step() -> None:
    text = DOCUMENT.read_text()
    shown = text.partition(TABLE_START)[2].partition(TABLE_END)[0].strip()
    assert shown == markdown_table()


def test_the_schema_accepts_the_example_and_refuses_what_we_refuse() -> None:
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    validator.validate(yaml.safe_load(EXAMPLE.read_text()))
    for text in (
        "agents: {}", "agent: {modle: x/y}", "agent: {model: sonnet}", "limits: {turn_usd: 0}",
        "pull_request: maybe", "sandbox: {memory_mib: 1.5}", "agent: {command: opencode}",
        "branch_prefix: /x", "triggers: {apps: [0]}",
    ):  # fmt: skip
        assert isinstance(read_config(text.encode()), ConfigProblem)
        assert list(validator.iter_errors(yaml.safe_load(text))), text


def edges(key: Key) -> list[tuple[Any, bool]]:
    schema: dict[str, Any] = json_schema()
    for group in key.path.split("."):
        schema = schema["properties"][group]
    if "minimum" in schema and "maximum" in schema:
        least, most = schema["minimum"], schema["maximum"]
        return [(least, True), (most, True), (least - 1, False), (most + 1, False)]
    return []


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_the_ends_of_ranges(key: Key) -> None:
    for value, fits in edges(key):
        data: Any = value
        for group in reversed(key.path.split(".")):
            data = {group: data}
        config = read_config(json.dumps(data).encode())
        assert isinstance(config, RepoConfig) is fits, (key.path, value, config)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-3", -3), ("+3", 3), ("012", 12), ("0x1f", 31), ("0o17", 15),
        ("1_000", "1_000"), ("1:30", "1:30"), ("0b1", "0b1"), (".5", 0.5), ("5.", 5.0),
        ("1e3", 1000.0), ("true", True), ("FALSE", False), ("yes", "yes"), ("no", "no"),
        ("on", "on"), ("y", "y"), ("", None), ("~", None), ("null", None), ("=", "="),
        ("2026-11-24", "2026-11-24"), ("Infinity", "Infinity"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert core_value(text) == value
    assert type(core_value(text)) is type(value)


def test_windows_line_ends_and_unicode_are_fine() -> None:
    config = good("agent:\r\n  instructions: Grüße 👩‍💻\r\nbase_branch: main\r\n")
    assert config.agent.instructions == "Grüße 👩‍💻"
    assert config.lines["base_branch"] == 3


def test_a_file_of_64_kib_is_read_fast() -> None:
    line = "# a comment that fills the file\n"
    text = "agent:\n  model: a/b\n" + line * ((65_536 - 40) // len(line))
    start = time.process_time()
    good(text)
    assert time.process_time() - start < 0.3
