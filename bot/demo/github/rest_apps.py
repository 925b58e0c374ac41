"""REST: the App itself, its installations, their tokens, and its deliveries."""

import json

from . import apps, shapes
from .model import Delivery, Installation, Json, Repo
from .rest import Answer, ApiError, Call, invalid, not_found, route
from .world import stamp


def the_app(call: Call) -> Answer:
    assert call.app is not None
    count = sum(1 for i in call.world.installations.values() if i.app is call.app)
    body = {
        **shapes.app(call.world, call.app),
        "client_id": call.app.client_id,
        "installations_count": count,
    }
    return Answer(body=body)


def _full(call: Call, found: Installation) -> Json:
    return {
        **shapes.installation(call.world, found),
        "client_id": found.app.client_id,
        # The description has no organization-less variant of this key.
        "suspended_by": None,
    }


def installations(call: Call) -> Answer:
    mine = [i for i in call.world.installations.values() if i.app is call.app]
    return call.page([_full(call, i) for i in mine])


def _mine(call: Call) -> Installation:
    found = call.world.installations.get(call.number("installation_id"))
    return found if found is not None and found.app is call.app else not_found()


def one_installation(call: Call) -> Answer:
    return Answer(body=_full(call, _mine(call)))


def repository_installation(call: Call) -> Answer:
    repo = call.world.repository(f"{call.params['owner']}/{call.params['repo']}")
    assert call.app is not None
    found = None if repo is None else call.world.installation_for(call.app, repo)
    return Answer(body=_full(call, found)) if found else not_found()


def account_installation(call: Call) -> Answer:
    login = (call.params.get("username") or call.params["org"]).lower()
    for found in call.world.installations.values():
        if found.app is call.app and found.account.login.lower() == login:
            return Answer(body=_full(call, found))
    return not_found()


def create_token(call: Call) -> Answer:
    found = _mine(call)
    if found.suspended:
        raise ApiError(403, "This installation has been suspended")
    narrowed = _named_repositories(call, found)
    permissions = call.body.get("permissions")
    if permissions is not None and not isinstance(permissions, dict):
        invalid("Token", "permissions")
    try:
        token = apps.mint(call.world, found, repositories=narrowed, permissions=permissions)
    except apps.CannotNarrow as refusal:
        raise ApiError(422, str(refusal)) from refusal
    body: Json = {
        "token": token.value,
        "expires_at": stamp(token.expires_at),
        "permissions": dict(token.permissions),
        "repository_selection": "selected",
    }
    if narrowed is not None:
        body["repositories"] = [_repository(call, r) for r in narrowed]
    return Answer(status=201, body=body)


def _named_repositories(call: Call, found: Installation) -> list[Repo] | None:
    names, ids = call.body.get("repositories"), call.body.get("repository_ids")
    if not names and not ids:
        return None
    # https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
    if len(names or []) + len(ids or []) > 500:
        raise ApiError(422, "Too many repositories")
    chosen: list[Repo] = []
    for name in names or []:
        full_name = f"{found.account.login}/{name}"
        chosen += [r for r in found.repositories if r.full_name.lower() == full_name.lower()]
    for number in ids or []:
        chosen += [r for r in found.repositories if r.id == number]
    if len(chosen) != len(names or []) + len(ids or []):
        raise ApiError(
            422,
            "There is at least one repository that does not exist or is not accessible to the "
            "parent installation.",
        )
    return chosen


def _repository(call: Call, repo: Repo) -> Json:
    return shapes.repository(call.world, repo)


def revoke_token(call: Call) -> Answer:
    if call.token is None or call.token.installation is None:
        raise ApiError(403, "You must authenticate with an installation access token")
    call.token.revoked = True
    return Answer(status=204)


def token_repositories(call: Call) -> Answer:
    if call.token is None or call.token.installation is None:
        raise ApiError(403, "You must authenticate with an installation access token")
    chosen = call.token.repositories
    mine = list(call.token.installation.repositories if chosen is None else chosen)
    answer = call.page([_repository(call, r) for r in mine])
    body = {
        "total_count": len(mine),
        "repository_selection": "selected",
        "repositories": answer.body,
    }
    return Answer(body=body, headers=answer.headers)


# -- deliveries


def hook_config(call: Call) -> Answer:
    assert call.app is not None
    body = {"content_type": "json", "insecure_ssl": "0", "secret": "********"}
    if call.app.webhook_url is not None:
        body["url"] = call.app.webhook_url
    return Answer(body=body)


