"""From one delivery to its record: decided, and the session told or the person answered.

Everything here may be repeated for the same delivery: what a session was told once it ignores
the second time, and notices are posted once.
"""

from __future__ import annotations

import structlog

from orchestrator import messages
from orchestrator.access import Access
from orchestrator.answering import Answering
from orchestrator.engine import Engine
from orchestrator.github.errors import GitHubError, UncertainOutcome
from orchestrator.github.repository import Repository
from orchestrator.judging import DecisionLog, Judging
from orchestrator.notices import Notices
from orchestrator.once import LAG_SECONDS
from orchestrator.opening import Threads, prompt_of
from orchestrator.ports import Clock
from orchestrator.repo_config import CurrentConfig, RepoConfigs
from orchestrator.session import SessionId, view
from orchestrator.session.commands import (
    AddPrompt,
    AnswerStatus,
    Archive,
    Cancel,
    Command,
    NotePullRequestClosed,
    RaiseBudget,
    RefusePrompt,
    Retry,
    Stop,
)
from orchestrator.session.errors import NoSession, SessionError
from orchestrator.session.values import PromptKey
from orchestrator.triggers import (
    Accepted,
    Asked,
    BotIdentity,
    Decided,
    DecisionRecord,
    Delivered,
    Ignored,
    NotForUs,
    Refused,
    Rule,
    Word,
    WordName,
    delivered,
    record,
)
from orchestrator.triggers.asked import key_of, source_of
from orchestrator.triggers.delivery import PullRequestClosed, Told

log = structlog.get_logger()


