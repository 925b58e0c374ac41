"""github.com, GitHub Enterprise Server and data residency differ in where things are."""

from __future__ import annotations

import dataclasses

import pytest
from support.github_server import REPOSITORY, Client, Says, Server, comment_body, repository_body

from orchestrator.github import Endpoints
from orchestrator.github.calls import filled, with_query
from orchestrator.github.endpoints import origin

PUBLIC = Endpoints()
SERVER = Endpoints(
    api_url="https://ghe.acme.test/api/v3/",
    graphql_url="https://ghe.acme.test/api/graphql",
    server_url="https://ghe.acme.test/",
)
RESIDENT = Endpoints(
    api_url="https://api.octocorp.ghe.com",
    graphql_url="https://api.octocorp.ghe.com/graphql",
    server_url="https://octocorp.ghe.com",
)


def test_the_roots() -> None:
    assert PUBLIC.api_url == "https://api.github.com"
    assert PUBLIC.graphql_url == "https://api.github.com/graphql"
    assert SERVER.api_url == "https://ghe.acme.test/api/v3"
    assert SERVER.server_url == "https://ghe.acme.test"


@pytest.mark.parametrize("url", ["", "ghe.acme.test", "ftp://x", "https://", "file:///etc"])
@pytest.mark.parametrize("name", ["api_url", "graphql_url", "server_url"])
def test_what_is_no_url_is_refused_by_name(name: str, url: str) -> None:
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(PUBLIC, **{name: url})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://api.github.com/x", "https://api.github.com:443/y", True),
        ("https://api.github.com", "http://api.github.com", False),
        ("https://api.github.com", "https://api.github.com.evil.test", False),
        ("https://api.github.com", "https://api.github.com@evil.test/", False),
        ("https://api.github.com", "https://API.GITHUB.COM/", True),
        ("http://127.0.0.1:1", "http://127.0.0.1:2", False),
    ],
)
def test_one_host_is_told_from_another(one: str, other: str, same: bool) -> None:
    assert (origin(one) == origin(other)) is same


@pytest.mark.parametrize(
    ("api", "graphql", "prefix"),
    [
        ("/api/v3", "/api/graphql", "/api/v3"),
        ("/api/v3/", "/api/graphql/", "/api/v3"),
        ("", "/graphql", ""),
    ],
    ids=["enterprise server", "with a slash", "github.com"],
)
async def test_every_call_goes_to_the_right_place(
    client: Client, server: Server, api: str, graphql: str, prefix: str
) -> None:
    client.github._line.endpoints = Endpoints(
        api_url=server.root + api, graphql_url=server.root + graphql, server_url=server.root
    )
    server.on("POST", rf"{prefix}/app/installations/\d+/access_tokens", server.mint)
    server.on("GET", rf"{prefix}/repositories/{REPOSITORY}", Says(body=repository_body()))
    server.on("GET", rf"{prefix}/repos/acme/app/issues/comments/1", Says(body=comment_body()))
    server.on("POST", graphql.rstrip("/"), Says(body={"data": {"repository": None}}))
    assert await client.repository.comment(1) is not None
    assert await client.repository.pull_request_template() is None
    assert server.requests[-1].path == graphql.rstrip("/")


def test_paths_are_filled_safely() -> None:
    assert filled("/repos/{owner}/{repo}", {"owner": "a/b", "repo": "{owner}"}) == (
        "/repos/a%2Fb/%7Bowner%7D"
    )
    assert filled("/ref/{+ref}", {"ref": "heads/ä b?#%"}) == "/ref/heads/%C3%A4%20b%3F%23%25"
    assert with_query("/x", {"a": "b&c", "n": 1}) == "/x?a=b%26c&n=1"
    assert with_query("/x", {}) == "/x"
