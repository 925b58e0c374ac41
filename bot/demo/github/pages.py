"""The pages a person watches: repositories, threads and diffs, much as on GitHub.

They only show. Everything is escaped by the templates, nothing is loaded from elsewhere, and
`refresh.js` replaces the page's middle when the world has changed.
"""

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

import jinja2
import pygit2
from aiohttp import web

from . import timeline
from .markdown import render
from .model import Pull, Repo
from .world import World

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages:
    """One handler per page; `routes` lists them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._templates.filters["clock"] = lambda t: t.strftime("%H:%M:%S")
        self._templates.filters["day"] = lambda t: t.strftime("%-d %b %Y %H:%M:%S UTC")
        self._templates.globals |= {"markdown": render, "reactions": timeline.reactions}

    def routes(self) -> list[tuple[str, Page]]:
        repo = "/{owner}/{name}"
        return [
            ("/", self.home),
            ("/_/version", self.version),
            ("/_/labels.css", self.label_colours),
            ("/_/static/{file}", self.static),
            ("/avatars/u/{id:\\d+}", self.avatar),
            (repo, self.code),
            (repo + "/issues", self.issues),
            (repo + "/pulls", self.pulls),
            (repo + "/issues/{number:\\d+}", self.thread),
            (repo + "/pull/{number:\\d+}", self.thread),
            (repo + "/pull/{number:\\d+}.diff", self.plain_diff),
            (repo + "/tree/{ref:.+}", self.code),
            (repo + "/commits/{ref:.+}", self.commits),
            (repo + "/blob/{ref_and_path:.+}", self.blob),
            (repo + "/raw/{ref_and_path:.+}", self.raw),
            (repo + "/commit/{sha}", self.commit),
            (repo + "/compare/{spec:.+}", self.compare),
            (repo + "/runs/{id:\\d+}", self.run),
        ]

    def _show(self, template: str, **values: object) -> web.Response:
        text = self._templates.get_template(template).render(
            world=self.world, colours=len(self._label_colours()), **values
        )
        return web.Response(text=text, content_type="text/html", headers=HEADERS)

    def _label_colours(self) -> set[str]:
        labels = [x for r in self.world.repositories.values() for x in r.labels.values()]
        return {x.color for x in labels if len(x.color) == 6 and x.color.isalnum()}

    def _missing(self) -> NoReturn:
        text = self._templates.get_template("missing.html").render(world=self.world, colours=0)
        raise web.HTTPNotFound(text=text, content_type="text/html", headers=HEADERS)

    def _repo(self, request: web.Request) -> Repo:
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        return self.world.repository(name) or self._missing()

    # -- small things

    async def version(self, _request: web.Request) -> web.Response:
        return web.json_response({"version": self.world.version}, headers=HEADERS)

    async def static(self, request: web.Request) -> web.Response:
        folder = HERE / "static"
        known = {p.name: p for p in folder.iterdir()}
        path = known.get(request.match_info["file"]) or self._missing()
        kind = mimetypes.guess_type(path.name)[0] or "text/plain"
        return web.Response(body=path.read_bytes(), content_type=kind, headers=HEADERS)

    async def label_colours(self, _request: web.Request) -> web.Response:
        """Colours as a style sheet, because the policy forbids `style` attributes."""
        text = "".join(
            f".label-{c}{{background:#{c};color:{'#1f2328' if _is_light(c) else '#fff'}}}\n"
            for c in sorted(self._label_colours())
        )
        return web.Response(text=text, content_type="text/css", headers=HEADERS)

    async def avatar(self, request: web.Request) -> web.Response:
        """A picture of blocks, always the same for the same account."""
        bits = hashlib.sha256(request.match_info["id"].encode()).digest()
        hue = int.from_bytes(bits[:2], "big") % 360
        cells = [(n // 5, n % 5) for n in range(15) if bits[2 + n] & 1]
        blocks = "".join(
            f'<rect x="{x + 1}" y="{y + 1}" width="1" height="1"/>'
            for column, y in cells
            for x in {column, 4 - column}
        )
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 7"'
            ' shape-rendering="crispEdges">'
            f'<rect width="7" height="7" fill="hsl({hue} 35% 94%)"/>'
            f'<g fill="hsl({hue} 55% 50%)">{blocks}</g></svg>'
        )
        headers = HEADERS | {"Cache-Control": "max-age=3600"}
        return web.Response(text=svg, content_type="image/svg+xml", headers=headers)

    # -- repositories

    async def home(self, _request: web.Request) -> web.Response:
        return self._show("home.html", repositories=list(self.world.repositories.values()))

    async def code(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        ref = request.match_info.get("ref", repo.default_branch)
        sha = repo.git.resolve(ref)
        if sha is None:
            if "ref" in request.match_info:
                self._missing()
            return self._show("code.html", repo=repo, ref=ref, latest=None, files=[], readme=None)
        top = repo.git.entry(sha, "")
        assert isinstance(top, pygit2.Tree)
        files = [(str(i.name), isinstance(i, pygit2.Tree)) for i in top]
        files.sort(key=lambda f: (not f[1], f[0].lower()))
        readme = repo.git.read(sha, "README.md")
        return self._show(
            "code.html",
            repo=repo,
            ref=ref,
            latest=repo.git.commit(sha),
            files=files,
            readme=None if readme is None else readme.decode(errors="replace"),
        )

    async def issues(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        found = [i for i in repo.issues.values() if not isinstance(i, Pull)]
        return self._show("threads.html", repo=repo, found=found[::-1], what="issues")

    async def pulls(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        found = [i for i in repo.issues.values() if isinstance(i, Pull)]
        return self._show("threads.html", repo=repo, found=found[::-1], what="pulls")

    async def commits(self, request: web.Request) -> web.Response:
        repo, ref = self._repo(request), request.match_info["ref"]
        tip = repo.git.resolve(ref)
        if tip is None:
            self._missing()
        found = repo.git.log(tip, limit=100)
        people = {c.sha: self.world.person_by_email(c.author.email) for c in found}
        return self._show("commits.html", repo=repo, ref=ref, commits=found, people=people)

    def _file(self, request: web.Request) -> tuple[Repo, str, str, bytes]:
        """Branch names have slashes, so the longest one that exists is meant."""
        repo, given = self._repo(request), request.match_info["ref_and_path"]
        parts = given.split("/")
        for n in range(len(parts) - 1, 0, -1):
            ref, path = "/".join(parts[:n]), "/".join(parts[n:])
            sha = repo.git.resolve(ref)
            raw = None if sha is None else repo.git.read(sha, path)
            if raw is not None:
                return repo, ref, path, raw
        return self._missing()

    async def blob(self, request: web.Request) -> web.Response:
        repo, ref, path, raw = self._file(request)
        lines = raw.decode(errors="replace").splitlines()
        return self._show("blob.html", repo=repo, ref=ref, path=path, lines=lines)

    async def raw(self, request: web.Request) -> web.Response:
        *_, raw = self._file(request)
        return web.Response(body=raw, content_type="text/plain", charset="utf-8", headers=HEADERS)

    # -- threads

    async def thread(self, request: web.Request) -> web.Response:
        repo, number = self._repo(request), int(request.match_info["number"])
        found = repo.issues.get(number)
        if found is None:
            self._missing()
        is_pull = isinstance(found, Pull)
        if is_pull is not ("/pull/" in request.path):
            kind = "pull" if is_pull else "issues"
            raise web.HTTPFound(f"/{repo.full_name}/{kind}/{number}", headers=HEADERS)
        return self._show(
            "thread.html",
            repo=repo,
            found=found,
            is_pull=is_pull,
            entries=timeline.entries(self.world, repo, found),
            participants=timeline.participants(repo, found),
            commits=timeline.commits_of(repo, found) if isinstance(found, Pull) else [],
            files=timeline.files_of(repo, found) if isinstance(found, Pull) else [],
            checks=timeline.checks_of(repo, found) if isinstance(found, Pull) else [],
        )

    async def plain_diff(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        found = repo.issues.get(int(request.match_info["number"]))
        if not isinstance(found, Pull):
            self._missing()
        base = repo.git.merge_base(found.base_sha, found.head_sha)
        text = repo.git.diff_text(base, found.head_sha)
        return web.Response(text=text, content_type="text/plain", headers=HEADERS)

    async def commit(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        sha = repo.git.resolve(request.match_info["sha"]) or self._missing()
        commit = repo.git.commit(sha)
        parent = commit.parents[0] if commit.parents else None
        return self._show(
            "commit.html",
            repo=repo,
            commit=commit,
            author=self.world.person_by_email(commit.author.email),
            files=[timeline.file_diff(c) for c in repo.git.changes(parent, sha)],
        )

    async def compare(self, request: web.Request) -> web.Response:
        repo, spec = self._repo(request), request.match_info["spec"]
        base_name, _, head_name = spec.partition("...")
        base, head = repo.git.resolve(base_name), repo.git.resolve(head_name)
        if base is None or head is None:
            self._missing()
        common = repo.git.merge_base(base, head)
        files = [timeline.file_diff(c) for c in repo.git.changes(common, head)]
        return self._show("compare.html", repo=repo, spec=spec, files=files)

    async def run(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        found = repo.checks.get(int(request.match_info["id"])) or self._missing()
        return self._show("run.html", repo=repo, run=found)


def _is_light(colour: str) -> bool:
    try:
        red, green, blue = (int(colour[n : n + 2], 16) for n in (0, 2, 4))
    except ValueError:
        return True
    return red * 0.299 + green * 0.587 + blue * 0.114 > 150
