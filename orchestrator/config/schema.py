"""The key table as JSON Schema, for editors, and as the table of docs/configuration.md."""

from __future__ import annotations

import json
from typing import assert_never

from .keys import (
    CONFIG_PATH,
    KEYS,
    Choice,
    Flag,
    Key,
    Number,
    NumberList,
    Text,
    TextList,
    Type,
    Value,
    allowed,
)

Json = dict[str, object]


def json_schema() -> Json:
    root: Json = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Open-Inspect",
        "description": f"Configuration of Open-Inspect for one repository: {CONFIG_PATH}",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {},
    }
    for key in KEYS:
        *groups, name = key.path.split(".")
        at = root
        for group in groups:
            at = _properties(at).setdefault(  # type: ignore[assignment]
                group,
                {"type": ["object", "null"], "additionalProperties": False, "properties": {}},
            )
        _properties(at)[name] = {
            "description": key.doc,
            **_schema_of(key.type),
            "default": _plain(key.default),
        }
    return root


def _properties(schema: Json) -> Json:
    properties = schema["properties"]
    assert isinstance(properties, dict)
    return properties


def json_schema_text() -> str:
    """The content of config-schema/config.schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _schema_of(type_: Type) -> Json:
    match type_:
        case Flag():
            return {"type": "boolean"}
        case Number():
            kind = "integer" if type_.whole else "number"
            return {"type": kind, "minimum": type_.least, "maximum": type_.most}
        case Text():
            text: Json = {"type": "string", "maxLength": type_.longest}
            return {**text, "pattern": f"^(?:{type_.pattern})$"} if type_.pattern else text
        case Choice():
            return {"type": "string", "enum": list(type_.options)}
        case TextList():
            item: Json = {"type": "string", "minLength": 1, "maxLength": type_.longest}
            if type_.pattern:
                item["pattern"] = f"^(?:{type_.pattern})$"
            return {"type": "array", "maxItems": type_.most, "items": item}
        case NumberList():
            ids = {"type": "integer", "minimum": 1}
            return {"type": "array", "maxItems": type_.most, "items": ids}
        case _:
            assert_never(type_)


def _plain(value: Value) -> object:
    return list(value) if isinstance(value, tuple) else value


TABLE_START = "<!-- keys: generated from orchestrator/config/keys.py -->"
TABLE_END = "<!-- /keys -->"


def markdown_table() -> str:
    """One row per key, for docs/configuration.md."""
    rows = ["| key | value | default | what it does |", "|---|---|---|---|"]
    rows += [
        f"| `{key.path}` | {allowed(key.type)} | {_default(key)} | {key.doc} |" for key in KEYS
    ]
    return "\n".join(rows)


def _default(key: Key) -> str:
    if key.default in ("", ()):
        return ""
    plain = _plain(key.default)
    shown = f"{plain:g}" if isinstance(plain, float) else json.dumps(plain).strip('"')
    return f"`{shown}`"
