"""The demo's story: what the people write, and what the scripted model answers.

The model's words are fixed, but what it says of test results is read from the tools' own output,
so the summary is true even when something went wrong.
"""

from __future__ import annotations

import re

from .script import Conversation, Edit, Read, Run, Script, ScriptedTurn, Step, Write

ISSUE_TITLE = "An attempt can start after the deadline"
ISSUE_BODY = """\
`retry(..., deadline=10)` with a constant backoff of 4 s calls at 0, 4, 8 and once more at 12 s.
The README promises that no attempt starts after the deadline, and
`test_no_attempt_starts_after_the_deadline` fails.
"""
FIRST_PROMPT = "fix the failing retry test"
FOLLOW_UP = "also add a changelog entry"

TEST_COMMAND = "python3 -m unittest"
FIX_SUBJECT = "Give up when the next pause would outlast the deadline"

NOTE_PATH = "OPENINSPECT_DEMO.md"

_FIX = Edit(
    path="patient/retry.py",
    old="""\
            if limit.passed():
                raise GaveUp(attempt, "the deadline has passed") from error
""",
    new="""\
            if pause >= limit.remaining():  # the next attempt would start too late
                raise GaveUp(attempt, "the deadline comes before the next attempt") from error
""",
)

_ENTRY = Edit(
    path="CHANGELOG.md",
    old="- `Jittered`, a backoff that spreads callers out.\n",
    new="""\
- `Jittered`, a backoff that spreads callers out.

### Fixed

- No attempt starts after the deadline any more; a pause that would outlast it is not slept either.
""",
)


def commit(subject: str, body: str) -> Run:
    return Run(
        command=f"git add -A && git commit -q -m '{subject}' -m '{body}' && git log --oneline -1",
        why="Commit the change",
    )


def tests_said(conversation: Conversation) -> str:
    """The last test run among the results, in words."""
    for result in reversed(conversation.results):
        ran = re.search(r"Ran (\d+) tests?", result)
        if ran:
            failed = re.search(r"FAILED \((.*?)\)", result)
            if failed:
                return f"`{TEST_COMMAND}`: **failed** ({failed[1]} of {ran[1]})"
            return f"`{TEST_COMMAND}`: {ran[1]} passed"
    return "The tests were not run"


def fixed(conversation: Conversation) -> Step:
    return Step(
        text=(
            "The loop looked at the deadline and then slept, so the last attempt could start after"
            " it. It now compares the pause with the time that remains, and gives up without"
            f" sleeping when the next attempt would come too late.\n\n{tests_said(conversation)}."
        )
    )


def noted(conversation: Conversation) -> Step:
    return Step(
        text=(
            "`CHANGELOG.md` has an entry under Unreleased, Fixed, for the deadline."
            f"\n\n{tests_said(conversation)}."
        )
    )


_FIX_TURN = ScriptedTurn(
    when=r"fix the failing retry test",
    steps=(
        Step(
            text="The test suite first, to see what fails.",
            actions=(Run(command=TEST_COMMAND, why="Run the test suite"),),
        ),
        Step(
            text="One test fails: the call at 12 s comes after the deadline of 10 s.",
            actions=(Read(path="patient/retry.py"), Read(path="tests/test_retry.py")),
        ),
        Step(
            text="The deadline is checked before the pause, and the pause then runs past it.",
            actions=(_FIX,),
        ),
        Step(actions=(Run(command=TEST_COMMAND, why="Run the test suite again"),)),
        Step(
            actions=(
                commit(
                    FIX_SUBJECT,
                    "The deadline was checked before the pause, so one more attempt could start"
                    " after it.",
                ),
            )
        ),
        fixed,
    ),
)

_CHANGELOG_TURN = ScriptedTurn(
    when=r"changelog entry",
    steps=(
        Step(
            text="Where the changelog stands.",
            actions=(Read(path="CHANGELOG.md"),),
        ),
        Step(actions=(_ENTRY,)),
        Step(actions=(Run(command=TEST_COMMAND, why="Run the test suite"),)),
        Step(
            actions=(
                commit(
                    "Say in the changelog that the deadline holds",
                    "Users notice: a retry with a deadline now gives up earlier.",
                ),
            )
        ),
        noted,
    ),
)


def note(conversation: Conversation) -> Step:
    """An honest file: what was asked, what was seen, and that nobody understood any of it."""
    seen = conversation.results[0].strip() if conversation.results else "nothing"
    shown = "\n".join(f"    {line}" for line in seen.splitlines()[:40])
    return Step(
        text="A note of what is here; a script can do no more.",
        actions=(
            Write(
                path=NOTE_PATH,
                content=(
                    "# Written by Open-Inspect's demo\n\nThe model behind this change is a script:"
                    " it did not understand the request, and changed nothing but this file. What it"
                    f" saw in the repository:\n\n{shown}\n"
                ),
            ),
        ),
    )


_ANYTHING = (
    Step(
        text="A look at the repository first.",
        actions=(
            Run(
                command="git log --oneline -5; git ls-files | wc -l; ls",
                why="See what is in the repository",
            ),
        ),
    ),
    note,
    Step(
        actions=(
            Run(
                command=(
                    f"git add {NOTE_PATH} && git commit -q -m 'Note what the demo saw here'"
                    " -m 'Written by a scripted model.'; git log --oneline -1"
                ),
                why="Commit the note",
            ),
        )
    ),
    Step(
        text=(
            f"`{NOTE_PATH}` says what is in this repository, and nothing else was changed: the"
            " model of this demo is a script that cannot understand a request. With"
            " `openinspect demo --model provider/name` a real one does the work."
        )
    ),
)

STORY = Script(turns=(_FIX_TURN, _CHANGELOG_TURN), otherwise=_ANYTHING)

ANY_REPOSITORY = Script(turns=(), otherwise=_ANYTHING)