def _item(found: Delivery) -> Json:
    return {
        "id": found.id,
        "guid": found.guid,
        "delivered_at": stamp(found.delivered_at),
        "redelivery": found.redelivery,
        "duration": found.duration,
        "status": found.status,
        "status_code": found.status_code,
        "event": found.event,
        "action": found.action,
        "installation_id": found.installation_id,
        "repository_id": found.repository_id,
        "throttled_at": None,
    }


def deliveries(call: Call) -> Answer:
    """Newest first; `status=failure` means 400 to 599, which leaves out timeouts."""
    assert call.app is not None
    all_ = call.hooks.of_app(call.app)
    match call.query.get("status"):
        case "success":
            all_ = [d for d in all_ if 200 <= d.status_code < 400]
        case "failure":
            all_ = [d for d in all_ if 400 <= d.status_code < 600]
        case None:
            pass
        case _:
            raise ApiError(422, "Invalid status")
    size = max(1, min(int(call.query.get("per_page", 30)), 100))
    cursor = call.query.get("cursor")
    if cursor is not None:
        after = cursor.removeprefix("v1_")
        if not after.isdigit():
            raise ApiError(400, "Invalid cursor")
        all_ = [d for d in all_ if d.id < int(after)]
    some, headers = all_[:size], {}
    if len(all_) > size:
        query = f"per_page={size}&cursor=v1_{some[-1].id}"
        if "status" in call.query:
            query += f"&status={call.query['status']}"
        headers = {"Link": f'<{call.world.url}/api/v3{call.path}?{query}>; rel="next"'}
    return Answer(body=[_item(d) for d in some], headers=headers)


def _delivery(call: Call) -> Delivery:
    assert call.app is not None
    number = call.number("delivery_id")
    found = next((d for d in call.hooks.of_app(call.app) if d.id == number), None)
    return found or not_found()


def one_delivery(call: Call) -> Answer:
    found = _delivery(call)
    body = {
        **_item(found),
        "url": found.app.webhook_url or "",
        "request": {"headers": dict(found.headers), "payload": json.loads(found.payload)},
        "response": {"headers": dict(found.response_headers), "payload": found.response_body},
    }
    return Answer(body=body)


def redeliver(call: Call) -> Answer:
    call.hooks.again(_delivery(call))
    return Answer(status=202, body={})


def team_membership(call: Call) -> Answer:
    """An App needs `members: read`; the organization's account must be the installation's."""
    installation = call.token.installation if call.token is not None else None
    if installation is None or not apps.covers(installation.permissions, "members", "read"):
        raise ApiError(403, "Resource not accessible by integration")
    org, slug = call.params["org"].lower(), call.params["team_slug"].lower()
    person = call.world.person(call.params["username"])
    if person is None or installation.account.login.lower() != org:
        not_found()
    state = call.world.teams.get((org, slug, person.id))
    if state is None:
        not_found()
    url = f"{call.world.url}/api/v3/organizations/{installation.account.id}/team/1"
    body = {"url": f"{url}/memberships/{person.login}", "role": "member", "state": state}
    return Answer(body=body)


ROUTES = (
    route("GET", "/app", the_app, door="app"),
    route("GET", "/app/installations", installations, door="app"),
    route("GET", "/app/installations/{installation_id}", one_installation, door="app"),
    route("POST", "/app/installations/{installation_id}/access_tokens", create_token, door="app"),
    route("GET", "/repos/{owner}/{repo}/installation", repository_installation, door="app"),
    route("GET", "/users/{username}/installation", account_installation, door="app"),
    route("GET", "/orgs/{org}/installation", account_installation, door="app"),
    route("DELETE", "/installation/token", revoke_token, door="token"),
    route("GET", "/installation/repositories", token_repositories, door="token"),
    route(
        "GET",
        "/orgs/{org}/teams/{team_slug}/memberships/{username}",
        team_membership,
        door="token",
    ),
    route("GET", "/app/hook/config", hook_config, door="app"),
    route("GET", "/app/hook/deliveries", deliveries, door="app"),
    route("GET", "/app/hook/deliveries/{delivery_id}", one_delivery, door="app"),
    route("POST", "/app/hook/deliveries/{delivery_id}/attempts", redeliver, door="app"),
)
