"""The few things that only GraphQL tells."""

from __future__ import annotations

from .errors import Forbidden, GitHubError, Invalid, NotFound
from .fields import Fields
from .grants import READ_TEMPLATES
from .place import Place

PULL_REQUEST_TEMPLATES = """
query PullRequestTemplates($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) {
    databaseId
    pullRequestTemplates { filename body }
  }
}
"""


class GraphQL(Place):
    async def pull_request_template(self) -> str | None:
        """The one that GitHub would fill in; None where there is none, or several to choose from
        and none of them is the default."""
        owner, _, name = (await self._name(READ_TEMPLATES)).partition("/")
        templates = await self._as(READ_TEMPLATES).graphql(
            "PullRequestTemplates",
            PULL_REQUEST_TEMPLATES,
            {"owner": owner, "name": name},
            self._templates,
            reads=True,
        )
        if len(templates) == 1:
            return next(iter(templates.values())) or None
        for filename, body in sorted(templates.items()):
            if filename.lower() in ("pull_request_template.md", "pull_request_template.txt"):
                return body or None
        return None

    def _templates(self, data: Fields) -> dict[str, str]:
        found = answered(data)["repository"]
        if found.absent or found["databaseId"].whole() != self.id:
            return {}
        listed = found["pullRequestTemplates"]
        if listed.absent:
            return {}
        return {item["filename"].text(""): item["body"].text("") for item in listed}


def answered(data: Fields) -> Fields:
    """What is under `data`; errors beside it are raised, even where part was answered."""
    errors = data["errors"]
    if errors.absent or errors.value == []:
        return data["data"]
    raise _error(errors)


def _error(errors: Fields) -> GitHubError:
    items = list(errors)
    said = "; ".join(item["message"].text("") for item in items)
    match items[0]["type"].text(""):
        case "NOT_FOUND":
            return NotFound(call="GraphQL", said=said)
        case "FORBIDDEN" | "INSUFFICIENT_SCOPES":
            return Forbidden(call="GraphQL", said=said)
        case _:
            return Invalid(call="GraphQL", said=said)
