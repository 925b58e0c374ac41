"""The JSON of issues, pull requests, their comments, reviews and checks."""

from .accounts import Person
from .model import CheckRun, Comment, Issue, Json, Pull, Repo, Review, ReviewComment
from .shapes import (
    app_or_none,
    association,
    label,
    node_id,
    reactions,
    repo_api,
    repository,
    user,
    web,
)
from .world import World, stamp


def _user_or_none(world: World, person: Person | None) -> Json | None:
    return None if person is None else user(world, person)


def issue(world: World, repo: Repo, found: Issue) -> Json:
    url = repo_api(world, repo, f"/issues/{found.number}")
    pull = isinstance(found, Pull)
    page = web(world, repo, f"/{'pull' if pull else 'issues'}/{found.number}")
    out: Json = {
        "url": url,
        "repository_url": repo_api(world, repo),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": page,
        "id": found.id,
        "node_id": node_id("PR" if pull else "I", found.id),
        "number": found.number,
        "title": found.title,
        "user": user(world, found.user),
        "labels": [label(world, repo, one) for one in found.labels],
        "state": found.state,
        "state_reason": found.state_reason,
        "locked": found.locked,
        "assignee": _user_or_none(world, next(iter(found.assignees), None)),
        "assignees": [user(world, one) for one in found.assignees],
        "milestone": None,
        "comments": len(repo.conversations.get(found.number, ())),
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at),
        "closed_at": stamp(found.closed_at),
        "author_association": association(repo, found.user),
        "active_lock_reason": None,
        "performed_via_github_app": app_or_none(world, found.app),
        "body": found.body,
        "reactions": reactions(url, found.reactions),
    }
    if isinstance(found, Pull):
        out["draft"] = found.draft
        out["pull_request"] = {
            "url": repo_api(world, repo, f"/pulls/{found.number}"),
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": stamp(found.merged_at),
        }
    return out


def comment(world: World, repo: Repo, found: Comment) -> Json:
    url = repo_api(world, repo, f"/issues/comments/{found.id}")
    kind = "pull" if isinstance(repo.issues[found.number], Pull) else "issues"
    return {
        "url": url,
        "html_url": web(world, repo, f"/{kind}/{found.number}#issuecomment-{found.id}"),
        "issue_url": repo_api(world, repo, f"/issues/{found.number}"),
        "id": found.id,
        "node_id": node_id("IC", found.id),
        "user": user(world, found.user),
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at),
        "author_association": association(repo, found.user),
        "body": found.body,
        "reactions": reactions(url, found.reactions),
        "performed_via_github_app": app_or_none(world, found.app),
    }


def pull_simple(world: World, repo: Repo, found: Pull) -> Json:
    """A pull request as lists, reviews and review comments carry it."""
    url = repo_api(world, repo, f"/pulls/{found.number}")
    as_issue = repo_api(world, repo, f"/issues/{found.number}")
    page = web(world, repo, f"/pull/{found.number}")
    statuses = repo_api(world, repo, f"/statuses/{found.head_sha}")
    links = {
        "self": url,
        "html": page,
        "issue": as_issue,
        "comments": f"{as_issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": repo_api(world, repo, "/pulls/comments{/number}"),
        "commits": f"{url}/commits",
        "statuses": statuses,
    }
    return {
        "url": url,
        "id": found.pull_id,
        "node_id": node_id("PR", found.pull_id),
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": as_issue,
        "number": found.number,
        "state": found.state,
        "locked": found.locked,
        "title": found.title,
        "user": user(world, found.user),
        "body": found.body,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at),
        "closed_at": stamp(found.closed_at),
        "merged_at": stamp(found.merged_at),
        "merge_commit_sha": found.merge_commit_sha,
        "assignee": _user_or_none(world, next(iter(found.assignees), None)),
        "assignees": [user(world, one) for one in found.assignees],
        "requested_reviewers": [user(world, one) for one in found.requested_reviewers],
        "requested_teams": [],
        "labels": [label(world, repo, one) for one in found.labels],
        "milestone": None,
        "draft": found.draft,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": statuses,
        "head": _end(world, found.head_repo, found.head, found.head_sha),
        "base": _end(world, repo, found.base, found.base_sha),
        "_links": {key: {"href": value} for key, value in links.items()},
        "author_association": association(repo, found.user),
        "auto_merge": None,
        "active_lock_reason": None,
    }


def _end(world: World, repo: Repo, ref: str, sha: str) -> Json:
    return {
        "label": f"{repo.owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(world, repo.owner),
        "repo": repository(world, repo),
    }


