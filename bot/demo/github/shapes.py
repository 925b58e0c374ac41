"""The JSON of accounts, repositories, Apps and labels, as GitHub writes it.

The same shapes go into REST answers and webhook payloads; the latter allow no extra keys, so
what only REST says is added by the caller.
"""

from .accounts import App, Person
from .model import REACTIONS, Installation, Json, Label, Reaction, Repo
from .world import World, stamp

_REPOSITORY_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}


def node_id(prefix: str, number: int) -> str:
    """An opaque id of the newer style: a prefix that names the type, then characters."""
    return f"{prefix}_kwDO{number:012x}"


def api(world: World, path: str = "") -> str:
    return f"{world.url}/api/v3{path}"


def repo_api(world: World, repo: Repo, path: str = "") -> str:
    return api(world, f"/repos/{repo.full_name}{path}")


def web(world: World, repo: Repo, path: str = "") -> str:
    return f"{world.url}/{repo.full_name}{path}"


def user(world: World, person: Person) -> Json:
    mine = api(world, f"/users/{person.login}")
    # A bot's web page is its App's.
    slug = person.login.removesuffix("[bot]")
    page = f"/apps/{slug}" if person.type == "Bot" else f"/{person.login}"
    return {
        "login": person.login,
        "id": person.id,
        "node_id": node_id("BOT" if person.type == "Bot" else "U", person.id),
        "avatar_url": f"{world.url}/avatars/u/{person.id}",
        "gravatar_id": "",
        "url": mine,
        "html_url": world.url + page,
        **{key: mine + tail for key, tail in _USER_LINKS.items()},
        "type": person.type,
        "site_admin": False,
    }


def repository(world: World, repo: Repo) -> Json:
    mine = repo_api(world, repo)
    page = web(world, repo)
    return {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": user(world, repo.owner),
        "html_url": page,
        "description": repo.description,
        "fork": repo.parent is not None,
        "url": mine,
        **{key: mine + tail for key, tail in _REPOSITORY_LINKS.items()},
        "git_url": f"git:{page.removeprefix('http:')}.git",
        "ssh_url": f"git@{world.url.removeprefix('http://')}:{repo.full_name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "size": 1,
        "stargazers_count": 0,
        "watchers_count": 0,
        "watchers": 0,
        "forks_count": 0,
        "forks": 0,
        "open_issues_count": repo.open_threads,
        "open_issues": repo.open_threads,
        "has_issues": True,
        "has_projects": False,
        "has_downloads": False,
        "has_wiki": False,
        "has_pages": False,
        "has_discussions": False,
        "archived": False,
        "disabled": False,
        "is_template": False,
        "allow_forking": True,
        "web_commit_signoff_required": False,
        "license": None,
        "topics": [],
        "visibility": "private" if repo.private else "public",
        "default_branch": repo.default_branch,
        "created_at": stamp(repo.created_at),
        "updated_at": stamp(repo.pushed_at),
        "pushed_at": stamp(repo.pushed_at),
        "custom_properties": {},
    }


def short_repository(repo: Repo) -> Json:
    """The five keys that installation payloads carry."""
    return {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
    }


def app(world: World, found: App) -> Json:
    return {
        "id": found.id,
        "slug": found.slug,
        "node_id": node_id("A", found.id),
        "owner": user(world, found.owner),
        "name": found.name,
        "description": "",
        "external_url": f"{world.url}/apps/{found.slug}",
        "html_url": f"{world.url}/apps/{found.slug}",
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.created_at),
        "permissions": dict(found.permissions),
        "events": events_of(found),
    }


def app_or_none(world: World, found: App | None) -> Json | None:
    return None if found is None else app(world, found)


EVENTS_BY_PERMISSION = {
    "issues": ("issues", "issue_comment"),
    "pull_requests": (
        "issue_comment",
        "pull_request",
        "pull_request_review",
        "pull_request_review_comment",
        "pull_request_review_thread",
    ),
    "contents": ("push",),
    "checks": ("check_run", "check_suite"),
}


def events_of(found: App) -> list[str]:
    """The App subscribes to everything that its permissions let it see."""
    seen = {e for p in found.permissions for e in EVENTS_BY_PERMISSION.get(p, ())}
    return sorted(seen)


def installation(world: World, found: Installation) -> Json:
    mine = api(world, f"/app/installations/{found.id}")
    return {
        "id": found.id,
        "account": user(world, found.account),
        "repository_selection": "selected",
        "access_tokens_url": f"{mine}/access_tokens",
        "repositories_url": api(world, "/installation/repositories"),
        "html_url": f"{world.url}/settings/installations/{found.id}",
        "app_id": found.app.id,
        "app_slug": found.app.slug,
        "target_id": found.account.id,
        "target_type": found.account.type,
        "permissions": dict(found.permissions),
        "events": events_of(found.app),
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None,
        "suspended_at": stamp(found.created_at) if found.suspended else None,
    }


def label(world: World, repo: Repo, found: Label) -> Json:
    return {
        "id": found.id,
        "node_id": node_id("LA", found.id),
        "url": repo_api(world, repo, f"/labels/{found.name.replace(' ', '%20')}"),
        "name": found.name,
        "color": found.color,
        "default": False,
        "description": found.description,
    }


def reaction(world: World, found: Reaction) -> Json:
    return {
        "id": found.id,
        "node_id": node_id("REA", found.id),
        "user": user(world, found.user),
        "content": found.content,
        "created_at": stamp(found.created_at),
    }


def reactions(url: str, given: list[Reaction]) -> Json:
    counts = {name: sum(1 for r in given if r.content == name) for name in REACTIONS}
    return {"url": f"{url}/reactions", "total_count": len(given), **counts}


def association(repo: Repo, person: Person) -> str:
    """How a person is related to the repository; never a permission."""
    if person is repo.owner:
        return "OWNER"
    return "COLLABORATOR" if person.id in repo.grants else "NONE"
