"""What GraphQL shows of threads, comments and templates. Arguments arrive in the callables."""

from collections.abc import Callable, Sequence
from typing import Any

import yaml
from graphql import GraphQLError

from .accounts import Person
from .gitstore import BareRepository
from .model import Comment, Issue, Json, Pull, Repo, Review, ReviewComment, Thread
from .shapes import node_id, web
from .world import World, stamp


def refused(kind: str, message: str) -> GraphQLError:
    """GitHub puts its own `type` beside the message; `graphql_door` moves it there."""
    return GraphQLError(message, extensions={"type": kind})


def actor(world: World, person: Person) -> Json:
    """GraphQL calls a bot by its App's slug, without the `[bot]` that REST adds."""
    return {
        "__typename": person.type,
        "id": node_id("BOT" if person.type == "Bot" else "U", person.id),
        "databaseId": person.id,
        "login": person.login.removesuffix("[bot]"),
        "name": person.name,
        "url": f"{world.url}/{person.login}",
    }


def connection(items: Sequence[Any], **args: Any) -> Json:
    """Cursors are positions. Without `first` or `last` GitHub refuses."""
    first, last = args.get("first"), args.get("last")
    if first is None and last is None:
        message = "You must provide a `first` or `last` value to properly paginate the connection."
        raise refused("MISSING_PAGINATION_BOUNDARIES", message)
    if not 1 <= (first or last or 0) <= 100:
        raise refused("EXCESSIVE_PAGINATION", "Requesting more than 100 records is not allowed.")
    start = int(args["after"]) if args.get("after") else 0
    end = int(args["before"]) - 1 if args.get("before") else len(items)
    if first is not None:
        end = min(end, start + first)
    else:
        start = max(start, end - (last or 0))
    return {
        "nodes": list(items[start:end]),
        "totalCount": len(items),
        "pageInfo": {
            "startCursor": str(start + 1) if start < end else None,
            "endCursor": str(end) if start < end else None,
            "hasPreviousPage": start > 0,
            "hasNextPage": end < len(items),
        },
    }


def _lazy_connection(items: Callable[[], Sequence[Any]]) -> Callable[..., Json]:
    return lambda _info, **args: connection(items(), **args)


def repository(world: World, repo: Repo) -> Json:
    def thread(number: int, kind: str) -> Json:
        found = repo.issues.get(number)
        if found is None or isinstance(found, Pull) is not (kind == "PullRequest"):
            kind = "a PullRequest" if kind == "PullRequest" else "an Issue"
            message = f"Could not resolve to {kind} with the number of {number}."
            raise refused("NOT_FOUND", message)
        return pull(world, repo, found) if isinstance(found, Pull) else issue(world, repo, found)

    return {
        "__typename": "Repository",
        "id": node_id("R", repo.id),
        "databaseId": repo.id,
        "name": repo.name,
        "nameWithOwner": repo.full_name,
        "isPrivate": repo.private,
        "url": web(world, repo),
        "issueTemplates": lambda _info: issue_templates(repo),
        "pullRequestTemplates": lambda _info: [
            {**one, "repository": repository(world, repo)} for one in pull_templates(repo)
        ],
        "issue": lambda _info, number: thread(number, "Issue"),
        "pullRequest": lambda _info, number: thread(number, "PullRequest"),
    }


def issue(world: World, repo: Repo, found: Issue) -> Json:
    return {
        "__typename": "Issue",
        "id": node_id("I", found.id),
        "fullDatabaseId": str(found.id),
        "number": found.number,
        "title": found.title,
        "body": found.body or "",
        "state": found.state.upper(),
        "url": web(world, repo, f"/issues/{found.number}"),
        "author": actor(world, found.user),
    }


def pull(world: World, repo: Repo, found: Pull) -> Json:
    def threads() -> list[Json]:
        mine = [c for c in repo.review_comments.values() if c.number == found.number]
        ids = {c.thread_id: None for c in mine if repo.reviews[c.review_id].state != "PENDING"}
        return [review_thread(world, repo, repo.threads[i]) for i in ids]

    return {
        "__typename": "PullRequest",
        "id": node_id("PR", found.pull_id),
        "fullDatabaseId": str(found.pull_id),
        "number": found.number,
        "title": found.title,
        "body": found.body or "",
        "state": "MERGED" if found.merged_at else found.state.upper(),
        "isDraft": found.draft,
        "url": web(world, repo, f"/pull/{found.number}"),
        "author": actor(world, found.user),
        "baseRefName": found.base,
        "headRefName": found.head,
        "headRefOid": found.head_sha,
        "reviewThreads": _lazy_connection(threads),
    }


