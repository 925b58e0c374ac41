"""GraphQL: threads, minimizing, templates, and a schema that is a part of GitHub's."""

from typing import Any

import graphql
from support.published import published_graphql

from bot.demo.github.graphql_schema import SDL

THREADS = """
query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      id
      reviewThreads(first: 1, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes {
          id isResolved isOutdated path line
          comments(first: 50) { nodes { id fullDatabaseId body author { login } } }
        }
      }
    }
  }
}
"""


async def _ask(stage: Any, query: str, token: str | None = None, **variables: Any) -> Any:
    sent = {"query": query, "variables": variables}
    answer = await stage.client("POST", stage.gh.graphql_url, sent, token=token)
    assert answer.status == 200
    return answer.body


async def _pull(stage: Any) -> None:
    gh = stage.gh
    await gh.push_commit(stage.repo, "fix", files={"n.txt": "1\n2\n"}, message="N", by=stage.alice)
    await gh.open_pull_request(stage.repo, by=stage.alice, head="fix", title="Fix", draft=True)
    for line in (1, 2):
        await gh.review_comment(
            stage.repo, 1, by=stage.alice, body=f"on {line}", path="n.txt", line=line
        )


async def test_threads_are_listed_answered_and_resolved(stage: Any) -> None:
    await _pull(stage)
    where = {"owner": "acme", "name": "app", "number": 1}
    first = await _ask(stage, THREADS, **where)
    threads = first["data"]["repository"]["pullRequest"]["reviewThreads"]
    assert threads["pageInfo"]["hasNextPage"] is True
    [thread] = threads["nodes"]
    assert (thread["line"], thread["isResolved"]) == (1, False)
    second = await _ask(stage, THREADS, **where, after=threads["pageInfo"]["endCursor"])
    assert second["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"][0]["line"] == 2

    reply = """mutation($id: ID!) {
        addPullRequestReviewThreadReply(input: {pullRequestReviewThreadId: $id, body: "Fixed."}) {
            comment { author { login } } } }"""
    done = await _ask(stage, reply, id=thread["id"])
    comment = done["data"]["addPullRequestReviewThreadReply"]["comment"]
    assert comment["author"]["login"] == "openinspect", "GraphQL leaves out [bot]"
    resolve = """mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) {
        thread { isResolved } } }"""
    done = await _ask(stage, resolve, id=thread["id"])
    assert done["data"]["resolveReviewThread"]["thread"]["isResolved"] is True
    undo = resolve.replace("resolveReviewThread", "unresolveReviewThread")
    assert (await _ask(stage, undo, id=thread["id"]))["data"]


async def test_resolving_needs_contents_write(stage: Any) -> None:
    await _pull(stage)
    found = await _ask(stage, THREADS, owner="acme", name="app", number=1)
    thread = found["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"][0]["id"]
    token = stage.gh.token_for(stage.installation, permissions={"pull_requests": "write"})
    resolve = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { id } } }"
    refused = await _ask(stage, resolve, token, id=thread)
    assert refused["errors"][0]["type"] == "FORBIDDEN"
    assert refused["errors"][0]["path"] == ["resolveReviewThread"]


async def test_minimizing_and_ready_for_review(stage: Any) -> None:
    await _pull(stage)
    said = await stage.gh.comment(stage.repo, 1, by=stage.alice, body="old news")
    rest = await stage.client("GET", f"/repos/acme/app/issues/comments/{said.id}")
    fold = """mutation($id: ID!) { minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) {
        minimizedComment { isMinimized minimizedReason } } }"""
    done = await _ask(stage, fold, id=rest.body["node_id"])
    assert done["data"]["minimizeComment"]["minimizedComment"] == {
        "isMinimized": True,
        "minimizedReason": "outdated",
    }
    rest = await stage.client("GET", f"/repos/acme/app/issues/comments/{said.id}")
    assert rest.body["minimized"] == {"reason": "outdated"}
    pull = (await stage.client("GET", "/repos/acme/app/pulls/1")).body
    ready = """mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) {
        pullRequest { isDraft number } } }"""
    done = await _ask(stage, ready, id=pull["node_id"])
    assert done["data"]["markPullRequestReadyForReview"]["pullRequest"]["isDraft"] is False


async def test_templates_come_from_the_default_branch(stage: Any) -> None:
    await stage.gh.push_commit(
        stage.repo,
        "main",
        files={
            ".github/ISSUE_TEMPLATE/bug.md": "---\nname: Bug\nabout: It broke\n---\nSteps:\n",
            ".github/pull_request_template.md": "## Why\n",
        },
        message="Templates",
        by=stage.alice,
    )
    ask = """{ repository(owner: "acme", name: "app") {
        issueTemplates { name about body filename } pullRequestTemplates { filename body } } }"""
    got = (await _ask(stage, ask))["data"]["repository"]
    assert got["issueTemplates"] == [
        {"name": "Bug", "about": "It broke", "body": "Steps:\n", "filename": "bug.md"}
    ]
    assert got["pullRequestTemplates"] == [
        {"filename": ".github/pull_request_template.md", "body": "## Why\n"}
    ]


async def test_failures_come_with_http_200(stage: Any) -> None:
    got = await _ask(stage, '{ repository(owner: "acme", name: "none") { id } }')
    assert got["data"] == {"repository": None} and got["errors"][0]["type"] == "NOT_FOUND"
    unbounded = """{ repository(owner: "acme", name: "app") {
        pullRequest(number: 1) { reviewThreads { totalCount } } } }"""
    await _pull(stage)
    got = await _ask(stage, unbounded)
    assert got["errors"][0]["type"] == "MISSING_PAGINATION_BOUNDARIES"
    nobody = await stage.client(
        "POST", stage.gh.graphql_url, {"query": "{ viewer { login } }"}, token="x"
    )
    assert nobody.status == 401


def test_our_schema_is_a_part_of_githubs() -> None:
    ours, theirs = graphql.build_schema(SDL), published_graphql()
    for name, kind in ours.type_map.items():
        if name.startswith("__"):
            continue
        other = theirs.type_map.get(name)
        assert type(other) is type(kind), name
        if isinstance(kind, graphql.GraphQLEnumType):
            assert set(kind.values) <= set(other.values), name  # type: ignore[union-attr]
        for field_name, one in getattr(kind, "fields", {}).items():
            twin = other.fields.get(field_name)  # type: ignore[union-attr]
            assert twin is not None, f"{name}.{field_name}"
            assert str(twin.type) == str(one.type), f"{name}.{field_name}"
            for argument, value in getattr(one, "args", {}).items():
                assert str(twin.args[argument].type) == str(value.type), f"{name}.{field_name}"
        for interface in getattr(kind, "interfaces", ()):
            assert interface.name in [i.name for i in other.interfaces], name  # type: ignore[union-attr]
