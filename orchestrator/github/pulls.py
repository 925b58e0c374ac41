"""Pull requests: found by their head branch, opened, changed, and what they change."""

from __future__ import annotations

from .grants import READ_PULLS, WRITE_PULLS
from .parse import read_pull, read_pull_file
from .place import Place
from .values import Pull, PullFile


class Pulls(Place):
    async def pull(self, n: int) -> Pull:
        return await self._get(
            READ_PULLS,
            "/pulls/{pull_number}",
            read_pull,
            new=self._is_new(f"issue {n}"),
            pull_number=n,
        )

    async def pulls_with_head(self, branch: str) -> list[Pull]:
        """Open, closed and merged ones from this repository's own `branch`, oldest first."""
        owner = (await self._name(READ_PULLS)).partition("/")[0]
        pulls = await self._pages(
            READ_PULLS,
            "/pulls",
            read_pull,
            query={"state": "all", "head": f"{owner}:{branch}"},
        )
        # GitHub leaves the filter out where it does not understand it, and lists them all.
        ours = [p for p in pulls if p.head.ref == branch and p.head.repository in (self.id, None)]
        return sorted(ours, key=lambda pull: pull.number)

    async def create_pull(
        self, *, title: str, body: str, head: str, base: str, draft: bool
    ) -> Pull:
        """Raises `AlreadyExists` where one is open for `head`, and `UncertainOutcome` where it may
        be: then `pulls_with_head` tells."""
        pull = await self._write(
            WRITE_PULLS,
            "POST",
            "/pulls",
            read_pull,
            body={"title": title, "body": body, "head": head, "base": base, "draft": draft},
            creates=True,
        )
        self._made(f"issue {pull.number}")
        return pull

    async def edit_pull(self, n: int, *, title: str | None = None, body: str | None = None) -> Pull:
        given = {"title": title, "body": body}
        changes = {name: value for name, value in given.items() if value is not None}
        return await self._write(
            WRITE_PULLS,
            "PATCH",
            "/pulls/{pull_number}",
            read_pull,
            body=changes,
            new=self._is_new(f"issue {n}"),
            pull_number=n,
        )

    async def pull_files(self, n: int) -> list[PullFile]:
        """At most 3,000, which is all that GitHub lists."""
        return await self._pages(
            READ_PULLS, "/pulls/{pull_number}/files", read_pull_file, pull_number=n
        )
