"""Words that are answered without a session: `help`, `why`, `config`."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator import messages
from orchestrator.explaining import Explained, explained, place_from, why_reply
from orchestrator.github.repository import Repository
from orchestrator.judging import DecisionLog
from orchestrator.notices import Notices
from orchestrator.repo_config import CurrentConfig, RepoConfigs
from orchestrator.triggers import Asked, Word, WordName

_LOOKED_BACK = 100
_NO_ANSWER = ("ignored", "refused", "failed")
_NOISE = ("own", "event", "action")
"""Rules of deliveries in which nobody asked anything."""


class Answering:
    def __init__(
        self, *, notices: Notices, decisions: DecisionLog, configs: RepoConfigs, name: str
    ) -> None:
        self._notices = notices
        self._decisions = decisions
        self._configs = configs
        self._name = name

    async def answer(self, asked: Asked, repository: Repository) -> bool:
        """False for what only a session can answer."""
        if not isinstance(asked.ask, Word):
            return False
        match asked.ask.name:
            case WordName.HELP:
                text = messages.help_words(self._name)
            case WordName.WHY:
                text = await self._why(asked, asked.ask.about)
            case WordName.CONFIG:
                text = _config_words(
                    await self._configs.current(repository, asked.repository.default_branch)
                )
            case _:
                return False
        await self._notices.say(
            repository,
            asked.source,
            f"{asked.ask.name}/{asked.key}",
            lambda marker: messages.reply(text, login=asked.author.login, marker=marker),
        )
        return True

    async def _why(self, asked: Asked, about: str) -> str:
        """Of the comment that is linked, else of what came last before and was not taken."""
        thread, source = asked.thread.number, None
        if about:
            link = (
                about if "/" in about else f"{asked.repository.full_name}#{thread}{_anchor(about)}"
            )
            place = place_from(link)
            if place is None or place.repository.lower() != asked.repository.full_name.lower():
                return f"`why` takes the address of a comment in {asked.repository.full_name}."
            thread, source = place.number, place.source
        kept = await self._decisions.decisions_for_thread(asked.repository.id, thread, _LOOKED_BACK)
        found = [explained(one.guid, one.decided_at, one.record) for one in kept]
        earlier = [one for one in found if one.record is None or one.record.source != asked.key]
        if source is not None:
            chosen = [
                one for one in earlier if one.record is not None and one.record.source == source
            ]
        else:
            chosen = _last_without_answer(earlier)
        return why_reply(chosen, asker=asked.author.id)


def _anchor(about: str) -> str:
    return about if about.startswith("#") else f"#{about}"


def _last_without_answer(earlier: Sequence[Explained]) -> list[Explained]:
    asked = [one for one in earlier if one.record is None or one.record.rule not in _NOISE]
    unanswered = [one for one in asked if one.outcome in _NO_ANSWER]
    return (unanswered or asked)[:1]


def _config_words(current: CurrentConfig) -> str:
    return messages.config_words(current.config, commit=current.commit, problem=current.problem)
