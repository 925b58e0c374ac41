"""From one delivery to its decision: what is free to know first, then what costs a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from orchestrator.access import Access
from orchestrator.config import DEFAULTS
from orchestrator.github.errors import PermissionMissing
from orchestrator.github.repository import Repository
from orchestrator.opening import Threads
from orchestrator.ports import Clock
from orchestrator.repo_config import CurrentConfig, RepoConfigs
from orchestrator.session.values import RepositoryId, UserId
from orchestrator.stores.deliveries import Decision as Kept
from orchestrator.triggers import (
    Accepted,
    BotIdentity,
    Decided,
    Decision,
    Delivered,
    Head,
    Ignored,
    Known,
    NeedsHead,
    NeedsPermission,
    NeedsTeam,
    NotForUs,
    Permission,
    Refused,
    Rule,
    trigger,
)
from orchestrator.triggers.delivery import PullRequestClosed

AN_HOUR = timedelta(hours=1)
MOST_LOOKED_BACK = 500
NOT_INSTALLED = "the delivery names no installation of this App"


class DecisionLog(Protocol):
    """What was decided before."""

    async def decisions_for_thread(
        self, repository: RepositoryId, thread: int, limit: int = 50
    ) -> Sequence[Kept]:
        """Newest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`current` is the configuration by which it was decided; None where none was needed."""

    decision: Decided
    current: CurrentConfig | None = None


class Judging:
    def __init__(
        self,
        *,
        access: Access,
        configs: RepoConfigs,
        decisions: DecisionLog,
        bot: BotIdentity,
        threads: Threads,
        clock: Clock,
    ) -> None:
        self._access = access
        self._configs = configs
        self._decisions = decisions
        self._bot = bot
        self._threads = threads
        self._clock = clock

    async def judge(self, told: Delivered | NotForUs) -> Judged:
        """Raises `GitHubError` where GitHub has to be asked and cannot be."""
        first = trigger(told, bot=self._bot, config=DEFAULTS)
        if isinstance(told, NotForUs | PullRequestClosed) or _is_final(first):
            return Judged(decision=_decided(first))
        envelope = told.envelope
        if envelope.installation is None:
            failed = Rule(name="installation", passed=False, detail=NOT_INSTALLED)
            rules = (*first.rules, failed)
            return Judged(decision=Ignored(rule="installation", reason=NOT_INSTALLED, rules=rules))
        repository = self._access.learn(
            envelope.repository.id, envelope.repository.full_name, envelope.installation
        )
        login = first.login if isinstance(first, NeedsPermission) else None
        current, permission = await asyncio.gather(
            self._configs.current(repository, envelope.repository.default_branch),
            self._permission(repository, login),
        )
        config = current.config
        decision = trigger(told, bot=self._bot, config=config, known=Known(permission=permission))
        if isinstance(decision, Ignored | Refused):
            return Judged(decision=decision, current=current)
        thread = told.thread
        known = Known(
            permission=permission,
            lately=await self._lately(envelope.repository.id, thread.number),
            approved=await self._threads.approved(envelope.repository.id, thread.number)
            if thread.is_pull_request
            else "",
        )
        while True:  # each answer is asked for once, so it ends
            decision = trigger(told, bot=self._bot, config=config, known=known)
            match decision:
                case NeedsPermission(login=asker):
                    known = replace(known, permission=await self._permission(repository, asker))
                case NeedsTeam(login=asker, teams=teams):
                    team, unseen = await self._team(repository, asker, teams)
                    known = replace(known, team=team, members_unseen=unseen)
                case NeedsHead(number=number):
                    known = replace(known, head=await self._head(repository, number))
                case _:
                    return Judged(decision=decision, current=current)

    async def _permission(self, repository: Repository, login: str | None) -> Permission | None:
        if login is None:
            return None
        answer = await repository.permission(login)
        return Permission(
            user_id=UserId(answer.user_id) if answer.user_id is not None else None,
            push=answer.can_push,
            role=answer.role,
            maintain=answer.can_maintain,
            admin=answer.can_admin,
        )

    async def _team(
        self, repository: Repository, login: str, teams: tuple[str, ...]
    ) -> tuple[bool, bool]:
        """Whether somebody is in one of the teams, and whether that could not be seen: then it
        counts as no, and is said."""
        try:
            for team in teams:
                if await repository.team_member(team, login):
                    return True, False
        except PermissionMissing:
            return False, True
        return False, False

    async def _head(self, repository: Repository, number: int) -> Head:
        pull = await repository.pull(number)
        return Head(
            repository=pull.head.repository,
            repository_name=pull.head.full_name or "",
            branch=pull.head.ref,
            commit=pull.head.sha,
            base_branch=pull.base.ref,
            base_commit=pull.base.sha,
            pushed_at=pull.head.pushed_at,
        )

    async def _lately(self, repository: RepositoryId, thread: int) -> int:
        """What was taken here within the last hour, as the journal has it."""
        kept = await self._decisions.decisions_for_thread(repository, thread, MOST_LOOKED_BACK)
        since = self._clock.now() - AN_HOUR
        return sum(_was_taken(one.record) for one in kept if one.decided_at > since)


def _is_final(decision: Decision) -> bool:
    """No configuration could turn it into anything else."""
    return isinstance(decision, Ignored | Refused) and not decision.rules[-1].config_key


def _decided(decision: Decision) -> Decided:
    assert isinstance(decision, Accepted | Ignored | Refused)
    return decision


def _was_taken(record: str) -> bool:
    """What the session then refused was answered, so it counts as well."""
    try:
        document = json.loads(record)
    except ValueError:
        return False
    if not isinstance(document, dict):
        return False
    return document.get("outcome") == "accepted" or document.get("rule") == "session"
