"""The pages: they show the thread, and nothing in it can do anything."""

import re
from typing import Any

import pytest

from bot.demo.github import people
from bot.demo.github.markdown import render

STATUS = """**Done** · turn 1 · 3 min 41 s · $0.19

> fix the flaky retry test — @octocat

- [x] Edited `retry.py` (+6 −2)
- [ ] Running `pytest`

| | |
|---|---|
| Ran | `pytest -q` passed |

<details><summary>Activity, 14 steps</summary>

1. one

</details>

<sub>`/openinspect stop` · Fixes #2</sub>
<!-- openinspect:secret-marker -->
"""


async def _page(stage: Any, path: str, status: int = 200) -> str:
    got = await stage.client("GET", stage.gh.url + path, token="")
    assert got.status == status
    policy = got.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    return got.body.decode() if isinstance(got.body, bytes) else str(got.body)


async def test_an_issue_as_a_person_sees_it(stage: Any) -> None:
    gh = stage.gh
    await gh.open_issue(stage.repo, by=stage.alice, title="Flaky <retry>", labels=["bug"])
    said = await gh.comment(stage.repo, 1, by=stage.alice, body="@openinspect fix it")
    await gh.react(stage.repo, said, by=stage.alice, content="eyes")
    made = await stage.client("POST", "/repos/acme/app/issues/1/comments", {"body": STATUS})
    path = f"/repos/acme/app/issues/comments/{made.body['id']}"
    await stage.client("PATCH", path, {"body": STATUS + "\nmore"})
    page = await _page(stage, "/acme/app/issues/1")
    for shown in (
        "Flaky &lt;retry&gt;",
        "<details><summary>Activity, 14 steps</summary>",
        '<span class="box done"></span>',
        '<a href="/acme/app/issues/2">#2</a>',
        '<span class="mention">@openinspect</span>',
        "👀 1",
        "· edited",
        '<span class="pill">bot</span>',
    ):
        assert shown in page, shown
    assert "secret-marker" not in page
    assert not re.search(r"<script(?! src=\"/_/static/refresh.js\")", page)
    assert " style=" not in page
    assert "/acme/app" in await _page(stage, "/")
    assert "Flaky &lt;retry&gt;" in await _page(stage, "/acme/app/issues")
    assert "No one" in page and "bug" in page


async def test_a_pull_request_as_a_person_sees_it(stage: Any) -> None:
    gh = stage.gh
    files = {"src/retry.py": "line 1\nchanged\n"}
    head = await gh.push_commit(stage.repo, "fix", files=files, message="Fix it", by=stage.alice)
    await gh.open_pull_request(stage.repo, by=stage.alice, head="fix", title="Fix", body="why")
    said = await gh.review_comment(
        stage.repo, 1, by=stage.alice, body="hm", path="src/retry.py", line=2
    )
    await gh.review_comment(stage.repo, 1, by=stage.alice, body="well", in_reply_to=said.id)
    await gh.review(stage.repo, 1, by=stage.alice, body="so so")
    run = {"name": "Open-Inspect", "head_sha": head, "conclusion": "success"}
    run["output"] = {"title": "Tests pass", "summary": "**212** passed"}  # type: ignore[assignment]
    made = await stage.client("POST", "/repos/acme/app/check-runs", run)
    page = await _page(stage, "/acme/app/pull/1")
    for shown in ("wants to merge 1 commit", "Fix it", "hm", "well", "so so", "Tests pass"):
        assert shown in page, shown
    assert '<tr class="added">' in page and '<span class="mark success">' in page
    assert "<strong>212</strong>" in await _page(stage, f"/acme/app/runs/{made.body['id']}")
    assert "+changed" in await _page(stage, "/acme/app/pull/1.diff")
    assert "Fix it" in await _page(stage, f"/acme/app/commit/{head}")
    assert "changed" in await _page(stage, "/acme/app/compare/main...fix")
    assert "Fix it" in await _page(stage, "/acme/app/commits/fix")
    assert "changed" in await _page(stage, "/acme/app/blob/fix/src/retry.py")
    assert await _page(stage, "/acme/app/raw/fix/src/retry.py") == files["src/retry.py"]
    assert "Fix" in await _page(stage, "/acme/app/pulls")
    await gh.merge(stage.repo, 1, by=stage.alice)
    merged = await _page(stage, "/acme/app/pull/1")
    assert "Merged by octocat" in merged and "wants to merge 1 commit" in merged
    assert "Fix" in await _page(stage, "/acme/app/issues/1"), "leads to the pull request"


async def test_the_rest_of_the_pages(stage: Any) -> None:
    await stage.gh.create_repository("acme/empty")
    assert "empty" in await _page(stage, "/acme/empty")
    assert "retry.py" not in await _page(stage, "/acme/app")
    assert "<h1>app</h1>" in await _page(stage, "/acme/app")
    assert "{background:#" in await _page(stage, "/_/labels.css") or not stage.repo.labels
    assert "<svg" in await _page(stage, f"/avatars/u/{stage.alice.id}")
    assert "--fg" in await _page(stage, "/_/static/github.css")
    before = await _page(stage, "/_/version")
    await stage.gh.open_issue(stage.repo, by=stage.alice, title="x")
    assert await _page(stage, "/_/version") != before
    for path in ("/acme/none", "/acme/app/issues/99", "/acme/app/blob/main/no", "/_/static/x"):
        assert "does not exist" in await _page(stage, path, 404)
    assert isinstance(stage.gh, people.PeopleActions)


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<details ontoggle=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](javascript:alert(1))",
        "<sub onclick=alert(1)>x</sub>",
        "<!-- --><script>alert(1)</script>",
        "<a href='javascript:alert(1)'>x</a>",
        "@x<script>",
        "<details><script>alert(1)</script></details>",
        "| <script> |\n|---|\n| <iframe> |",
        "```<script>\n</code></pre><script>alert(1)</script>\n```",
    ],
)
def test_hostile_markdown_stays_text(hostile: str) -> None:
    html = str(render(hostile, "/acme/app"))
    tags = re.findall(r"<\s*/?\s*([A-Za-z]+)([^>]*)>", html)
    allowed = {
        *("p", "a", "code", "pre", "details", "summary", "sub", "span", "br", "ul", "li"),
        *("table", "thead", "tbody", "tr", "th", "td", "em", "strong"),
    }
    for name, attributes in tags:
        assert name in allowed, html
        assert not re.search(r"\son\w+=|javascript:", attributes), html
