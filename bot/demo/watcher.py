"""Sees what happens on the embedded GitHub and in the session, and tells the story of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Literal

from bot.app import Server
from bot.demo.github import EmbeddedGitHub, Repo
from bot.demo.happenings import (
    CommentEdited,
    CommitPushed,
    Decided,
    DeliverySent,
    PullRequestOpened,
    Reacted,
    SandboxReady,
    StepSeen,
    TurnEnded,
)
from bot.demo.story import Story
from orchestrator.session import Session
from orchestrator.session.events import Event, ReportsReceived
from orchestrator.session.events import SandboxReady as Ready
from orchestrator.session.events import TurnEnded as Ended
from orchestrator.session.values import Outcome, Step, StepKind, StepStatus

_STATES: dict[StepStatus, Literal["running", "done", "failed"]] = {
    StepStatus.RUNNING: "running",
    StepStatus.DONE: "done",
    StepStatus.FAILED: "failed",
}
_VERBS = {
    StepKind.READ: "read",
    StepKind.EDIT: "edit",
    StepKind.RUN: "run",
    StepKind.SEARCH: "search",
    StepKind.SCRIPT: "script",
    StepKind.OTHER: "note",
}
_OUTCOMES = {
    Outcome.SUCCEEDED: "Done",
    Outcome.FAILED: "Failed",
    Outcome.STOPPED: "Stopped",
    Outcome.TIMED_OUT: "Timed out",
    Outcome.OUT_OF_BUDGET: "Out of budget",
}


class Watcher:
    def __init__(
        self, github: EmbeddedGitHub, server: Server, repository: Repo, issue: int, story: Story
    ) -> None:
        self._github = github
        self._server = server
        self._repository = repository
        self._issue = issue
        self._story = story
        self._told: set[object] = set()
        self._steps: dict[str, StepStatus] = {}
        self._comments: dict[int, str] = {}
        self._asked_at = time.monotonic()
        self._changed = asyncio.Event()
        self.turns_ended = 0
        self.last_reason = ""
        self.last_step = "none"
        server.engine.listen(self._on_events)

    async def run(self) -> None:
        while True:
            seen = self._github.world.version
            self._look()
            await self._github.world.changed(seen)

    def catch_up(self) -> None:
        self._look()

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not (condition() and self._at_rest()):
                self._changed.clear()
                waits = [
                    asyncio.create_task(self._changed.wait()),
                    asyncio.create_task(self._github.world.changed(self._github.world.version)),
                ]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in waits:
                        task.cancel()
                    await asyncio.gather(*waits, return_exceptions=True)

    def _at_rest(self) -> bool:
        """The last turn's result is on GitHub too, not only in the session."""
        wanted = self._github.comments(self._repository, self._issue)
        return any("**Done" in c.body or "**Failed" in c.body for c in wanted)

    def _on_events(self, session: Session, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case Ready(seconds=seconds):
                    box = session.sandbox
                    restored = box is not None and box.restored
                    self._story.tell(
                        SandboxReady(
                            how="from its snapshot" if restored else "cold",
                            commit=box.base if box is not None else "",
                            seconds=seconds + (box.launch_seconds if box is not None else 0),
                        )
                    )
                case ReportsReceived(steps=steps):
                    for step in steps:
                        self._step(step)
                case Ended(turn=turn, outcome=outcome, reason=reason):
                    ended = next(t for t in session.turns if t.number == turn)
                    self.turns_ended += 1
                    self.last_reason = reason or (ended.said or "it said nothing")
                    self._story.tell(
                        TurnEnded(
                            turn=turn,
                            state=_OUTCOMES[outcome],
                            ok=outcome is Outcome.SUCCEEDED,
                            seconds=(event.at - ended.started_at).total_seconds(),
                            cost_usd=ended.usage.microdollars / 1e6,
                        )
                    )
                    self._changed.set()
                case _:
                    pass

    def _step(self, step: Step) -> None:
        self.last_step = step.title
        unnamed = step.status is StepStatus.RUNNING and " " not in step.title and not step.paths
        if unnamed or self._steps.get(step.id) == step.status:
            return
        self._steps[step.id] = step.status
        verb = _VERBS[step.kind]
        text = step.title if step.title.lower().startswith(verb) else f"{verb} {step.title}"
        self._story.tell(StepSeen(text=text, state=_STATES[step.status], seconds=step.seconds))

    def _look(self) -> None:
        github, repository = self._github, self._repository
        for delivery in github.deliveries:
            if delivery.pending or not self._once(("delivery", delivery.id)):
                continue
            name = f"{delivery.event}.{delivery.action}" if delivery.action else delivery.event
            if delivery.event == "issue_comment" and self._from_a_person(delivery.payload):
                self._asked_at = time.monotonic() - delivery.duration
                self._story.tell(
                    DeliverySent(
                        event=name,
                        status=delivery.status_code,
                        milliseconds=delivery.duration * 1000,
                    )
                )
        for number in (self._issue, *(pull.number for pull in github.pulls(repository))):
            self._look_at_thread(number)
        for pull in github.pulls(repository):
            if self._once(("pull", pull.number)):
                self._story.tell(
                    PullRequestOpened(
                        number=pull.number,
                        title=pull.title,
                        url=f"{github.url}/{repository.full_name}/pull/{pull.number}",
                        draft=pull.draft,
                    )
                )
            before = {commit.sha for commit in github.commits(repository, pull.base)}
            for commit in reversed(github.commits(repository, pull.head)):
                if commit.sha in before:
                    continue
                if self._once(("commit", commit.sha)):
                    self._story.tell(
                        CommitPushed(
                            branch=pull.head,
                            sha=commit.sha,
                            subject=commit.title,
                            author=commit.author.name,
                        )
                    )

    def _look_at_thread(self, number: int) -> None:
        for comment in self._github.comments(self._repository, number):
            for reaction in comment.reactions:
                if self._once(("reaction", reaction.id)):
                    self._story.tell(
                        Reacted(
                            content=reaction.content,
                            milliseconds=(time.monotonic() - self._asked_at) * 1000,
                        )
                    )
                    self._story.tell(Decided(accepted=True, reason="asked by someone with write"))
            if comment.app is not None and self._comments.get(comment.id) != comment.body:
                created = comment.id not in self._comments
                self._comments[comment.id] = comment.body
                self._story.tell(CommentEdited(markdown=comment.body, created=created))

    def _once(self, what: object) -> bool:
        if what in self._told:
            return False
        self._told.add(what)
        return True

    @staticmethod
    def _from_a_person(payload: bytes) -> bool:
        sender = json.loads(payload).get("sender", {})
        return bool(sender.get("type") == "User")
