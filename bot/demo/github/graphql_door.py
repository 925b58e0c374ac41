"""GraphQL at `/api/graphql`: parsed and validated by graphql-core, then answered from the world.

Failures come back as GitHub sends them: HTTP 200 with an `errors` list, except for 401.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from aiohttp import hdrs, web
from graphql import GraphQLResolveInfo, GraphQLSchema, build_schema, graphql_sync

from . import changes_issues, changes_pulls, changes_reviews
from . import graphql_shapes as shapes
from .apps import Unauthorized, covers
from .door import Credentials
from .faulty import with_faults
from .graphql_schema import SDL
from .graphql_shapes import refused
from .hooks import Hooks
from .model import Actor, Comment, Json, Pull, Repo, Review, ReviewComment, Thread, Token
from .rest import DOCS, in_scope, permitted, visible_to
from .world import World, stamp

Info = GraphQLResolveInfo[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One GraphQL request and its answer, as kept by the recorder."""

    query: str
    variables: Json
    answer: Json


@cache
def _schema() -> GraphQLSchema:
    return build_schema(SDL)


class GraphQLDoor:
    """The handler of `/api/graphql`."""

    def __init__(self, world: World, hooks: Hooks, *, record: bool) -> None:
        self.world, self.hooks = world, hooks
        self.documents: list[Document] = []
        self._record = record

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await with_faults(self.world, request, "/graphql", lambda: self._answer(request))

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            who = Credentials(self.world, request.headers.get(hdrs.AUTHORIZATION))
        except Unauthorized as refusal:
            return _plain(401, str(refusal))
        if who.token is None:
            return _plain(401, "This endpoint requires you to be authenticated.")
        try:
            body = json.loads(await request.read())
            query, variables = str(body["query"]), body.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return _plain(400, "Problems parsing JSON")
        root = _Root(self.world, self.hooks, who.token)
        done = graphql_sync(
            _schema(),
            query,
            root_value=root,
            variable_values=variables,
            operation_name=body.get("operationName"),
        )
        answer: Json = {}
        if done.data is not None or not done.errors:
            answer["data"] = done.data
        if done.errors:
            answer["errors"] = [_error(e.formatted) for e in done.errors]
        if self._record:
            self.documents.append(Document(query=query, variables=variables, answer=answer))
        return web.json_response(answer, headers={"X-RateLimit-Resource": "graphql"})


def _plain(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "documentation_url": DOCS}, status=status)


def _error(formatted: Any) -> Json:
    """GitHub has `type` beside the message and keeps `extensions` for other things."""
    out = dict(formatted)
    extensions = dict(out.pop("extensions", {}))
    kind = extensions.pop("type", None)
    return ({"type": kind} if kind else {}) | out


