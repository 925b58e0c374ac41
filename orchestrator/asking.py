"""From one delivery to its decision: was something asked, may it be, and the session told.

Everything here may be repeated for the same delivery: what a session was told once it ignores
the second time, and notices are posted once.
"""

from __future__ import annotations

import asyncio

import structlog

from orchestrator import messages
from orchestrator.access import Access
from orchestrator.config import DEFAULTS
from orchestrator.engine import Engine
from orchestrator.github.errors import GitHubError, UncertainOutcome
from orchestrator.github.repository import Repository
from orchestrator.notices import Notices
from orchestrator.once import LAG_SECONDS
from orchestrator.opening import Threads, prompt_of
from orchestrator.ports import Clock
from orchestrator.repo_config import CurrentConfig, RepoConfigs
from orchestrator.session import SessionId, view
from orchestrator.session.commands import (
    AddPrompt,
    AnswerStatus,
    Cancel,
    Command,
    NotePullRequestClosed,
    RefusePrompt,
    Retry,
    Stop,
)
from orchestrator.session.errors import NoSession, SessionError
from orchestrator.session.values import RepositoryId
from orchestrator.triggers import (
    Accepted,
    Asked,
    BotIdentity,
    Decision,
    DecisionRecord,
    Delivered,
    Ignored,
    NeedsHead,
    NeedsPermission,
    NotForUs,
    Permission,
    Refused,
    Rule,
    Word,
    WordName,
    delivered,
    record,
    trigger,
)
from orchestrator.triggers.asked import source_of
from orchestrator.triggers.delivery import Head, PullRequestClosed

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
        notices: Notices,
        bot: BotIdentity,
        threads: Threads,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._access = access
        self._configs = configs
        self._notices = notices
        self._bot = bot
        self._threads = threads
        self._clock = clock

    async def decide(self, delivery: str, event: str, payload: object) -> DecisionRecord:
        """Raises `BadPayload` for what GitHub does not send, `NotYet` where it cannot be asked."""
        told = delivered(event, payload)
        try:
            decision = await self._act(told, await self._decide(told))
        except UncertainOutcome as error:
            # Only notices are created here: looked for, and said again where they did not arrive.
            raise NotYet(str(error), LAG_SECONDS) from error
        # Permission and head were asked for and given, so nothing is left to ask.
        assert not isinstance(decision, NeedsPermission | NeedsHead)
        return record(decision, told, delivery=delivery)

    async def _decide(self, told: Delivered | NotForUs) -> Decision:
        """Free rules first, with the defaults; what costs a call only where it can matter."""
        first = trigger(told, bot=self._bot, config=DEFAULTS)
        if isinstance(told, NotForUs) or (
            isinstance(first, Ignored | Refused) and not _may_be_listed(told, first)
        ):
            return first
        envelope = told.envelope
        if envelope.installation is None:
            rules = first.rules
            reason = "The delivery names no installation of this App."
            failed = Rule(name="installation", passed=False, detail=reason)
            return Ignored(rule="installation", reason=reason, rules=(*rules, failed))
        repository = self._access.learn(
            envelope.repository.id, envelope.repository.full_name, envelope.installation
        )
        login = first.login if isinstance(first, NeedsPermission) else None
        current, permission = await asyncio.gather(
            self._configs.current(repository, envelope.repository.default_branch),
            self._permission(repository, login),
        )
        await self._tell_problem(repository, told, current)
        decision = trigger(told, bot=self._bot, config=current.config, permission=permission)
        if isinstance(decision, NeedsHead):
            head = await self._head(repository, decision.number)
            decision = trigger(
                told, bot=self._bot, config=current.config, permission=permission, head=head
            )
        return decision

    async def _permission(self, repository: Repository, login: str | None) -> Permission | None:
        if login is None:
            return None
        answer = await repository.permission(login)
        return Permission(user_id=answer.user_id, push=answer.can_push, role=answer.role)  # type: ignore[arg-type]

    async def _head(self, repository: Repository, number: int) -> Head:
        pull = await repository.pull(number)
        return Head(
            repository=pull.head.repository,
            repository_name=pull.head.full_name or "",
            branch=pull.head.ref,
            commit=pull.head.sha,
            base_branch=pull.base.ref,
            base_commit=pull.base.sha,
        )

    async def _act(self, told: Delivered | NotForUs, decision: Decision) -> Decision:
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

    async def _accepted(self, decision: Accepted) -> Decision:
        asked = decision.asked
        if asked.ask == Word(name=WordName.HELP):
            await self._help(asked)
            return decision
        session = await self._threads.session_for(asked)
        command = await self._command(asked, session)
        try:
            await self._engine.tell(session, command)
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

    async def _help(self, asked: Asked) -> None:
        await self._notices.say(
            self._repository(asked),
            asked.source,
            f"help/{asked.key}",
            lambda marker: messages.reply(
                messages.help_words(self._bot.name), login=asked.author.login, marker=marker
            ),
        )

    def _repository(self, asked: Asked) -> Repository:
        return self._access.learn(
            asked.repository.id, asked.repository.full_name, asked.installation or 0
        )

    async def _command(self, asked: Asked, session: SessionId) -> Command:
        now = self._clock.now()
        if not isinstance(asked.ask, Word):
            return AddPrompt(
                at=now,
                prompt=prompt_of(asked),
                opening=await self._threads.opening(asked, session, self._repository(asked)),
            )
        key, by, source = asked.key, asked.author, asked.source
        match asked.ask.name:
            case WordName.STOP:
                return Stop(at=now, key=key, by=by, source=source)
            case WordName.CANCEL:
                return Cancel(at=now, key=key, by=by, source=source)
            case WordName.RETRY:
                return Retry(at=now, key=key, by=by, source=source)
            case WordName.STATUS:
                state = await self._engine.get(session)
                text = messages.status_words(view(state), now=now) if state.opened else ""
                return AnswerStatus(at=now, key=key, by=by, source=source, text=text)
            case WordName.HELP:
                raise AssertionError("help is answered without a session")

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

    async def _refused(self, told: Delivered, decision: Refused) -> None:
        assert not isinstance(told, PullRequestClosed)
        envelope = told.envelope
        repository = self._access.learn(
            envelope.repository.id, envelope.repository.full_name, envelope.installation or 0
        )
        thread = told.thread.number
        # People without write access are told once per thread, whoever of them asks how often.
        key = f"refused/{thread}" if decision.rule == "permission" else f"refused/{told.written.id}"
        source = source_of(told.written, told.thread)
        await self._notices.say(
            repository,
            source,
            key,
            lambda marker: messages.refusal(
                decision.reason, login=envelope.sender.person.login, marker=marker
            ),
        )

    async def _tell_problem(
        self, repository: Repository, told: Delivered, current: CurrentConfig
    ) -> None:
        """Once per thread and version of the file; the work goes on all the same."""
        problem = current.problem
        if problem is None or isinstance(told, PullRequestClosed):
            return
        going_on = "the last good version" if current.config.commit else "the defaults"
        key = f"config/{told.thread.number}/{current.commit}"
        source = source_of(told.written, told.thread)
        try:
            await self._notices.say(
                repository,
                source,
                key,
                lambda marker: messages.config_notice(
                    problem, going_on_with=going_on, marker=marker
                ),
            )
        except GitHubError as error:
            log.warning("config_problem_not_told", reason=str(error))

    async def _pull_closed(self, told: PullRequestClosed) -> None:
        repository: RepositoryId = told.envelope.repository.id
        session = await self._engine.store.session_of_pull(repository, told.number)
        if session is not None:
            now = self._clock.now()
            await self._engine.tell(
                session, NotePullRequestClosed(at=now, number=told.number, merged=told.merged)
            )


def _may_be_listed(told: Delivered, first: Ignored | Refused) -> bool:
    """Another App wrote it, and only the repository's configuration says whether that counts."""
    return (
        first.rule == "sender"
        and not isinstance(told, PullRequestClosed)
        and told.written.app is not None
    )
