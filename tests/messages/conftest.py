"""Views to be shown, and a reader who sees what GitHub would make of a text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from markdown_it import MarkdownIt

from orchestrator.messages import marker
from orchestrator.session.values import (
    ChangedFile,
    Home,
    Outcome,
    Person,
    Phase,
    PullRequest,
    SessionId,
    Status,
    Step,
    StepKind,
    StepStatus,
    Usage,
    UserId,
    Work,
)
from orchestrator.session.view import SandboxView, SessionView, TurnView, WaitingView

T0 = datetime(2026, 11, 24, 14, 2, 11, tzinfo=UTC)
KEY = b"not a real key, only for tests!!"
OCTOCAT = Person(id=UserId(1), login="octocat")
HUBOT = Person(id=UserId(2), login="hubot")
SAID = (
    "The retry loop slept before checking the deadline, so the last attempt could run after it.\n\n"
    "The check moved ahead of the sleep; the test now uses the injected clock."
)


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def step(id: int, kind: StepKind, title: str, **changes: Any) -> Step:
    status = changes.pop("status", StepStatus.DONE)
    return Step(id=str(id), kind=kind, status=status, title=title, at=after(id), **changes)


STEPS = (
    step(1, StepKind.SCRIPT, "setup.sh", seconds=11.0, exit_code=0),
    step(2, StepKind.READ, "Read retry.py", paths=("retry.py",)),
    step(3, StepKind.READ, "Read test_retry.py", paths=("test_retry.py",)),
    step(4, StepKind.READ, "Read a.py", paths=("a.py",)),
    step(5, StepKind.READ, "Read b.py", paths=("b.py",)),
    step(6, StepKind.EDIT, "Edit retry.py", paths=("retry.py",), added=6, removed=2),
    step(
        7, StepKind.RUN, "pytest -q", status=StepStatus.FAILED, exit_code=1, seconds=3.2,
        tail="E   assert 2 == 3\n1 failed, 211 passed",
    ),
    step(8, StepKind.RUN, "pytest -q tests/test_retry.py", status=StepStatus.RUNNING),
)  # fmt: skip
WORK = Work(
    branch="openinspect/41-flaky-retry-test",
    head="a" * 40,
    base="b" * 40,
    commits=2,
    files=(
        ChangedFile(path="retry.py", added=6, removed=2),
        ChangedFile(path="test_retry.py", added=9, removed=4),
    ),
)
PULL = PullRequest(number=128, url="https://github.com/acme/app/pull/128", draft=True)


def working(**changes: Any) -> SessionView:
    """The view of a session that works; `turn` changes are given as `turn_...`."""
    turn = TurnView(
        number=1,
        prompt="fix the flaky retry test",
        author=OCTOCAT,
        started_at=T0,
        ended_at=None,
        phase=Phase.RUNNING,
        stopping=None,
        stopped_by=None,
        steps=STEPS,
        steps_total=len(STEPS),
        said="",
        usage=Usage(microdollars=120_000),
        outcome=None,
        reason="",
        work=None,
        pull_request=None,
    )
    turn = replace(turn, **{k[5:]: v for k, v in changes.items() if k.startswith("turn_")})
    view = SessionView(
        id=SessionId("7001-41-main-1"),
        version=9,
        repository="acme/app",
        home=Home.ISSUE,
        home_number=41,
        title="Flaky retry test",
        status=Status.WORKING,
        branch="openinspect/41-flaky-retry-test",
        pull_request=None,
        turn=turn,
        turns=1,
        waiting=(),
        sandbox=SandboxView(
            launch=1, restored=False, base="3f2a91c" + "0" * 33, note="", launch_seconds=0.1,
            ready_seconds=0.3, agent="opencode 1.18", resumed=False, lost="",
        ),
        usage=Usage(microdollars=120_000),
        turn_microdollars=5_000_000,
        session_microdollars=25_000_000,
        model="anthropic/claude-sonnet-5",
        idle_seconds=600,
        public=True,
        cancelled_by=None,
        kept=True,
        dropped=0,
    )  # fmt: skip
    return replace(view, **{k: v for k, v in changes.items() if not k.startswith("turn_")})


def ended(outcome: Outcome, **changes: Any) -> SessionView:
    steps = (*STEPS[:-1], replace(STEPS[-1], status=StepStatus.DONE, exit_code=0, seconds=8.0))
    return working(
        **{
            "status": Status.IDLE,
            "turn_ended_at": after(221),
            "turn_outcome": outcome,
            "turn_steps": steps,
            **changes,
        }
    )


def done(**changes: Any) -> SessionView:
    return ended(
        Outcome.SUCCEEDED,
        **{
            "turn_said": SAID, "turn_work": WORK, "turn_pull_request": PULL, "pull_request": PULL,
            **changes,
        },
    )  # fmt: skip


_GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_OUR_HTML = re.compile(
    r"</?sub>|<details><summary>[^<>]*</summary>|</details>"
    r"|<!-- openinspect:v1 session=\S+ effect=\S+ mac=[0-9a-f]{32} -->"
)
_MENTION = re.compile(r"(?<![A-Za-z0-9_])@([A-Za-z0-9][A-Za-z0-9-]*)")


class Reader:
    """What GitHub would do with a text, by an independent parse."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.mentions: set[str] = set()
        self.references: set[str] = set()
        self.links: set[str] = set()
        self.images = 0
        self.foreign_html: list[str] = []
        self.bare_urls: list[str] = []
        self.last = ""
        for token in _GITHUB.parse(text):
            self._read(token)
            if token.type in ("html_block", "fence", "inline"):
                self.last = token.content
            for child in token.children or []:
                self._read(child)

    def _read(self, token: Any) -> None:
        match token.type:
            case "text":
                self.mentions |= set(_MENTION.findall(token.content))
                self.references |= set(re.findall(r"(?:#|\bGH-)(\d+)\b", token.content))
                self.bare_urls += re.findall(r"(?:https?://|www\.)\S+", token.content)
            case "link_open":
                self.links.add(token.attrGet("href"))
            case "image":
                self.images += 1
            case "html_inline" | "html_block":
                rest = _OUR_HTML.sub("", token.content).strip()
                if rest:
                    self.foreign_html.append(rest)

    @property
    def commands(self) -> list[str]:
        return re.findall(r"^[ \t>]*/[A-Za-z][\w-]*(?=\s|$)", self.text, re.MULTILINE)

    @property
    def bot_commands(self) -> list[str]:
        return re.findall(r"@(?:dependabot|bors|mergify|renovate|rustbot)\b.*", self.text)


class Show:
    """All of the above, for tests: conftest modules cannot be imported."""

    T0, KEY, STEPS, WORK, PULL, SAID = T0, KEY, STEPS, WORK, PULL, SAID
    OCTOCAT, HUBOT = OCTOCAT, HUBOT
    Reader = Reader
    after = staticmethod(after)
    step = staticmethod(step)
    working = staticmethod(working)
    ended = staticmethod(ended)
    done = staticmethod(done)
    waiting = staticmethod(lambda text: WaitingView(prompt=text, author=HUBOT))
    marker = marker("7001-41-main-1", "status", KEY)


@pytest.fixture
def show() -> type[Show]:
    return Show