class _Root:
    """Queries and mutations on behalf of one token; graphql-core calls methods by field name."""

    def __init__(self, world: World, hooks: Hooks, token: Token) -> None:
        self.world, self.hooks, self.token = world, hooks, token
        installation = token.installation
        self.actor = Actor(token.user, None if installation is None else installation.app)

    # -- queries

    def repository(self, _info: Info, owner: str, name: str, followRenames: bool = True) -> Json:
        found = self.world.repository(f"{owner}/{name}")
        if found is None or not visible_to(self.token, found):
            message = f"Could not resolve to a Repository with the name '{owner}/{name}'."
            raise refused("NOT_FOUND", message)
        return shapes.repository(self.world, found)

    def node(self, _info: Info, id: str) -> Json:
        repo, found = self._find(id)
        return self._shape(repo, found)

    def viewer(self, _info: Info) -> Json:
        return shapes.actor(self.world, self.token.user)

    def rateLimit(self, _info: Info, dryRun: bool = False) -> Json:
        reset = stamp(self.world.now())
        return {"cost": 1, "limit": 5_000, "remaining": 4_999, "resetAt": reset, "used": 1}

    # -- finding by node id

    def _find(self, wanted: str) -> tuple[Repo, Any]:
        """Whatever the id names, in a repository that the token may see."""
        prefix, _, rest = wanted.rpartition("_kwDO")
        try:
            number = int(rest, 16)
        except ValueError:
            number = -1
        for repo in self.world.repositories.values():
            if not visible_to(self.token, repo):
                continue
            pulls = {p.pull_id: p for p in repo.issues.values() if isinstance(p, Pull)}
            plain = {i.id: i for i in repo.issues.values() if not isinstance(i, Pull)}
            tables: dict[str, dict[int, Any]] = {
                "R": {repo.id: repo},
                "I": plain,
                "PR": pulls,
                "PRRT": repo.threads,
                "PRRC": repo.review_comments,
                "IC": repo.comments,
                "PRR": repo.reviews,
            }
            if (found := tables.get(prefix, {}).get(number)) is not None:
                return repo, found
        message = f"Could not resolve to a node with the global id of '{wanted}'"
        raise refused("NOT_FOUND", message)

    def _shape(self, repo: Repo, found: Any) -> Json:
        match found:
            case Repo():
                return shapes.repository(self.world, repo)
            case Thread():
                return shapes.review_thread(self.world, repo, found)
            case ReviewComment():
                return shapes.review_comment(self.world, repo, found)
            case Comment():
                return shapes.issue_comment(self.world, repo, found)
            case Review():
                return shapes.review(self.world, repo, found)
            case Pull():
                return shapes.pull(self.world, repo, found)
            case _:
                return shapes.issue(self.world, repo, found)

    def _check(self, repo: Repo, name: str) -> None:
        need = ((name, "write"),)
        allowed = permitted(self.token, repo, need)
        if self.token.installation is not None:
            allowed = in_scope(self.token, repo) and covers(self.token.permissions, name, "write")
        if not allowed:
            raise refused("FORBIDDEN", "Resource not accessible by integration")

    def _expect(self, wanted: str, kind: type) -> tuple[Repo, Any]:
        repo, found = self._find(wanted)
        if not isinstance(found, kind):
            message = f"Could not resolve to a node with the global id of '{wanted}'"
            raise refused("NOT_FOUND", message)
        return repo, found

    # -- mutations

    def resolveReviewThread(self, _info: Info, input: Json) -> Json:
        return self._resolve(input, resolve=True)

    def unresolveReviewThread(self, _info: Info, input: Json) -> Json:
        return self._resolve(input, resolve=False)

    def _resolve(self, given: Json, *, resolve: bool) -> Json:
        repo, thread = self._expect(given["threadId"], Thread)
        # pull_requests alone does not suffice, not even for one's own thread:
        # https://github.com/orgs/community/discussions/204269
        self._check(repo, "contents")
        comments = shapes.comments_of(repo, thread)
        if (thread.resolved_by is not None) is not resolve:
            changes_reviews.resolve(self.hooks, repo, thread, comments, self.actor, resolve=resolve)
        return {**_client(given), "thread": shapes.review_thread(self.world, repo, thread)}

    def addPullRequestReviewThreadReply(self, _info: Info, input: Json) -> Json:
        repo, thread = self._expect(input["pullRequestReviewThreadId"], Thread)
        self._check(repo, "pull_requests")
        first = shapes.comments_of(repo, thread)[0]
        found = repo.issues[first.number]
        assert isinstance(found, Pull)
        made = changes_reviews.reply(self.hooks, repo, found, self.actor, first, input["body"])
        return {**_client(input), "comment": shapes.review_comment(self.world, repo, made)}

    def minimizeComment(self, _info: Info, input: Json) -> Json:
        return self._minimize(input, input["classifier"], "minimizedComment")

    def unminimizeComment(self, _info: Info, input: Json) -> Json:
        return self._minimize(input, None, "unminimizedComment")

    def _minimize(self, given: Json, reason: str | None, name: str) -> Json:
        repo, found = self._find(given["subjectId"])
        if not isinstance(found, Comment | ReviewComment | Review):
            raise refused("UNPROCESSABLE", "The subject cannot be minimized.")
        on_pull = isinstance(repo.issues[found.number], Pull)
        self._check(repo, "pull_requests" if on_pull else "issues")
        changes_issues.minimize(self.hooks, repo, found, self.actor, reason)
        return {**_client(given), name: self._shape(repo, found)}

    def markPullRequestReadyForReview(self, _info: Info, input: Json) -> Json:
        repo, found = self._expect(input["pullRequestId"], Pull)
        self._check(repo, "pull_requests")
        changes_pulls.mark_ready(self.hooks, repo, found, self.actor)
        return {**_client(input), "pullRequest": shapes.pull(self.world, repo, found)}

    def convertPullRequestToDraft(self, _info: Info, input: Json) -> Json:
        repo, found = self._expect(input["pullRequestId"], Pull)
        self._check(repo, "pull_requests")
        changes_pulls.to_draft(self.hooks, repo, found, self.actor)
        return {**_client(input), "pullRequest": shapes.pull(self.world, repo, found)}


def _client(given: Json) -> Json:
    return {"clientMutationId": given.get("clientMutationId")}
