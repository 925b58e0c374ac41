"""What a decision can be, and the list of rules that led to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.config import RepoConfig
from orchestrator.session.values import UserId

from .asked import Asked
from .record import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    asked: Asked
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsPermission:
    """All that is free to know passed. Ask GitHub about `login`, then call `trigger` again."""

    login: str
    user_id: UserId
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsTeam:
    """Only members of one of these teams may ask: is `login` one?"""

    login: str
    teams: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsHead:
    """The person may ask; the delivery does not say where the pull request's commits are now."""

    number: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Nothing was asked of us, or not in a way that counts. Nobody is told; `why` explains."""

    rule: str
    reason: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something was asked that may not or cannot be done. `tell`: answer with `reason`, once."""

    rule: str
    reason: str
    rules: tuple[Rule, ...]
    tell: bool


Needs = NeedsPermission | NeedsTeam | NeedsHead
Decided = Accepted | Ignored | Refused
Decision = Decided | Needs


@dataclass(slots=True)
class Rules:
    """The rules looked at so far, in order. The line of a configuration key goes with a rule
    that the key decided, passed or not."""

    config: RepoConfig
    seen: list[Rule] = field(default_factory=list)

    @property
    def so_far(self) -> tuple[Rule, ...]:
        return tuple(self.seen)

    def passed(self, name: str, detail: str, key: str = "") -> None:
        self._add(name, detail, key, passed=True)

    def ignored(self, name: str, reason: str, key: str = "") -> Ignored:
        self._add(name, reason, key, passed=False)
        return Ignored(rule=name, reason=reason, rules=self.so_far)

    def refused(self, name: str, reason: str, key: str = "", *, tell: bool) -> Refused:
        self._add(name, reason, key, passed=False)
        return Refused(rule=name, reason=reason, rules=self.so_far, tell=tell)

    def _add(self, name: str, detail: str, key: str, *, passed: bool) -> None:
        line = self.config.lines.get(key)
        self.seen.append(
            Rule(name=name, passed=passed, detail=detail, config_key=key, config_line=line)
        )
