"""A turn among a pull request's checks: one run per head commit, completed honestly."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator import messages
from orchestrator.github.repository import Repository
from orchestrator.github.values import CheckOutput
from orchestrator.once import Once
from orchestrator.session import Session, view
from orchestrator.session.effects import FinishCheck
from orchestrator.shown import pull_number, shown_turn

CHECK_NAME = "openinspect"


class Checking:
    """`clean` takes secrets out of what is shown."""

    def __init__(self, clean: Callable[[str], str], once: Once) -> None:
        self._clean = clean
        self._once = once

    async def _head(self, repository: Repository, s: Session) -> str | None:
        number = pull_number(s)
        if number is None:
            return None
        if s.opened is not None and s.opened.start:
            return s.opened.start  # a fork's head may move, and what came since was not run
        return (await repository.pull(number)).head.sha

    async def start(
        self, repository: Repository, s: Session, turn: int, key: str, *, again: bool
    ) -> str:
        head = await self._head(repository, s)
        if head is None:
            return ""
        output = self._output(messages.check_started(view(s, turn), shown_turn(s, turn)))
        return await self._run(repository, s, turn, head, output, key, again=again)

    async def _run(
        self,
        repository: Repository,
        s: Session,
        turn: int,
        head: str,
        output: CheckOutput,
        key: str,
        *,
        again: bool,
    ) -> str:
        """The turn's one run on this commit, in progress."""
        external = f"{s.id}/{turn}"

        async def find() -> str | None:
            runs = await repository.check_runs(head, CHECK_NAME)
            return next((str(run.id) for run in runs if run.external_id == external), None)

        async def make() -> str:
            run = await repository.create_check_run(
                name=CHECK_NAME,
                head_sha=head,
                external_id=external,
                status="in_progress",
                output=output,
            )
            return str(run.id)

        return await self._once.create(s, key, again=again, find=find, make=make)

    async def finish(
        self, repository: Repository, s: Session, effect: FinishCheck, *, again: bool
    ) -> str:
        """The run that was started is completed; a turn that moved the head has one on its own
        commit as well, since a check belongs to one commit."""
        turn = shown_turn(s, effect.turn)
        conclusion = messages.conclusion(turn)
        output = self._output(messages.check_finished(view(s, effect.turn), turn))
        if effect.check_run:
            await repository.update_check_run(
                int(effect.check_run), status="completed", conclusion=conclusion, output=output
            )
        work = turn.work if turn.work is not None and turn.work.branch == s.branch else None
        if work is None and effect.check_run:
            return effect.check_run
        head = work.head if work is not None else await self._head(repository, s)
        if head is None:
            return effect.check_run
        if effect.check_run:
            runs = await repository.check_runs(head, CHECK_NAME)
            if any(str(run.id) == effect.check_run for run in runs):
                return effect.check_run  # it was begun only after the push
        run = await self._run(repository, s, effect.turn, head, output, effect.key, again=again)
        await repository.update_check_run(
            int(run), status="completed", conclusion=conclusion, output=output
        )
        return run

    def _output(self, text: messages.CheckText) -> CheckOutput:
        return CheckOutput(
            title=self._clean(text.title),
            summary=self._clean(text.summary),
            text=self._clean(text.text),
        )
