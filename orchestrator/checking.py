"""A turn among a pull request's checks: one run per head commit, completed honestly."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator import messages
from orchestrator.github.repository import Repository
from orchestrator.github.values import CheckOutput
from orchestrator.session import Session, view
from orchestrator.session.effects import FinishCheck
from orchestrator.shown import pull_number, shown_turn

CHECK_NAME = "openinspect"


class Checking:
    """`clean` takes secrets out of what is shown."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        self._clean = clean

    async def _head(self, repository: Repository, s: Session) -> str | None:
        number = pull_number(s)
        if number is None:
            return None
        return (await repository.pull(number)).head.sha

    async def start(self, repository: Repository, s: Session, turn: int, *, again: bool) -> str:
        head = await self._head(repository, s)
        if head is None:
            return ""
        external = f"{s.id}/{turn}"
        if again:
            for run in await repository.check_runs(head, CHECK_NAME):
                if run.external_id == external:
                    return str(run.id)
        output = self._output(messages.check_started(view(s, turn), shown_turn(s, turn)))
        run = await repository.create_check_run(
            name=CHECK_NAME,
            head_sha=head,
            external_id=external,
            status="in_progress",
            output=output,
        )
        return str(run.id)

    async def finish(self, repository: Repository, s: Session, effect: FinishCheck) -> str:
        """The run that was started is completed; a head that moved gets one of its own, since a
        check belongs to one commit."""
        turn = shown_turn(s, effect.turn)
        conclusion = messages.conclusion(turn)
        output = self._output(messages.check_finished(view(s, effect.turn), turn))
        if effect.check_run:
            await repository.update_check_run(
                int(effect.check_run), status="completed", conclusion=conclusion, output=output
            )
        head = await self._head(repository, s)
        if head is None or (effect.check_run and (turn.work is None or turn.work.head != head)):
            return effect.check_run
        external = f"{s.id}/{effect.turn}"
        for run in await repository.check_runs(head, CHECK_NAME):
            if run.external_id == external and run.status == "completed":
                return str(run.id)
        run = await repository.create_check_run(
            name=CHECK_NAME,
            head_sha=head,
            external_id=external,
            status="in_progress",
            output=output,
        )
        await repository.update_check_run(run.id, status="completed", conclusion=conclusion)
        return str(run.id)

    def _output(self, text: messages.CheckText) -> CheckOutput:
        return CheckOutput(
            title=self._clean(text.title),
            summary=self._clean(text.summary),
            text=self._clean(text.text),
        )