def comments_of(repo: Repo, thread: Thread) -> list[ReviewComment]:
    return [c for c in repo.review_comments.values() if c.thread_id == thread.id]


def review_thread(world: World, repo: Repo, thread: Thread) -> Json:
    mine = comments_of(repo, thread)
    first = mine[0]
    parent = repo.issues[first.number]
    assert isinstance(parent, Pull)
    resolved = thread.resolved_by
    return {
        "__typename": "PullRequestReviewThread",
        "id": node_id("PRRT", thread.id),
        "comments": _lazy_connection(lambda: [review_comment(world, repo, c) for c in mine]),
        "diffSide": first.side,
        "isCollapsed": resolved is not None,
        "isOutdated": first.line is None and first.subject_type == "line",
        "isResolved": resolved is not None,
        "line": first.line,
        "originalLine": first.original_line,
        "path": first.path,
        "pullRequest": pull(world, repo, parent),
        # The schema says User, so an App's bot reads as null here.
        "resolvedBy": actor(world, resolved) if resolved and resolved.type == "User" else None,
        "startLine": first.start_line,
        "subjectType": first.subject_type.upper(),
        "viewerCanReply": True,
        "viewerCanResolve": True,
    }


def _minimizable(world: World, found: Comment | ReviewComment | Review) -> Json:
    return {
        "fullDatabaseId": str(found.id),
        "author": actor(world, found.user),
        "body": found.body,
        "isMinimized": found.minimized is not None,
        "minimizedReason": found.minimized,
    }


def review_comment(world: World, repo: Repo, found: ReviewComment) -> Json:
    return {
        "__typename": "PullRequestReviewComment",
        "id": node_id("PRRC", found.id),
        "createdAt": stamp(found.created_at),
        "path": found.path,
        "url": web(world, repo, f"/pull/{found.number}#discussion_r{found.id}"),
        **_minimizable(world, found),
    }


def issue_comment(world: World, repo: Repo, found: Comment) -> Json:
    kind = "pull" if isinstance(repo.issues[found.number], Pull) else "issues"
    return {
        "__typename": "IssueComment",
        "id": node_id("IC", found.id),
        "createdAt": stamp(found.created_at),
        "url": web(world, repo, f"/{kind}/{found.number}#issuecomment-{found.id}"),
        **_minimizable(world, found),
    }


def review(world: World, repo: Repo, found: Review) -> Json:
    return {
        "__typename": "PullRequestReview",
        "id": node_id("PRR", found.id),
        "createdAt": stamp(found.submitted_at) or stamp(world.now()),
        "url": web(world, repo, f"/pull/{found.number}#pullrequestreview-{found.id}"),
        **_minimizable(world, found),
    }


# -- templates, read from the default branch


def _markdown_under(git: BareRepository, commit: str, folder: str) -> list[tuple[str, str]]:
    if git.entry(commit, folder) is None:
        return []
    found = []
    for path, _, kind, sha, _ in git.walk_tree(commit, recursive=True):
        inside = path.lower().startswith(folder.lower() + "/")
        if kind == "blob" and inside and path.lower().endswith(".md"):
            found.append((path, (git.blob(sha) or b"").decode(errors="replace")))
    return found


def issue_templates(repo: Repo) -> list[Json]:
    """Markdown templates with front matter; YAML forms are not listed here."""
    commit = repo.git.head(repo.default_branch)
    if commit is None:
        return []
    out = []
    for path, text in _markdown_under(repo.git, commit, ".github/ISSUE_TEMPLATE"):
        front: Any = {}
        if text.startswith("---\n") and "\n---" in text[4:]:
            head, _, text = text[4:].partition("\n---")
            front = yaml.safe_load(head)
        front = front if isinstance(front, dict) else {}
        filename = path.rpartition("/")[2]
        name = str(front.get("name") or filename.removesuffix(".md"))
        about, title = front.get("about"), front.get("title")
        out.append(
            {
                "filename": filename,
                "name": name,
                "about": None if about is None else str(about),
                "title": None if title is None else str(title),
                "body": text.lstrip("-").strip() + "\n",
            }
        )
    return out


def pull_templates(repo: Repo) -> list[Json]:
    """The one template in its usual places, then those of the folder."""
    commit = repo.git.head(repo.default_branch)
    if commit is None:
        return []
    out = []
    for folder in ("", "docs/", ".github/"):
        for name in ("PULL_REQUEST_TEMPLATE.md", "pull_request_template.md"):
            raw = repo.git.read(commit, folder + name)
            if raw is not None:
                out.append({"filename": folder + name, "body": raw.decode(errors="replace")})
    many = _markdown_under(repo.git, commit, ".github/PULL_REQUEST_TEMPLATE")
    return out + [{"filename": path, "body": text} for path, text in many]
