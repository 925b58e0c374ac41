"""What can be seen of the embedded GitHub without asking over HTTP, and waiting for it."""

import asyncio
from collections.abc import Callable

from .door import Exchange, RestDoor
from .gitstore import Commit
from .graphql_door import Document, GraphQLDoor
from .hooks import Hooks
from .model import (
    CheckRun,
    Comment,
    Delivery,
    Issue,
    LedgerEntry,
    Pull,
    Reaction,
    Repo,
    Review,
    ReviewComment,
)
from .world import World


class Looking:
    """The half of `EmbeddedGitHub` that only reads."""

    world: World
    hooks: Hooks
    rest: RestDoor
    graphql: GraphQLDoor

    @property
    def deliveries(self) -> list[Delivery]:
        return self.hooks.deliveries

    @property
    def ledger(self) -> list[LedgerEntry]:
        """Everything that happened, in order, with who did it. Append-only."""
        return self.world.ledger

    @property
    def unhandled(self) -> list[str]:
        """Requests for which there is no route; tests assert that it is empty."""
        return self.world.unhandled

    @property
    def exchanges(self) -> list[Exchange]:
        return self.rest.exchanges

    @property
    def documents(self) -> list[Document]:
        """GraphQL requests, kept like `exchanges`."""
        return self.graphql.documents

    def issue(self, repo: Repo, number: int) -> Issue:
        return repo.issues[number]

    def comments(self, repo: Repo, number: int) -> list[Comment]:
        return repo.comments_on(number)

    def review_comments(self, repo: Repo, number: int) -> list[ReviewComment]:
        return [c for c in repo.review_comments.values() if c.number == number]

    def reviews(self, repo: Repo, number: int) -> list[Review]:
        return [r for r in repo.reviews.values() if r.number == number]

    def pulls(self, repo: Repo) -> list[Pull]:
        return [i for i in repo.issues.values() if isinstance(i, Pull)]

    def commits(self, repo: Repo, ref: str) -> list[Commit]:
        """Newest first; empty when there is no such branch, tag or commit."""
        tip = repo.git.resolve(ref)
        return [] if tip is None else repo.git.log(tip, limit=10_000)

    def file(self, repo: Repo, ref: str, path: str) -> str | None:
        tip = repo.git.resolve(ref)
        raw = None if tip is None else repo.git.read(tip, path)
        return None if raw is None else raw.decode()

    def branches(self, repo: Repo) -> dict[str, str]:
        refs = repo.git.refs("refs/heads/")
        return {ref.removeprefix("refs/heads/"): sha for ref, sha in refs.items()}

    def reactions(self, on: Issue | Comment | ReviewComment) -> list[Reaction]:
        return on.reactions

    def labels(self, repo: Repo, number: int) -> list[str]:
        return [label.name for label in repo.issues[number].labels]

    def check_runs(self, repo: Repo, sha: str | None = None) -> list[CheckRun]:
        return [r for r in repo.checks.values() if sha in (None, r.head_sha)]

    async def wait_for(self, condition: Callable[[], object], timeout: float = 30.0) -> None:
        """Returns as soon as `condition()` is true; looked at after every change, so no polling.

        TimeoutError names the last effects and failed deliveries, to say why it never came.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            seen = self.world.version
            if condition():
                return
            left = deadline - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self.world.changed(seen), max(0.0, left))
            except TimeoutError:
                if condition():
                    return
                raise TimeoutError(self._story(timeout)) from None

    def _story(self, timeout: float) -> str:
        lines = [f"the condition was not met within {timeout:g} s; last effects:"]
        lines += [
            f"  {e.actor} {e.action} {e.kind} #{e.number}: {e.body[:80]!r}"
            for e in self.ledger[-8:]
        ]
        failed = [d for d in self.deliveries if not d.pending and not d.ok]
        lines += [f"  delivery {d.event}.{d.action}: {d.status}" for d in failed[-5:]]
        lines += [f"  unknown route {one}" for one in self.unhandled[-5:]]
        return "\n".join(lines)
