"""Every REST route the embedded GitHub knows, in the order in which they are tried."""

from collections.abc import Mapping
from urllib.parse import unquote

from . import (
    rest_apps,
    rest_checks,
    rest_git,
    rest_issues,
    rest_pulls,
    rest_repos,
    rest_reviews,
)
from .rest import Route

ROUTES: tuple[Route, ...] = (
    *rest_apps.ROUTES,
    *rest_issues.ROUTES,
    *rest_reviews.ROUTES,
    *rest_pulls.ROUTES,
    *rest_checks.ROUTES,
    *rest_git.ROUTES,
    *rest_repos.ROUTES,
)


def find(method: str, raw_path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The route and its decoded parameters; `raw_path` is still percent-encoded."""
    for one in ROUTES:
        if one.method == method and (match := one.pattern.match(raw_path)) is not None:
            return one, {k: unquote(v) for k, v in match.groupdict().items()}
    return None
