"""What a scripted model says: turns of steps, chosen from the conversation alone.

A script keeps no state. Each request carries the whole conversation, and that says which prompt is
being answered and how many steps of the answer were taken already; so one server can play for any
number of sessions at once, and plays on after a restart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A shell command; `why` is what a model would say it is for."""

    command: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    path: str
    content: str


Action = Run | Read | Edit | Write
"""Paths are relative to the workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One answer of the model. Without actions it is the last one of its turn."""

    text: str = ""
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Text by the user."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoke:
    """Text by the model itself; what it was does not matter, that it ends a prompt does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A tool call that the model asked for."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a tool gave back."""

    text: str


Item = Said | Spoke | Called | Returned


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A model request, whatever its dialect."""

    model: str
    system: str
    items: tuple[Item, ...]
    tools: Mapping[str, Sequence[str]]
    """The tools on offer, each with the names of its arguments."""
    stream: bool
    characters: int
    """Length of the whole request: the measure of its tokens."""

    @property
    def prompt(self) -> str:
        """The user's last words; text in several pieces is one prompt."""
        texts: list[str] = []
        for item in reversed(self.items):
            if isinstance(item, Said):
                texts.append(item.text)
            elif texts:
                break
        return "\n".join(reversed(texts))

    @property
    def request(self) -> str:
        """What was asked, without the thread and the rules that our prompts put around it."""
        asked = re.search(
            r"^@\S+ asks:\n\n(.*?)\n\nThis was asked on ", self.prompt, re.DOTALL | re.MULTILINE
        )
        return asked[1] if asked else self.prompt

    @property
    def answered(self) -> tuple[Item, ...]:
        """All that came after the last prompt."""
        after = 0
        for index, item in enumerate(self.items):
            if isinstance(item, Said):
                after = index + 1
        return self.items[after:]

    @property
    def steps(self) -> int:
        """Answers with tool calls so far in this turn; calls side by side are one answer."""
        return sum(1 for kind, _ in groupby(self.answered, type) if kind is Called)

    @property
    def calls(self) -> int:
        """Calls in the whole conversation: a new call's id must not be one of theirs."""
        return sum(1 for item in self.items if isinstance(item, Called))

    @property
    def results(self) -> tuple[str, ...]:
        """What the tools of this turn gave back, oldest first."""
        return tuple(item.text for item in self.answered if isinstance(item, Returned))


StepMaker = Callable[[Conversation], Step]
"""For an answer that depends on what the tools said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedTurn:
    """The answer to every request in which `when` is found (a pattern, case ignored)."""

    when: str
    steps: tuple[Step | StepMaker, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The first turn that fits is played; what fits none gets `otherwise`."""

    turns: tuple[ScriptedTurn, ...]
    otherwise: tuple[Step | StepMaker, ...]

    def answer(self, conversation: Conversation) -> Step:
        """The next step. After the end of a turn its last step is said again."""
        if not conversation.tools:
            return Step(text=title_for(conversation.request))
        steps = self.otherwise
        for turn in self.turns:
            if re.search(turn.when, conversation.request, re.IGNORECASE):
                steps = turn.steps
                break
        told = re.search(r"Before anything else run `(git rebase \S+)`", conversation.prompt)
        if told:
            steps = (Step(actions=(Run(command=told[1], why="Take in what others did"),)), *steps)
        step = steps[min(conversation.steps, len(steps) - 1)]
        return step if isinstance(step, Step) else step(conversation)


def title_for(prompt: str) -> str:
    """OpenCode first asks for a title of the conversation, offering no tools."""
    lines = [line.strip(' "') for line in prompt.splitlines() if line.strip(' "')]
    return (lines[-1] if lines else "New session")[:50]