def pull(world: World, repo: Repo, found: Pull) -> Json:
    """The full pull request, with what it changes counted."""
    base = repo.git.merge_base(found.base_sha, found.head_sha) or found.base_sha
    changes = repo.git.changes(base, found.head_sha)
    open_ = found.state == "open"
    return {
        **pull_simple(world, repo, found),
        "merged": found.merged_at is not None,
        "mergeable": True if open_ else None,
        "rebaseable": True if open_ else None,
        "mergeable_state": "clean" if open_ else "unknown",
        "merged_by": _user_or_none(world, found.merged_by),
        "comments": len(repo.conversations.get(found.number, ())),
        "review_comments": sum(
            1 for c in repo.review_comments.values() if c.number == found.number
        ),
        "maintainer_can_modify": found.head_repo is not repo,
        "commits": len(repo.git.log(found.head_sha, without=base)),
        "additions": sum(c.additions for c in changes),
        "deletions": sum(c.deletions for c in changes),
        "changed_files": len(changes),
    }


def review_comment(world: World, repo: Repo, found: ReviewComment) -> Json:
    url = repo_api(world, repo, f"/pulls/comments/{found.id}")
    pull_url = repo_api(world, repo, f"/pulls/{found.number}")
    page = web(world, repo, f"/pull/{found.number}#discussion_r{found.id}")
    out: Json = {
        "url": url,
        "pull_request_review_id": found.review_id,
        "id": found.id,
        "node_id": node_id("PRRC", found.id),
        "diff_hunk": found.diff_hunk,
        "path": found.path,
        "position": found.position,
        "original_position": found.position or 1,
        "commit_id": found.commit_id,
        "original_commit_id": found.original_commit_id,
        "user": user(world, found.user),
        "body": found.body,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at),
        "html_url": page,
        "pull_request_url": pull_url,
        "author_association": association(repo, found.user),
        "_links": {
            "self": {"href": url},
            "html": {"href": page},
            "pull_request": {"href": pull_url},
        },
        "reactions": reactions(url, found.reactions),
        "start_line": found.start_line,
        "original_start_line": found.start_line,
        "start_side": found.start_side,
        "line": found.line,
        "original_line": found.original_line,
        "side": found.side,
        "subject_type": found.subject_type,
    }
    if found.in_reply_to is not None:
        out["in_reply_to_id"] = found.in_reply_to
    return out


def review(world: World, repo: Repo, found: Review) -> Json:
    pull_url = repo_api(world, repo, f"/pulls/{found.number}")
    page = web(world, repo, f"/pull/{found.number}#pullrequestreview-{found.id}")
    out: Json = {
        "id": found.id,
        "node_id": node_id("PRR", found.id),
        "user": user(world, found.user),
        "body": found.body,
        "commit_id": found.commit_id,
        "state": found.state,
        "html_url": page,
        "pull_request_url": pull_url,
        "author_association": association(repo, found.user),
        "_links": {"html": {"href": page}, "pull_request": {"href": pull_url}},
    }
    if found.submitted_at is not None:
        out["submitted_at"] = stamp(found.submitted_at)
    return out


def check_run(world: World, repo: Repo, found: CheckRun) -> Json:
    url = repo_api(world, repo, f"/check-runs/{found.id}")
    pulls = [
        p
        for p in repo.issues.values()
        if isinstance(p, Pull) and p.state == "open" and p.head_sha == found.head_sha
    ]
    return {
        "id": found.id,
        "node_id": node_id("CR", found.id),
        "head_sha": found.head_sha,
        "external_id": found.external_id,
        "url": url,
        "html_url": web(world, repo, f"/runs/{found.id}"),
        "details_url": found.details_url or web(world, repo, f"/runs/{found.id}"),
        "status": found.status,
        "conclusion": found.conclusion,
        "started_at": stamp(found.started_at),
        "completed_at": stamp(found.completed_at),
        "output": {
            "title": found.title,
            "summary": found.summary,
            "text": found.text,
            "annotations_count": len(found.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "name": found.name,
        "check_suite": {"id": found.suite_id},
        "app": app_or_none(world, found.app),
        "pull_requests": [_pull_minimal(world, repo, p) for p in pulls],
    }


def _pull_minimal(world: World, repo: Repo, found: Pull) -> Json:
    def end(of: Repo, ref: str, sha: str) -> Json:
        return {
            "ref": ref,
            "sha": sha,
            "repo": {"id": of.id, "url": repo_api(world, of), "name": of.name},
        }

    return {
        "url": repo_api(world, repo, f"/pulls/{found.number}"),
        "id": found.pull_id,
        "number": found.number,
        "head": end(found.head_repo, found.head, found.head_sha),
        "base": end(repo, found.base, found.base_sha),
    }


def check_suite_of(world: World, repo: Repo, found: CheckRun) -> Json:
    """The suite as check_run payloads carry it: one per App and commit."""
    run = check_run(world, repo, found)
    branch = run["pull_requests"][0]["head"]["ref"] if run["pull_requests"] else None
    return {
        "id": found.suite_id,
        "node_id": node_id("CS", found.suite_id),
        "head_branch": branch,
        "head_sha": found.head_sha,
        "status": found.status,
        "conclusion": found.conclusion,
        "url": repo_api(world, repo, f"/check-suites/{found.suite_id}"),
        "before": None,
        "after": found.head_sha,
        "pull_requests": run["pull_requests"],
        "app": run["app"],
        "created_at": stamp(found.started_at),
        "updated_at": stamp(found.completed_at or found.started_at),
    }
