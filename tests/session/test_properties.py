"""Whatever is asked, told or lost, in whatever order: what must hold of every session."""

from __future__ import annotations

from datetime import timedelta

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.session import due, evolve, initial, is_open, pending, replay, view
from orchestrator.session.commands import (
    AddPrompt,
    Cancel,
    Command,
    Fail,
    Finished,
    Intend,
    NoteHanded,
    NoteLaunched,
    NoteLost,
    NotePullRequestClosed,
    NoteReady,
    NoteReleased,
    NoteWork,
    NoteWorkRefused,
    Receive,
    ReserveModelCall,
    Retry,
    SettleModelCall,
    Stop,
    Tick,
)
from orchestrator.session.errors import SessionError
from orchestrator.session.events import Event, PromptQueued, TurnEnded, TurnStarted
from orchestrator.session.values import Home, Outcome, PromptKey, Usage, Work

from .conftest import ALICE, BOB, START, Story, opening, prompt, source

small = st.integers(min_value=1, max_value=4)
people = st.sampled_from([ALICE, BOB])


class AnySession(RuleBasedStateMachine):
    """Commands in any order, sensible or not, with the world doing owed effects in between."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.asked = 0
        self.seen: list[Event] = []

    def tell(self, command: Command) -> None:
        before = self.story.session
        try:
            news = self.story.tell(command)
        except SessionError as refusal:
            assert str(refusal)
            assert self.story.session is before
            return
        self.seen.extend(news)
        again = self.story.session
        if not isinstance(command, (Intend, Fail, Tick)):
            try:
                assert self.story.tell(command) == [], "the same command decided something twice"
            except SessionError:
                assert self.story.session is again

    @rule(who=people, home=st.sampled_from(Home), text=st.sampled_from(["fix", " ", "x" * 64_001]))
    def add(self, who: object, home: Home, text: str) -> None:
        self.asked += 1
        self.tell(
            AddPrompt(
                at=self.story.now, prompt=prompt(self.asked, text, who), opening=opening(home)
            )
        )

    @rule(who=people, kind=st.sampled_from([Stop, Cancel, Retry]))
    def say(self, who: object, kind: type) -> None:
        self.asked += 1
        key = PromptKey(f"comment-{self.asked}")
        self.tell(kind(at=self.story.now, key=key, by=who, source=source(self.asked)))

    @rule(seconds=st.sampled_from([1, 15, 120, 600, 900, 5400]))
    def time_passes(self, seconds: int) -> None:
        self.story.later(seconds)
        self.tell(Tick(at=self.story.now))

    @rule(pick=st.integers(min_value=0, max_value=50))
    def world_acts(self, pick: int) -> None:
        owed = self.story.owed()
        if owed:
            before = len(self.story.events)
            self.story.do(owed[pick % len(owed)])
            self.seen.extend(self.story.events[before:])

    @rule(pick=st.integers(min_value=0, max_value=50), gives_up=st.booleans())
    def world_fails(self, pick: int, gives_up: bool) -> None:
        owed = self.story.owed()
        if owed:
            retry_at = None if gives_up else self.story.now + timedelta(seconds=30)
            key = owed[pick % len(owed)].key
            self.tell(Intend(at=self.story.now, key=key))
            self.tell(Fail(at=self.story.now, key=key, reason="no luck", retry_at=retry_at))

    @rule(launch=small, turn=small, error=st.sampled_from(["", "broke"]), produced=st.booleans())
    def agent_finishes(self, launch: int, turn: int, error: str, produced: bool) -> None:
        sandbox = self.story.session.sandbox
        upto = sandbox.upto + 1 if sandbox is not None else 1
        launch = sandbox.launch if sandbox is not None else launch
        self.tell(
            Receive(
                at=self.story.now,
                launch=launch,
                upto=upto,
                turn=turn,
                said="done",
                finished=Finished(turn=turn, reason="end_turn", error=error, produced=produced),
            )
        )

    @rule(
        launch=small,
        turn=small,
        upto=st.integers(0, 9),
        what=st.sampled_from(
            ["launched", "ready", "handed", "lost", "released", "work", "refused", "closed", "fail"]
        ),
    )
    def out_of_turn(self, launch: int, turn: int, upto: int, what: str) -> None:
        now = self.story.now
        commands: dict[str, Command] = {
            "launched": NoteLaunched(
                at=now,
                launch=launch,
                sandbox="s",
                workspace_present=True,
                restored=False,
                base="b",
                note="",
                seconds=0,
            ),
            "ready": NoteReady(
                at=now, launch=launch, agent="a", agent_session="s", resumed=False, seconds=0
            ),
            "handed": NoteHanded(at=now, turn=turn, launch=launch),
            "lost": NoteLost(at=now, launch=launch, reason="lost"),
            "released": NoteReleased(at=now, launch=launch, snapshot=None),
            "work": NoteWork(
                at=now, turn=turn, work=Work(branch="b", head="h", base="b", commits=1)
            ),
            "refused": NoteWorkRefused(at=now, turn=turn, reason="no"),
            "closed": NotePullRequestClosed(at=now, number=128, merged=True),
            "fail": Receive(at=now, launch=launch, upto=upto, turn=turn, failed="no boot"),
        }
        self.tell(commands[what])

    @rule(turn=small, call=st.sampled_from("abc"), cost=st.sampled_from([1, 2_000_000]))
    def model_call(self, turn: int, call: str, cost: int) -> None:
        self.tell(ReserveModelCall(at=self.story.now, turn=turn, call=call, microdollars=cost))

    @rule(turn=small, call=st.sampled_from("abc"), cost=st.sampled_from([1, 2_000_000]))
    def model_answer(self, turn: int, call: str, cost: int) -> None:
        usage = Usage(calls=1, microdollars=cost)
        self.tell(SettleModelCall(at=self.story.now, turn=turn, call=call, usage=usage))

    @invariant()
    def never_two_running_turns(self) -> None:
        running = [turn for turn in self.story.session.turns if turn.outcome is None]
        assert len(running) <= 1

    @invariant()
    def prompts_start_in_the_order_they_were_asked(self) -> None:
        queued = [e.prompt.key for e in self.seen if isinstance(e, PromptQueued)]
        started = [e.prompt for e in self.seen if isinstance(e, TurnStarted)]
        assert started == queued[: len(started)]

    @invariant()
    def every_turn_ends_once(self) -> None:
        ended = [e.turn for e in self.seen if isinstance(e, TurnEnded)]
        assert len(ended) == len(set(ended))

    @invariant()
    def never_more_than_ten_wait(self) -> None:
        assert len(self.story.session.waiting) <= 10

    @invariant()
    def replaying_the_events_gives_the_same_state(self) -> None:
        session = self.story.session
        assert replay(session.id, self.seen) == session

    @invariant()
    def what_is_owed_is_owed_once_and_shown(self) -> None:
        session = self.story.session
        keys = [effect.key for effect in pending(session, self.story.now)]
        assert len(keys) == len(set(keys))
        if session.opened is not None:
            view(session)
        if keys:
            assert is_open(session)

    @invariant()
    def a_session_that_waits_for_time_says_for_when(self) -> None:
        session = self.story.session
        if session.turn is not None and not pending(session, self.story.now):
            assert due(session) is not None

    def teardown(self) -> None:
        """However it got here: let time pass and do what is owed, and everything comes to rest."""
        for _ in range(400):
            owed = self.story.owed()
            if owed:
                self.story.do(owed[0])
                continue
            when = due(self.story.session)
            if when is None:
                break
            self.story.now = max(when, self.story.now)
            self.story.tell(Tick(at=self.story.now))
        session = self.story.session
        assert pending(session, self.story.now) == []
        assert session.turn is None
        assert session.sandbox is None
        assert not is_open(session)
        assert all(turn.outcome in Outcome for turn in session.turns)


TestAnySession = AnySession.TestCase
TestAnySession.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_evolve_takes_any_event_in_any_state(story: Story) -> None:
    """Each event alone on a fresh session, and on one that has seen everything."""
    story.add(1)
    story.settle()
    for event in list(story.events):
        assert evolve(initial(story.session.id), event).version == 1
        assert evolve(story.session, event).version == story.session.version + 1
    assert story.now == START
