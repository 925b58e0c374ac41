"""REST: check runs on commits."""

from dataclasses import replace
from datetime import datetime

from . import changes_git as changes
from .model import CheckRun, Json
from .rest import Answer, ApiError, Call, invalid, not_found, route
from .shapes import web
from .shapes_thread import check_run as check_run_shape

# https://docs.github.com/rest/checks/runs
STATUSES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
CONCLUSIONS = (
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "stale",
    "timed_out",
)
OUTPUT_LIMIT = 65_535


def _moment(call: Call, name: str) -> datetime | None:
    value = call.text(name)
    try:
        return None if value is None else datetime.fromisoformat(value)
    except ValueError:
        invalid("CheckRun", name)


def _apply(call: Call, run: CheckRun) -> None:
    """What create and update have in common; an unknown value is a 422."""
    body = call.body
    if (status := body.get("status")) is not None:
        run.status = status if status in STATUSES else invalid("CheckRun", "status")
    if (conclusion := body.get("conclusion")) is not None:
        known = conclusion in CONCLUSIONS
        run.conclusion = conclusion if known else invalid("CheckRun", "conclusion")
        run.status = "completed"
    if run.status == "completed" and run.conclusion is None:
        invalid("CheckRun", "conclusion", "missing_field")
    run.external_id = call.text("external_id") or run.external_id
    run.details_url = call.text("details_url") or run.details_url
    run.started_at = _moment(call, "started_at") or run.started_at
    if run.status == "completed":
        run.completed_at = _moment(call, "completed_at") or run.completed_at or call.world.now()
    if (output := body.get("output")) is not None:
        _output(run, output)
    if (actions := body.get("actions")) is not None:
        run.actions = _actions(actions)


def _output(run: CheckRun, output: Json) -> None:
    for name in ("title", "summary"):
        if not isinstance(output.get(name), str):
            invalid("CheckRun", f"output.{name}", "missing_field")
    for name in ("summary", "text"):
        if len(output.get(name) or "") > OUTPUT_LIMIT:
            invalid("CheckRun", name, "custom", f"{name} exceeds a maximum of 65535 characters")
    run.title, run.summary, run.text = output["title"], output["summary"], output.get("text")
    added = output.get("annotations") or []
    if len(added) > 50:
        raise ApiError(422, "Invalid request. No more than 50 annotations are allowed.")
    run.annotations.extend(added)


def _actions(actions: list[Json]) -> list[Json]:
    limits = {"label": 20, "description": 40, "identifier": 20}
    if len(actions) > 3:
        raise ApiError(422, "Invalid request. No more than 3 items are allowed.")
    for one in actions:
        for name, limit in limits.items():
            if not isinstance(one.get(name), str) or len(one[name]) > limit:
                raise ApiError(422, f"Invalid request. {name} is limited to {limit} characters.")
    return [dict(one) for one in actions]


def create(call: Call) -> Answer:
    app = call.actor.app
    if app is None:
        raise ApiError(403, "You must authenticate via a GitHub App.")
    sha = call.text("head_sha", required=True, resource="CheckRun") or ""
    if call.repo.git.kind(sha) != "commit":
        raise ApiError(422, f"No commit found for SHA: {sha}")
    run = CheckRun(
        id=call.world.next_id("check_run"),
        app=app,
        head_sha=sha,
        name=call.text("name", required=True, resource="CheckRun") or "",
        status="queued",
        conclusion=None,
        external_id="",
        details_url=None,
        started_at=call.world.now(),
        completed_at=None,
        suite_id=changes.suite_of(call.hooks, call.repo, call.actor, sha),
    )
    _apply(call, run)
    changes.add_check(call.hooks, call.repo, call.actor, run)
    return Answer(status=201, body=check_run_shape(call.world, call.repo, run))


def _the_run(call: Call) -> CheckRun:
    return call.repo.checks.get(call.number("check_run_id")) or not_found()


def get(call: Call) -> Answer:
    return Answer(body=check_run_shape(call.world, call.repo, _the_run(call)))


def update(call: Call) -> Answer:
    run = _the_run(call)
    if call.actor.app is not run.app:
        raise ApiError(403, "Invalid app_id. A check run can only be edited by its own App.")
    was = run.status
    # Changed as a copy: a refused update must leave nothing behind.
    run = replace(run, name=call.text("name") or run.name, annotations=list(run.annotations))
    _apply(call, run)
    call.repo.checks[run.id] = run
    changes.check_changed(call.hooks, call.repo, call.actor, run, was)
    return get(call)


def list_for_ref(call: Call) -> Answer:
    sha = call.repo.git.resolve(call.params["ref"])
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.params['ref']}")
    name, status = call.query.get("check_name"), call.query.get("status")
    app_id = call.query.get("app_id")
    runs = [
        r
        for r in reversed(call.repo.checks.values())
        if r.head_sha == sha
        and name in (None, r.name)
        and status in (None, r.status)
        and app_id in (None, str(r.app.id))
    ]
    if call.query.get("filter", "latest") == "latest":
        latest = {(r.app.id, r.name): r for r in reversed(runs)}
        runs = [r for r in runs if latest[r.app.id, r.name] is r]
    answer = call.page([check_run_shape(call.world, call.repo, r) for r in runs])
    body = {"total_count": len(runs), "check_runs": answer.body}
    return Answer(body=body, headers=answer.headers)


def annotations(call: Call) -> Answer:
    run = _the_run(call)
    blob = web(call.world, call.repo, f"/blob/{run.head_sha}")
    nothing = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
    shown = [{**nothing, **one, "blob_href": f"{blob}/{one['path']}"} for one in run.annotations]
    return call.page(shown)


REPO = "/repos/{owner}/{repo}"
ROUTES = (
    route("POST", REPO + "/check-runs", create, ("checks", "write")),
    route("GET", REPO + "/check-runs/{check_run_id}", get, ("checks", "read")),
    route("PATCH", REPO + "/check-runs/{check_run_id}", update, ("checks", "write")),
    route("GET", REPO + "/check-runs/{check_run_id}/annotations", annotations, ("checks", "read")),
    route("GET", REPO + "/commits/{ref}/check-runs", list_for_ref, ("checks", "read")),
)
