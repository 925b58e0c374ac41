"""Many sessions at once: each issue asks for a file of its own, and gets it in a pull request."""

from __future__ import annotations

import time

from .conftest import World


def prompt(number: int) -> str:
    return (
        f"@openinspect write number {number} down\n"
        f"sh: echo {number} > number-{number}.txt\n"
        "sh: sleep 1\n"
        f"sh: git add -A && git commit -qm 'Write {number} down'\n"
        f"say: Number {number} is written down."
    )


class Many:
    def __init__(self, world: World) -> None:
        self.world = world
        self.issues: list[int] = []

    async def ask(self, sessions: int) -> None:
        """All at once, by three people."""
        self.issues = [await self.world.issue(f"Issue of number {n}") for n in range(sessions)]
        people = [self.world.alice, self.world.bob]
        for n, issue in enumerate(self.issues):
            await self.world.say(prompt(issue), on=issue, by=people[n % 2])

    async def finished(self, seconds: float) -> tuple[list[float], list[float]]:
        """Wait until every issue shows how its turn ended. Seconds from now on, in order: when
        each pull request was opened, and when each issue showed the end."""
        began, open_still = time.monotonic(), set(self.issues)
        opened: list[float] = []
        ended: list[float] = []

        def all_have() -> bool:
            now = time.monotonic() - began
            opened.extend([now] * (len(self.world.github.pulls(self.world.repo)) - len(opened)))
            for issue in list(open_still):
                if any(f"**{word}" in self.world.status(issue) for word in ("Done", "Failed")):
                    open_still.discard(issue)
                    ended.append(now)
            return not open_still

        await self.world.until(all_have, seconds)
        return opened, ended

    def wrong(self) -> list[str]:
        """What did not come out as asked, in words; empty where all did."""
        world, found = self.world, []
        pulls = {pull.head: pull for pull in world.github.pulls(world.repo)}
        for n, issue in enumerate(self.issues):
            status = world.status(issue)
            if "**Done**" not in status or f"Number {issue} is written down." not in status:
                found.append(f"#{issue} shows: {status[:300]}")
                continue
            head = f"openinspect/{issue}-issue-of-number-{n}"
            if head not in pulls:
                found.append(f"#{issue} has no pull request from {head}")
                continue
            if world.github.file(world.repo, head, f"number-{issue}.txt") != f"{issue}\n":
                found.append(f"{head} does not have its number")
            author = (world.alice, world.bob)[n % 2]
            commits = [c for c in world.github.commits(world.repo, head) if str(issue) in c.title]
            if [c.author.email.partition("+")[0] for c in commits] != [str(author.id)]:
                found.append(f"{head} has other commits than one by {author.login}")
        if len(pulls) != len(self.issues):
            found.append(f"{len(pulls)} pull requests for {len(self.issues)} issues")
        return found

    async def cancel(self, seconds: float) -> None:
        for issue in self.issues:
            await self.world.say("@openinspect cancel", on=issue)

        def gone() -> bool:
            return all("**Cancelled" in self.world.status(issue) for issue in self.issues)

        await self.world.until(gone, seconds)