class NotYet(Exception):
    """GitHub cannot be asked now; the delivery is to be decided again later."""

    def __init__(self, reason: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(reason)


class Asking:
    def __init__(
        self,
        *,
        engine: Engine,
        access: Access,
        configs: RepoConfigs,
        decisions: DecisionLog,
        notices: Notices,
        bot: BotIdentity,
        threads: Threads,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._access = access
        self._judging = Judging(
            access=access,
            configs=configs,
            decisions=decisions,
            bot=bot,
            threads=threads,
            clock=clock,
        )
        self._answering = Answering(
            notices=notices, decisions=decisions, configs=configs, name=bot.name
        )
        self._notices = notices
        self._threads = threads
        self._clock = clock

    async def decide(self, delivery: str, event: str, payload: object) -> DecisionRecord:
        """Raises `BadPayload` for what GitHub does not send, `NotYet` where it cannot be asked."""
        told = delivered(event, payload)
        try:
            judged = await self._judging.judge(told)
            if judged.current is not None and _may_ask(judged.decision):
                await self._tell_problem(told, judged.current)
            decision = await self._act(told, judged.decision)
        except UncertainOutcome as error:
            # Only notices are created here: looked for, and said again where they did not arrive.
            raise NotYet(str(error), LAG_SECONDS) from error
        return record(decision, told, delivery=delivery)

    async def judge(self, told: Delivered) -> Decided:
        """The decision alone: of all that could be said in the thread, only that the repository's
        configuration is broken. A thread that is yet to be opened has the number 0."""
        judged = await self._judging.judge(told)
        there = not isinstance(told, PullRequestClosed) and told.thread.number > 0
        if there and judged.current is not None and _may_ask(judged.decision):
            await self._tell_problem(told, judged.current)
        return judged.decision

    async def _act(self, told: Delivered | NotForUs, decision: Decided) -> Decided:
        match decision:
            case Accepted():
                return await self._accepted(decision)
            case Refused(tell=True) if not isinstance(told, NotForUs | PullRequestClosed):
                await self._refused(told, decision)
            case Ignored() if isinstance(told, PullRequestClosed):
                await self._pull_closed(told)
            case _:
                pass
        return decision

    async def _accepted(self, decision: Accepted) -> Decided:
        asked = decision.asked
        repository = self._repository(asked)
        if await self._answering.answer(asked, repository):
            return decision
        session = await self._threads.session_for(asked)
        try:
            session = await self._make_way(asked, session)
            await self._engine.tell(session, await self._command(asked, session, repository))
        except SessionError as refusal:
            await self._say_refusal(asked, session, refusal)
            failed = Rule(name="session", passed=False, detail=str(refusal))
            return Refused(
                rule="session",
                reason=str(refusal),
                rules=(*decision.rules, failed),
                tell=True,
            )
        return decision

    async def _make_way(self, asked: Asked, session: SessionId) -> SessionId:
        """A session runs at the commit that was named for it. For another one of the same fork it
        is put away, and the next generation begins there."""
        state = await self._engine.get(session)
        if not asked.from_fork or state.opened is None or state.opened.start == asked.start:
            return session
        if not state.ended and asked.key not in state.asked:
            away = Archive(
                at=self._clock.now(),
                key=PromptKey(f"{asked.key}-before"),
                by=asked.author,
                source=asked.source,
            )
            await self._engine.tell(session, away)
        return await self._threads.session_for(asked)

    def _repository(self, asked: Asked) -> Repository:
        return self._access.learn(
            asked.repository.id, asked.repository.full_name, asked.installation or 0
        )

    async def _command(self, asked: Asked, session: SessionId, repository: Repository) -> Command:
        now = self._clock.now()
        if not isinstance(asked.ask, Word):
            opening = await self._threads.opening(asked, session, repository)
            return AddPrompt(at=now, prompt=prompt_of(asked), opening=opening)
        key, by, source = asked.key, asked.author, asked.source
        match asked.ask.name:
            case WordName.STOP:
                return Stop(at=now, key=key, by=by, source=source)
            case WordName.CANCEL:
                return Cancel(at=now, key=key, by=by, source=source)
            case WordName.ARCHIVE:
                return Archive(at=now, key=key, by=by, source=source)
            case WordName.RETRY:
                return Retry(at=now, key=key, by=by, source=source)
            case WordName.BUDGET:
                added = asked.ask.microdollars
                return RaiseBudget(at=now, key=key, by=by, source=source, microdollars=added)
            case WordName.STATUS:
                state = await self._engine.get(session)
                text = messages.status_words(view(state), now=now) if state.opened else ""
                return AnswerStatus(at=now, key=key, by=by, source=source, text=text)
            case WordName.HELP | WordName.WHY | WordName.CONFIG:
                raise AssertionError("answered without a session")

    async def _say_refusal(self, asked: Asked, session: SessionId, refusal: SessionError) -> None:
        state = await self._engine.get(session)
        if state.opened is not None and not isinstance(refusal, NoSession):
            await self._engine.tell(
                session,
                RefusePrompt(
                    at=self._clock.now(),
                    key=asked.key,
                    by=asked.author,
                    source=asked.source,
                    reason=str(refusal),
                ),
            )
            return
        await self._notices.say(
            self._repository(asked),
            asked.source,
            f"refused/{asked.key}",
            lambda marker: messages.refusal(str(refusal), login=asked.author.login, marker=marker),
        )

    async def _refused(self, told: Told, decision: Refused) -> None:
        envelope = told.envelope
        await self._notices.say(
            self._of(told),
            source_of(told.written, told.thread),
            self._refusal_key(told, decision),
            lambda marker: messages.refusal(
                decision.reason, login=envelope.sender.person.login, marker=marker
            ),
        )

    def _refusal_key(self, told: Told, decision: Refused) -> str:
        """People who may not ask are told once per thread, whoever of them asks how often."""
        thread = told.thread.number
        match decision.rule:
            case "permission" | "people":
                return f"refused/{thread}"
            case "often":
                return f"refused/{thread}/often/{self._clock.now():%Y%m%d%H}"
            case _:
                return f"refused/{key_of(told)}"

    def _of(self, told: Told) -> Repository:
        envelope = told.envelope
        return self._access.learn(
            envelope.repository.id, envelope.repository.full_name, envelope.installation or 0
        )

    async def _tell_problem(self, told: Delivered | NotForUs, current: CurrentConfig) -> None:
        """Once per thread and version of the file; the work goes on all the same."""
        problem = current.problem
        if problem is None or isinstance(told, NotForUs | PullRequestClosed):
            return
        going_on = "the last good version" if current.config.commit else "the defaults"
        key = f"config/{told.thread.number}/{current.commit}"
        source = source_of(told.written, told.thread)
        try:
            await self._notices.say(
                self._of(told),
                source,
                key,
                lambda marker: messages.config_notice(
                    problem, going_on_with=going_on, marker=marker
                ),
            )
        except GitHubError as error:
            log.warning("config_problem_not_told", reason=str(error))

    async def _pull_closed(self, told: PullRequestClosed) -> None:
        session = await self._engine.store.session_of_pull(told.envelope.repository.id, told.number)
        if session is not None:
            now = self._clock.now()
            await self._engine.tell(
                session, NotePullRequestClosed(at=now, number=told.number, merged=told.merged)
            )


def _may_ask(decision: Decided) -> bool:
    """Whoever may not ask does not make us speak of the configuration either."""
    return any(rule.name == "permission" and rule.passed for rule in decision.rules)
