"""Which steps people see, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.messages import steps
from orchestrator.session.values import Step, StepKind, StepStatus

AT = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def step(kind: StepKind, title: str, status: StepStatus = StepStatus.DONE) -> Step:
    return Step(id="1", kind=kind, status=status, title=title, at=AT)


ONLY_GIT = [
    "git status",
    "git add -A && git commit -m 'Fix it; really'",
    'cd src && git add x.py && git commit -qm "a && b"',
    "git -c user.name=x commit --allow-empty -m x",
    "git --no-pager log -3 | git show",
    "git diff HEAD~1",
]
MORE_THAN_GIT = [
    "pytest -q",
    "make && git add -A",
    "git commit -m $(make test)",
    "git bisect run pytest",
    "git push",
    "echo git",
    "digit add",
]


@pytest.mark.parametrize("command", [*ONLY_GIT, *MORE_THAN_GIT])
def test_git_says_nothing_of_how_the_work_was_checked(command: str) -> None:
    ran = steps.commands_run([step(StepKind.RUN, command)])
    assert [title for title, _ in ran] == ([] if command in ONLY_GIT else [command])


@pytest.mark.parametrize(
    ("kind", "title", "said"),
    [
        (StepKind.EDIT, "edit", "Editing a file"),
        (StepKind.EDIT, "Write", "Editing a file"),
        (StepKind.READ, "read", "Reading a file"),
        (StepKind.SEARCH, "grep", "Searching the files"),
        (StepKind.RUN, "bash", "Running a command"),
        (StepKind.RUN, "", "Running a command"),
        (StepKind.RUN, "pytest", "Running `pytest`"),
    ],
)
def test_a_tools_name_is_no_title(kind: StepKind, title: str, said: str) -> None:
    running = step(kind, title, StepStatus.RUNNING)
    [line] = steps.checklist([running], AT + timedelta(seconds=1))
    assert line.startswith(f"- [ ] {said} (")
