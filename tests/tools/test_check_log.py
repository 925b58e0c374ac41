"""Checks, and the logs that GitHub keeps elsewhere."""

from __future__ import annotations

import re
from typing import Any

from support.github_server import Says

from .conftest import Desk

LOG = "/api/v3/repos/acme/app/actions/jobs/456/logs"


def check(id: int = 3, app: str = "github-actions", **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "name": "tests",
        "head_sha": "c" * 40,
        "external_id": "",
        "status": "completed",
        "conclusion": "failure",
        "app": {"id": 15368, "slug": app},
        "html_url": "",
        "details_url": "https://github.test/acme/app/actions/runs/123/job/456",
        "output": {"title": "1 failed", "summary": "", "text": None, "annotations_count": 1},
        **more,
    }


def with_log(desk: Desk, log: bytes) -> None:
    desk.on("/check-runs/3", check())
    desk.on("/check-runs/3/annotations", [{"path": "a.py", "start_line": 4, "message": "boom"}])
    blob = Says(status=302, headers={"location": f"{desk.server.root}/blob/1?sig=x"})
    desk.server.on("GET", LOG, blob)
    desk.server.on("GET", "/blob/1", Says(raw=log))


async def test_a_log_is_read_from_its_end_without_our_token(desk: Desk) -> None:
    lines = [f"2026-03-01T11:00:00.{n:07d}Z line {n}\r\n" for n in range(5000)]
    with_log(desk, "".join(lines).encode())
    text = await desk.read(kind="check_log", id=3)
    assert "failure\n\n1 failed" in text and "a.py:4 notice: boom" in text
    assert "line 4999" in text and "line 0\n" not in text
    assert not re.search(r"^2026-03-01T11", text.split("line 4998")[1], re.M)
    assert "There is more: ask for page 2." in text
    [fetched] = desk.server.seen("GET", "/blob/1")
    assert "authorization" not in fetched.headers
    [asked] = desk.server.seen("GET", LOG)
    assert asked.headers["authorization"].startswith("Bearer ghs_")
    seen: list[str] = re.findall(r"line \d+", text)
    for page in range(2, 9):
        older = await desk.read(kind="check_log", id=3, page=page)
        assert "boom" not in older
        seen += re.findall(r"line \d+", older)
    assert "There is nothing any more." in older
    assert len(set(seen)) >= 4990


async def test_an_address_that_is_none_of_githubs_ways_is_not_fetched(desk: Desk) -> None:
    with_log(desk, b"x")
    for address in ("http://169.254.169.254/latest", "file:///etc/passwd", "", "ftp://x/y"):
        desk.server.on("GET", LOG, Says(status=302, headers={"location": address}))
        text = await desk.read(kind="check_log", id=3)
        assert "GitHub did not give the log" in text
        assert "address of a file" in text


async def test_why_there_is_no_log(desk: Desk) -> None:
    with_log(desk, b"x")
    for status, body, words in (
        (410, {"message": "Gone"}, "has deleted this log"),
        (404, {"message": "Not Found"}, "There is no log."),
        (403, {"message": "Resource not accessible by integration"}, "`actions: read`"),
    ):
        desk.server.on("GET", LOG, Says(status=status, body=body))
        text = await desk.read(kind="check_log", id=3)
        assert words in text and "1 failed" in text
    running = check(status="in_progress", conclusion=None)
    desk.on("/check-runs/3", running)
    assert "once the job has ended" in await desk.read(kind="check_log", id=3)


async def test_checks_of_other_apps_have_no_such_log(desk: Desk) -> None:
    desk.on("/check-runs/3", check(app="some-ci", details_url="https://ci.test/1"))
    desk.on("/check-runs/3/annotations", [])
    text = await desk.read(kind="check_log", id=3)
    assert "tests (some-ci)" in text and "log" not in text.split("check-")[2]
    assert desk.server.seen("GET", ".*/actions/.*") == []


async def test_a_token_that_may_not_read_logs(desk: Desk) -> None:
    with_log(desk, b"x")
    mint = desk.server.mint

    def grudging(request: Any) -> Says:
        if "actions" in request.body["permissions"]:
            said = "The permissions requested are not granted to this installation."
            return Says(status=422, body={"message": said})
        return mint(request)

    desk.server.on("POST", r"/api/v3/app/installations/\d+/access_tokens", grudging)
    assert "`actions: read`" in await desk.read(kind="check_log", id=3)
