"""The REST door: a call, its answer, the table's entries, and what a caller may see.

Handlers live in `rest_*.py`, one file per area, each with a `ROUTES` table; `routes.py` joins
them. A handler gets a `Call` whose repository and permission were checked already.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn
from urllib.parse import urlencode

from .accounts import App
from .apps import covers
from .hooks import Hooks
from .model import Actor, Issue, Json, Pull, Repo, Token
from .world import World

DOCS = "https://docs.github.com/rest"
# https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
PER_HOUR = 5_000

# A permission that suffices, such as ("issues", "write"). Several in a tuple: any one of them.
Need = tuple[tuple[str, str], ...]
# Which credential opens a route: an App's JWT, an installation token's repository, or any.
Door = Literal["app", "repo", "token", "anyone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`body` is JSON unless `raw` is given."""

    status: int = 200
    body: Any = None
    raw: bytes | None = None
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """Any answer that is not a success."""

    def __init__(
        self, status: int, message: str, errors: Sequence[Json | str] | None = None
    ) -> None:
        super().__init__(message)
        self.answer = problem(status, message, errors)


def problem(
    status: int,
    message: str,
    errors: Sequence[Json | str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    body: Json = {"message": message, "documentation_url": DOCS, "status": str(status)}
    if errors is not None:
        body["errors"] = list(errors)
    return Answer(status=status, body=body, headers=headers or {})


def not_found() -> NoReturn:
    raise ApiError(404, "Not Found")


def invalid(resource: str, field_name: str, code: str = "invalid", message: str = "") -> NoReturn:
    """422 with GitHub's error list."""
    error: Json = {"resource": resource, "field": field_name, "code": code}
    if message:
        error["message"] = message
    raise ApiError(422, "Validation Failed", [error])


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, after authentication."""

    world: World
    hooks: Hooks
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    accept: str
    token: Token | None
    app: App | None
    at: Repo | None = None

    @property
    def actor(self) -> Actor:
        """Who acts: the App's bot for an installation token, the person for theirs."""
        if self.token is None:
            raise ApiError(401, "Requires authentication")
        installation = self.token.installation
        return Actor(self.token.user, None if installation is None else installation.app)

    @property
    def repo(self) -> Repo:
        assert self.at is not None, "the route names no repository"
        return self.at

    def number(self, name: str) -> int:
        value = self.params[name]
        return int(value) if value.isdigit() else not_found()

    def issue(self) -> Issue:
        return self.repo.issues.get(self.number("issue_number")) or not_found()

    def pull(self) -> Pull:
        found = self.repo.issues.get(self.number("pull_number"))
        return found if isinstance(found, Pull) else not_found()

    def text(self, name: str, *, required: bool = False, resource: str = "Request") -> str | None:
        """A string of the body; a missing required one or another type is a 422."""
        value = self.body.get(name)
        if value is None and not required:
            return None
        if value is None:
            invalid(resource, name, "missing_field")
        return value if isinstance(value, str) else invalid(resource, name)

    def words(self, name: str) -> list[str]:
        value = self.body.get(name) or []
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            invalid("Request", name)
        return list(value)

    def wants(self, media: str) -> bool:
        return f"application/vnd.github.{media}" in self.accept or (
            f"application/vnd.github.v3.{media}" in self.accept
        )

    def page(self, items: list[Any], *, default: int = 30) -> Answer:
        """One page and the Link header that leads to the others."""
        size = max(1, min(int(self.query.get("per_page", default) or default), 100))
        number = max(1, int(self.query.get("page", 1) or 1))
        last = max(1, -(-len(items) // size))
        return Answer(
            body=items[(number - 1) * size : number * size],
            headers=self._links(number, last),
        )

    def _links(self, number: int, last: int) -> dict[str, str]:
        def link(page: int, rel: str) -> str:
            query = urlencode({**self.query, "page": page})
            return f'<{self.world.url}/api/v3{self.path}?{query}>; rel="{rel}"'

        links = []
        if number > 1:
            links += [link(number - 1, "prev")]
        if number < last:
            links += [link(number + 1, "next"), link(last, "last")]
        if number > 1:
            links += [link(1, "first")]
        return {"Link": ", ".join(links)} if links else {}

    def seen(self, items: Any) -> list[Any]:
        """Only what listings show already (see the fault `hidden_in_listings`)."""
        now = self.world.now()
        return [one for one in items if one.visible_from <= now]


Handler = Callable[[Call], Answer | Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`template` is the path as GitHub's OpenAPI description writes it."""

    method: str
    template: str
    handler: Handler
    need: Need = ()
    door: Door = "repo"
    pattern: re.Pattern[str]


def route(
    method: str, template: str, handler: Handler, *need: tuple[str, str], door: Door = "repo"
) -> Route:
    """`{path}`, `{ref}` and `{basehead}` may contain slashes, other parameters may not."""

    def part(match: re.Match[str]) -> str:
        many = match[1] in ("path", "ref", "basehead", "branch")
        return f"(?P<{match[1]}>{'.+' if many else '[^/]+'})"

    pattern = re.compile("^" + re.sub(r"\{(\w+)\}", part, template) + "$")
    return Route(
        method=method, template=template, handler=handler, need=need, door=door, pattern=pattern
    )


# -- who may see and do what


def visible_to(token: Token | None, repo: Repo) -> bool:
    """What a caller cannot see answers 404, never 403."""
    if token is None:
        return not repo.private
    if token.installation is None:
        return token.user is repo.owner or repo.grant_of(token.user).allows("read")
    return in_scope(token, repo) or not repo.private


def in_scope(token: Token, repo: Repo) -> bool:
    assert token.installation is not None
    if repo not in token.installation.repositories:
        return False
    return token.repositories is None or repo in token.repositories


def permitted(token: Token | None, repo: Repo, need: Need) -> bool:
    """A little stricter than GitHub: an installation token needs its permission even to read a
    public repository of its own, so that what passes here also works on a private one.
    Public repositories outside the token's scope can be read, as on GitHub.
    """
    reading = all(level == "read" for _, level in need)
    if token is None:
        return reading and not repo.private
    if token.installation is None:
        wanted = "read" if reading else "write"
        names = {name for name, _ in need}
        if names & {"issues", "pull_requests"}:
            wanted = "read"  # anyone who can read may comment
        return not need or repo.grant_of(token.user).allows(wanted)
    if not in_scope(token, repo):
        return reading and not repo.private
    return not need or any(covers(token.permissions, name, level) for name, level in need)


def check_repository(token: Token | None, repo: Repo | None, need: Need) -> Repo:
    if repo is None or not visible_to(token, repo):
        not_found()
    if not permitted(token, repo, need):
        if token is None:
            raise ApiError(401, "Requires authentication")
        if token.installation is None:
            raise ApiError(403, "Must have admin rights to Repository.")
        raise ApiError(403, "Resource not accessible by integration")
    return repo
