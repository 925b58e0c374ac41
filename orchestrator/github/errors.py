"""What can go wrong at GitHub, sorted by who can do something about it.

A docstring is the sentence people read; `{names}` in it are the facts it was raised with. No
token is ever part of a message: what GitHub said is cut, cleaned and searched for token shapes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

_TOKEN_SHAPES = re.compile(
    # Installation tokens come in two shapes, `ghs_<36>` and `ghs_<app>_<JWT>` whose base64url part
    # holds dots and hyphens: docs.github.com/rest/apps/apps, "create an installation access token".
    r"gh[a-z]_[A-Za-z0-9._-]{16,}|github_pat_[A-Za-z0-9_]{16,}|v\d+\.[0-9a-f]{40}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|(?i:\b(?:bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{16,})"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
MOST_SAID = 300


def said_safely(text: str) -> str:
    """GitHub's words on one line, at most 300 characters, without anything shaped like a token."""
    # Cut only after the search, so that no half of a token is left over at the end.
    clean = _TOKEN_SHAPES.sub("***", _CONTROL.sub(" ", text[:20_000])).strip()
    return clean if len(clean) <= MOST_SAID else clean[: MOST_SAID - 1] + "…"


class GitHubError(Exception):
    """GitHub did not do what was asked."""

    def __init__(
        self,
        *,
        call: str = "",
        status: int | None = None,
        said: str = "",
        request_id: str | None = None,
        **facts: object,
    ) -> None:
        self.call = call
        """Method and path template, such as `GET /repos/{owner}/{repo}/issues/{number}`."""
        self.status = status
        self.said = said_safely(said)
        self.request_id = request_id
        """GitHub Support finds the request by it."""
        self.facts = facts
        parts = [call, str(status) if status else "", f"request {request_id}" if request_id else ""]
        where = ", ".join(part for part in parts if part)
        sentence = (type(self).__doc__ or "").split("\n\n")[0].format(**facts).strip()
        super().__init__(
            sentence + (f" [{where}]" if where else "") + (f": {self.said}" if self.said else "")
        )

    @property
    def code(self) -> str:
        """Stable, for decision records and metrics."""
        return type(self).__name__


class SetupError(GitHubError):
    """The App is not set up right; whoever runs this service can fix it."""


class PrivateKeyUnreadable(SetupError):
    """The App's private key cannot be read. It has to be the whole PEM file, from the BEGIN line to the END line, of an RSA key."""  # noqa: E501


class BadCredentials(SetupError):
    """GitHub does not accept this App's credentials. Check the App id or client id, and that the private key is one of this App's that has not been deleted."""  # noqa: E501


class WrongApp(SetupError):
    """The credentials belong to the App {found}, but {configured} is configured."""


class PermissionMissing(SetupError):
    """The App lacks a permission that this needs: {permissions}. Grant it in the App's settings, then accept the new permission in the installation."""  # noqa: E501


class AccessError(GitHubError):
    """The repository does not let this App in; its owners can change that."""


class NotInstalled(AccessError):
    """The App is not installed on this repository (any more)."""


class Suspended(AccessError):
    """The App's installation is suspended."""


class Forbidden(AccessError):
    """GitHub forbids this."""


class ReadOnly(AccessError):
    """The repository is archived, so nothing can be written to it."""


class Locked(AccessError):
    """The conversation is locked, so nothing can be written to it."""


class RequestError(GitHubError):
    """What was asked for does not fit the state of the repository."""


class NotFound(RequestError):
    """GitHub does not know this, or does not show it to the App."""


class Gone(NotFound):
    """This has been deleted, or the feature is switched off in the repository."""


class StateConflict(RequestError):
    """Something changed in the meantime: read it again, then decide again."""


class Invalid(RequestError):
    """GitHub does not accept the content of the request."""

    def __init__(self, *, problems: Sequence[str] = (), said: str = "", **rest: object) -> None:
        self.problems = tuple(said_safely(problem) for problem in problems)
        texts = [text for text in (said, *problems) if text]
        super().__init__(said="; ".join(texts), **rest)  # type: ignore[arg-type]


class AlreadyExists(Invalid):
    """There is one already."""


class TryLater(GitHubError):
    """GitHub cannot do this now."""


class RateLimited(TryLater):
    """GitHub's {kind} limit for this installation is used up until {until:%H:%M:%S} UTC."""

    def __init__(self, *, until: datetime, kind: str, **rest: object) -> None:
        self.until = until
        self.kind = kind
        super().__init__(until=until, kind=kind, **rest)  # type: ignore[arg-type]


class Unavailable(TryLater):
    """GitHub answered with an error of its own, or too late, {tries} times."""


class Unreachable(TryLater):
    """No connection to GitHub could be made, {tries} times: {reason}."""


class BadAnswer(TryLater):
    """GitHub's answer is not what its description promises: {reason}."""


class UncertainOutcome(GitHubError):
    """The request was sent, but it is unknown whether GitHub acted on it ({reason}). Look before asking again."""  # noqa: E501
