"""GitHub's published descriptions, and whether what was said agrees with them.

REST is held against `@octokit/openapi`, GraphQL against `@octokit/graphql-schema`, deliveries
against `@octokit/webhooks-schemas`. `make setup` installs all three under `.tools`
(or `OPENINSPECT_TOOLS`). An `EmbeddedGitHub(record=True)` keeps what was said:

    assert_as_published(gh)

Where a description and GitHub's documented behaviour differ, the behaviour counts; each such
place is one entry in `DIFFERENCES`, with the page.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import graphql
import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4, DRAFT7

from bot.demo.github import EmbeddedGitHub
from bot.demo.github.door import Exchange
from bot.demo.github.graphql_door import Document

Json = Any

# Routes that GitHub serves and its description does not list, with the route they answer like.
ALIASES = {
    # https://github.com/octokit/rest.js/issues/163 : redirects of renamed repositories lead here
    "/repositories/{repository_id}": "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/contents": "/repos/{owner}/{repo}/contents/{path}",
}

# Errors that any route may answer: https://docs.github.com/rest/using-the-rest-api/
ANYWHERE = {304, 400, 401, 403, 404, 405, 409, 422, 429, 500, 502, 503}

# (where, what the description would have, the page that says otherwise)
DIFFERENCES: tuple[tuple[str, str, str], ...] = (
    # Outdated comments have no line any more, comments on a whole file never had one. The page's
    # own examples of `subject_type: file` have null there.
    ("pulls/", "line: None is not of type", "https://docs.github.com/rest/pulls/comments"),
    ("pulls/", "position: None is not of type", "https://docs.github.com/rest/pulls/comments"),
    # The account would have to be a user and an enterprise at once (allOf); the page's example
    # is a user, as the description of a single installation allows (anyOf).
    (
        "GET /app/installations: answer 200",
        "/account: ",
        "https://docs.github.com/rest/apps/apps#list-installations-for-the-authenticated-app",
    ),
    (
        "webhook pull_request_review",
        "/original_line: None is not of",
        "https://docs.github.com/webhooks/webhook-events-and-payloads",
    ),
)


class Missing(RuntimeError):
    """The descriptions are not installed: run `make setup`."""


def _folder(package: str) -> Path:
    root = os.environ.get("OPENINSPECT_TOOLS") or Path(__file__).parents[2] / ".tools"
    found = Path(root) / "node_modules" / "@octokit" / package
    if not found.is_dir():
        raise Missing(f"{found} is missing: run `make setup`")
    return found


# -- formats


_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


# -- REST


def _as_json_schema(node: Json) -> Json:
    """OpenAPI 3.0 says `nullable` where JSON Schema lists null among the types."""
    if isinstance(node, list):
        return [_as_json_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    out = {k: _as_json_schema(v) for k, v in node.items() if k not in ("example", "examples")}
    if isinstance(out.get("$ref"), str):
        out["$ref"] = "urn:rest" + out["$ref"].removeprefix("urn:rest")
    if out.pop("nullable", False) is True:
        if "$ref" in out or "anyOf" in out or "oneOf" in out or "allOf" in out:
            return {"anyOf": [out, {"type": "null"}]}
        if isinstance(out.get("type"), str):
            out["type"] = [out["type"], "null"]
        if "enum" in out and None not in out["enum"]:
            out["enum"] = [*out["enum"], None]
    return out


@cache
def _openapi() -> Json:
    with (_folder("openapi") / "generated" / "api.github.com.json").open("rb") as file:
        return json.load(file)


@cache
def _components() -> Registry[Json]:
    schemas = _as_json_schema(_openapi()["components"]["schemas"])
    whole = {"components": {"schemas": schemas}}
    resource = Resource.from_contents(whole, default_specification=DRAFT4)
    return Registry().with_resource("urn:rest", resource)


@cache
def _validator_of(schema_text: str) -> jsonschema.Draft4Validator:
    schema = _as_json_schema(json.loads(schema_text))
    return jsonschema.Draft4Validator(schema, registry=_components(), format_checker=_FORMATS)


def _against(schema: Json, value: Json, where: str) -> Iterator[str]:
    validator = _validator_of(json.dumps(schema, sort_keys=True))
    for error in validator.iter_errors(value):
        yield f"{where}: {_leaf(error)}"


def _leaf(error: jsonschema.ValidationError) -> str:
    """The most telling of nested errors, with its place."""
    while error.context:
        # Of several alternatives, the one that failed in the fewest places was meant.
        tried = [str(e.schema_path[0]) for e in error.context]
        error = min(error.context, key=lambda e: tried.count(str(e.schema_path[0])))
    place = "/".join(str(p) for p in error.absolute_path) or "(top)"
    return f"{place}: {error.message[:300]}"


def _resolved(node: Json) -> Json:
    while "$ref" in node:
        target = _openapi()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def rest_mismatches(said: Exchange) -> list[str]:
    """Every way in which a request or its answer differs from the description."""
    template = ALIASES.get(said.template, said.template)
    here = f"{said.method} {template}"
    operation = _openapi()["paths"].get(template, {}).get(said.method.lower())
    if operation is None:
        return [f"{here}: not described"]
    found = list(_request(operation, said, here)) if said.status < 400 else []
    found += _answer(operation, said, here)
    return [one for one in found if not _excused(one)]


def _excused(mismatch: str) -> bool:
    return any(where in mismatch and what in mismatch for where, what, _ in DIFFERENCES)


def _request(operation: Json, said: Exchange, here: str) -> Iterator[str]:
    """Query parameters and body by name and type. GitHub ignores unknown names; we do not."""
    parameters = {p["name"]: p for p in map(_resolved, operation.get("parameters", []))}
    for name, text in said.query.items():
        parameter = parameters.get(name)
        if parameter is None or parameter["in"] != "query":
            yield f"{here}: unknown query parameter {name}"
            continue
        schema = _resolved(parameter["schema"])
        value: Json = text
        if schema.get("type") == "integer" and text.isdigit():
            value = int(text)
        if schema.get("type") == "boolean" and text in ("true", "false"):
            value = text == "true"
        yield from _against(schema, value, f"{here}: query {name}")
    described = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if described is None:
        if said.request:
            yield f"{here}: a body was sent where none is described"
        return
    if said.request is None and not operation["requestBody"].get("required"):
        return
    schema = _resolved(described["schema"])
    body = {} if said.request is None else said.request
    yield from _against(schema, body, f"{here}: request")
    known = set(_property_names(schema))
    if known and isinstance(body, dict) and (odd := sorted(set(body) - known)):
        yield f"{here}: request has unknown keys {odd}"


def _property_names(schema: Json) -> Iterator[str]:
    schema = _resolved(schema)
    yield from schema.get("properties", {})
    for choice in ("oneOf", "anyOf", "allOf"):
        for one in schema.get(choice, []):
            yield from _property_names(one)


def _answer(operation: Json, said: Exchange, here: str) -> list[str]:
    described = operation["responses"].get(str(said.status))
    where = f"{here}: answer {said.status}"
    if described is None:
        if said.status in ANYWHERE:
            basic = {"$ref": "#/components/schemas/basic-error"}
            return list(_against(basic, said.answer, where))
        return [f"{where}: this status is not described"]
    content = _resolved(described).get("content", {})
    if isinstance(said.answer, bytes):
        return []
    if said.status == 204 or not content:
        return [] if said.answer is None else [f"{where}: a body where none is described"]
    schema = content.get("application/json", next(iter(content.values())))["schema"]
    return list(_against(schema, said.answer, where))


# -- GraphQL


@cache
def published_graphql() -> graphql.GraphQLSchema:
    text = (_folder("graphql-schema") / "schema.graphql").read_text()
    return graphql.build_schema(text, assume_valid=True)


def graphql_mismatches(said: Document) -> list[str]:
    """Whether GitHub's own schema would take this document with these variables."""
    schema = published_graphql()
    try:
        parsed = graphql.parse(said.query)
    except graphql.GraphQLSyntaxError as problem:
        return [f"GraphQL: {problem}"]
    found = [f"GraphQL: {error.message}" for error in graphql.validate(schema, parsed)]
    for definition in parsed.definitions:
        if isinstance(definition, graphql.OperationDefinitionNode):
            given = graphql.get_variable_values(
                schema, definition.variable_definitions or (), said.variables
            )
            if isinstance(given, list):
                found += [f"GraphQL: {error.message}" for error in given]
    return found


