"""Events of every shape for tests: any (hypothesis), and a story of one session (by hand)."""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Literal, NewType, cast

from hypothesis import strategies as st

from orchestrator.session.events import (
    AgentFinished,
    EffectDone,
    EffectIntended,
    Event,
    ModelCallReserved,
    ModelCallSettled,
    PromptHanded,
    PromptQueued,
    PullRequestOpened,
    ReportsReceived,
    SandboxLaunched,
    SandboxReady,
    SandboxReleased,
    SessionCancelled,
    SessionOpened,
    TurnEnded,
    TurnStarted,
    WorkTaken,
)
from orchestrator.session.values import (
    Home,
    Outcome,
    Person,
    Plan,
    Prompt,
    PromptKey,
    PullRequest,
    RepositoryId,
    SessionId,
    Source,
    SourceKind,
    Step,
    StepKind,
    StepStatus,
    Usage,
    UserId,
    Work,
    session_id,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OCTOCAT = Person(id=UserId(583231), login="octocat", name="The Octocat")
REPOSITORY = RepositoryId(7001)
EVENTS: tuple[type[Any], ...] = typing.get_args(Event)


def at(seconds: float = 0) -> datetime:
    return NOON + timedelta(seconds=seconds)


def any_event() -> st.SearchStrategy[Event]:
    return st.one_of([any_value(cls) for cls in EVENTS])


def any_value(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a declared type, as wild as the codec promises to take."""
    if isinstance(hint, NewType):
        return any_value(hint.__supertype__)
    if hint is datetime:
        return st.datetimes(timezones=st.just(UTC))
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if hint is str:
        return st.text(st.characters(exclude_categories=[]), max_size=30)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(
            cast(type[Any], hint), **{name: any_value(part) for name, part in hints.items()}
        )
    args = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return st.sampled_from(args)
    if typing.get_origin(hint) is tuple:
        return st.lists(any_value(args[0]), max_size=3).map(tuple)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return st.one_of([st.none() if a is types.NoneType else any_value(a) for a in args])
    return st.from_type(hint)


def a_session(home: int = 41, *, repository: RepositoryId = REPOSITORY) -> SessionId:
    return session_id(repository, home)


def source(number: int, thread: int = 41) -> Source:
    return Source(
        kind=SourceKind.ISSUE_COMMENT,
        id=number,
        thread=thread,
        updated_at=NOON,
        sha256="ab" * 32,
        url=f"https://github.example/acme/app/issues/{thread}#issuecomment-{number}",
    )


def prompt(number: int = 987, text: str = "fix the flaky retry test") -> Prompt:
    return Prompt(
        key=PromptKey(f"comment-{number}"), author=OCTOCAT, text=text, source=source(number)
    )


def opened(session: SessionId, seconds: float = 0, title: str = "Flaky retry test") -> Event:
    return SessionOpened(
        at=at(seconds),
        session=session,
        repository="acme/app",
        home=Home.ISSUE,
        title=title,
        branch="openinspect/41-flaky-retry",
        public=False,
        plan=Plan(base_branch="main"),
    )


def intended(number: int, seconds: float = 0) -> Event:
    return EffectIntended(at=at(seconds), key=f"effect-{number}")


def finished_story(session: SessionId, pull_request: int = 128) -> list[Event]:
    """Opened, one turn with a result, all effects done, sandbox gone: nothing is owed."""
    asked = prompt()
    turn = 1
    work = Work(branch="openinspect/41-flaky-retry", head="3f" * 20, base="2a" * 20, commits=1)
    pull = PullRequest(
        number=pull_request,
        url=f"https://github.example/acme/app/pull/{pull_request}",
        draft=True,
    )
    step = Step(
        id="1", kind=StepKind.RUN, status=StepStatus.DONE, title="pytest -q", at=at(9), exit_code=0
    )
    usage = Usage(calls=1, input_tokens=900, output_tokens=80, microdollars=190_000)
    return [
        opened(session),
        PromptQueued(at=at(1), prompt=asked),
        TurnStarted(at=at(2), turn=turn, prompt=asked.key),
        SandboxLaunched(
            at=at(3),
            launch=1,
            sandbox="sandbox-1",
            workspace_present=False,
            restored=False,
            base="2a" * 20,
            note="",
            seconds=0.4,
        ),
        SandboxReady(
            at=at(4),
            launch=1,
            agent="opencode",
            agent_session="agent-1",
            resumed=False,
            seconds=1.5,
        ),
        PromptHanded(at=at(5), turn=turn, launch=1),
        ModelCallReserved(at=at(6), turn=turn, call="call-1", microdollars=400_000),
        ModelCallSettled(at=at(7), turn=turn, call="call-1", usage=usage),
        ReportsReceived(at=at(9), launch=1, upto=3, turn=turn, steps=(step,), said="Fixed."),
        AgentFinished(
            at=at(10), turn=turn, reason="end_turn", error="", produced=True, summary="Fixed."
        ),
        WorkTaken(at=at(11), turn=turn, work=work),
        PullRequestOpened(at=at(12), turn=turn, pull_request=pull),
        TurnEnded(at=at(13), turn=turn, outcome=Outcome.SUCCEEDED, reason=""),
        SandboxReleased(at=at(14), launch=1, snapshot=None),
        SessionCancelled(at=at(15), by=OCTOCAT, dropped=()),
    ]


def settled(events: list[Event], session: SessionId) -> list[Event]:
    """The same story with everything it owes to the world done."""
    from orchestrator.session import initial, pending, replay

    events = list(events)
    state = replay(session, events) if events else initial(session)
    for _ in range(50):
        owed = pending(state, NOON + timedelta(days=1))
        if not owed:
            return events
        for effect in owed:
            events.append(EffectDone(at=at(20), key=effect.key, ref="1"))
        state = replay(session, events)
    raise AssertionError("the story never settles")
