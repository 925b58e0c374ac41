"""Words to tell session stories in: people, prompts and a clock that only moves when told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.session import Session, decide, evolve, initial, pending
from orchestrator.session.commands import (
    AddPrompt,
    Command,
    Confirm,
    Finished,
    Intend,
    NoteHanded,
    NoteLaunched,
    NotePullRequest,
    NoteReady,
    NoteReleased,
    NoteWork,
    Opening,
    Receive,
)
from orchestrator.session.effects import (
    Effect,
    HandPrompt,
    LaunchSandbox,
    OpenPullRequest,
    ReleaseSandbox,
    StopAgent,
    TakeWork,
)
from orchestrator.session.events import Event
from orchestrator.session.values import (
    Home,
    Limits,
    Person,
    Phase,
    Plan,
    Prompt,
    PromptKey,
    PullRequest,
    RepositoryId,
    Source,
    SourceKind,
    UserId,
    Work,
    session_id,
)

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ALICE = Person(id=UserId(1), login="alice")
BOB = Person(id=UserId(2), login="bob")


def source(number: int) -> Source:
    return Source(
        kind=SourceKind.ISSUE_COMMENT,
        id=number,
        thread=41,
        updated_at=START,
        sha256="0" * 64,
        url=f"https://github.example/acme/app/issues/41#issuecomment-{number}",
    )


def prompt(number: int, text: str = "fix the flake", author: Person = ALICE) -> Prompt:
    return Prompt(
        key=PromptKey(f"comment-{number}"), author=author, text=text, source=source(number)
    )


def opening(
    home: Home = Home.ISSUE, limits: Limits | None = None, policy: str = "draft"
) -> Opening:
    return Opening(
        repository="acme/app",
        home=home,
        title="Flaky retry test",
        branch="openinspect/41-flaky-retry-test",
        public=False,
        plan=Plan(limits=limits or Limits(), pull_request=policy),
    )


@dataclass
class Story:
    """One session and the hand that feeds it."""

    session: Session = field(default_factory=lambda: initial(session_id(RepositoryId(7), 41)))
    now: datetime = START
    events: list[Event] = field(default_factory=list)

    def tell(self, command: Command) -> list[Event]:
        news = decide(self.session, command)
        for event in news:
            self.session = evolve(self.session, event)
        self.events.extend(news)
        return news

    def add(self, number: int, text: str = "fix the flake", author: Person = ALICE) -> list[Event]:
        return self.tell(
            AddPrompt(at=self.now, prompt=prompt(number, text, author), opening=opening())
        )

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def owed(self) -> Sequence[Effect]:
        return pending(self.session, self.now)

    def owed_keys(self) -> list[str]:
        return [effect.key for effect in self.owed()]

    def do(self, effect: Effect) -> None:
        """Do one effect as a kind world would."""
        self.tell(Intend(at=self.now, key=effect.key))
        match effect:
            case LaunchSandbox(launch=launch):
                self.tell(
                    NoteLaunched(
                        at=self.now,
                        launch=launch,
                        sandbox=f"sb-{launch}",
                        workspace_present=True,
                        restored=effect.snapshot is not None,
                        base="a" * 40,
                        note="",
                        seconds=0.1,
                    )
                )
                self.tell(
                    NoteReady(
                        at=self.now,
                        launch=launch,
                        agent="agent",
                        agent_session="acp-1",
                        resumed=False,
                        seconds=1,
                    )
                )
            case HandPrompt(turn=turn, launch=launch):
                self.tell(NoteHanded(at=self.now, turn=turn, launch=launch))
            case TakeWork(turn=turn):
                work = Work(branch="b", head="c" * 40, base="a" * 40, commits=1)
                self.tell(NoteWork(at=self.now, turn=turn, work=work))
            case OpenPullRequest(turn=turn):
                pull = PullRequest(number=128, url="https://github.example/128", draft=True)
                self.tell(NotePullRequest(at=self.now, turn=turn, pull_request=pull))
            case ReleaseSandbox(launch=launch, keep=keep):
                self.tell(
                    NoteReleased(at=self.now, launch=launch, snapshot="snap" if keep else None)
                )
            case StopAgent():
                pass
            case _:
                pass
        self.tell(Confirm(at=self.now, key=effect.key, ref=f"ref:{effect.key}"))

    def settle(self, limit: int = 200) -> None:
        """Do everything owed until nothing is."""
        for _ in range(limit):
            owed = self.owed()
            if not owed:
                return
            self.do(owed[0])
        raise AssertionError(f"never settled: {self.owed_keys()}")


@pytest.fixture
def story() -> Story:
    return Story()


def run_until(story: Story, kind: type[Effect]) -> Effect:
    """Do what is owed until something of this kind is."""
    for _ in range(50):
        owed = story.owed()
        for effect in owed:
            if isinstance(effect, kind):
                return effect
        story.do(owed[0])
    raise AssertionError(f"{kind.__name__} was never owed")


def finish(
    story: Story, *, error: str = "", produced: bool = True, upto: int | None = None
) -> None:
    """The agent ends the running turn."""
    sandbox = story.session.sandbox
    turn = story.session.turn
    assert sandbox is not None
    assert turn is not None
    story.tell(
        Receive(
            at=story.now,
            launch=sandbox.launch,
            upto=upto or sandbox.upto + 1,
            turn=turn.number,
            said="Fixed it.",
            finished=Finished(turn=turn.number, reason="end_turn", error=error, produced=produced),
        )
    )


def to_running(story: Story) -> None:
    story.settle()
    assert story.session.turn is not None
    assert story.session.turn.phase is Phase.RUNNING


def launched(story: Story, launch: int) -> NoteLaunched:
    return NoteLaunched(
        at=story.now,
        launch=launch,
        sandbox=f"sb-{launch}",
        workspace_present=True,
        restored=False,
        base="a" * 40,
        note="",
        seconds=0.1,
    )