# -- webhooks


@cache
def _webhooks() -> Json:
    with (_folder("webhooks-schemas") / "schema.json").open("rb") as file:
        return json.load(file)


@cache
def _delivery_validator(name: str) -> jsonschema.Draft7Validator | None:
    whole = _webhooks()
    if name not in whole["definitions"]:
        return None
    resource = Resource.from_contents(whole, default_specification=DRAFT7)
    registry: Registry[Json] = Registry().with_resource("urn:hooks", resource)
    schema = {"$ref": f"urn:hooks#/definitions/{name}"}
    return jsonschema.Draft7Validator(schema, registry=registry, format_checker=_FORMATS)


def delivery_mismatches(event: str, action: str | None, payload: bytes) -> list[str]:
    name = f"{event}${action or 'event'}"
    validator = _delivery_validator(name)
    if validator is None:
        return [f"webhook {name}: not described"]
    found = [f"webhook {name}: {_leaf(e)}" for e in validator.iter_errors(json.loads(payload))]
    return [one for one in found if not _excused(one)]


# -- everything


def mismatches(gh: EmbeddedGitHub) -> list[str]:
    """Of all that this embedded GitHub was asked, answered and announced; each one once."""
    checks: list[Callable[[], list[str]]] = []
    checks += [lambda e=e: rest_mismatches(e) for e in gh.exchanges]  # type: ignore[misc]
    checks += [lambda d=d: graphql_mismatches(d) for d in gh.documents]  # type: ignore[misc]
    checks += [
        lambda d=d: delivery_mismatches(d.event, d.action, d.payload)  # type: ignore[misc]
        for d in gh.deliveries
    ]
    return list(dict.fromkeys(one for check in checks for one in check()))


def assert_as_published(gh: EmbeddedGitHub) -> None:
    """Call at the end of a test; needs `record=True`."""
    found = mismatches(gh)
    assert not found, "differs from GitHub's published descriptions:\n" + "\n".join(found)
