"""The demo's story in the terminal: one line per happening, and the comment as it changes.

On a terminal the status comment is drawn in a panel below the lines, over and over in its place.
In a pipe, with NO_COLOR or on a dumb terminal the same lines come without drawing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, assert_never

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from .comment_view import clean, headline, live_step, shown
from .happenings import (
    Asked,
    CommentEdited,
    CommitPushed,
    Decided,
    DeliverySent,
    DiffShown,
    Happening,
    Opened,
    PullRequestOpened,
    Reacted,
    SandboxReady,
    StepSeen,
    Summary,
    TestsRan,
    TurnEnded,
    WentWrong,
)

WORD = 12
"""Width of the column that says what kind of thing happened."""

SIGNS = {"running": "…", "done": "✓", "failed": "✗"}


class Story:
    """Used as a context manager, so the terminal is in order again however the demo ends."""

    def __init__(
        self,
        console: Console,
        *,
        draw: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        plain = not console.is_terminal or console.is_dumb_terminal or console.no_color
        self._draw = draw if draw is not None else not plain
        self._clock = clock
        self._began = clock()
        self._live: Live | None = None
        self._comment = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._settle_comment()

    def tell(self, happening: Happening) -> None:
        match happening:
            case Opened(repository=repository, url=url):
                self._line("github", f"{repository} is at {url}")
            case Asked(author=author, thread=thread, text=text):
                self._settle_comment()
                self._line("comment", f'@{author} on {thread}: "{text}"', "bold")
            case DeliverySent(event=event, status=status, milliseconds=ms):
                ok = 200 <= status < 300
                self._line("delivery", f"{event} → {status} in {ms:.0f} ms", "" if ok else "red")
            case Decided(accepted=accepted, reason=reason):
                word = "accepted" if accepted else "ignored"
                self._line("decision", f"{word}: {reason}", "green" if accepted else "yellow")
            case Reacted(content=content, milliseconds=ms):
                self._line("reaction", f"{content}, {ms:.0f} ms after the delivery")
            case SandboxReady(how=how, commit=commit, seconds=seconds):
                took = "" if seconds is None else f" in {seconds:.1f} s"
                self._line("sandbox", f"ready{took} ({how}, {commit[:7]})")
            case StepSeen(text=text, state=state, seconds=seconds):
                took = "" if seconds is None else f" ({seconds:.1f} s)"
                style = {"running": "dim", "done": "", "failed": "red"}[state]
                self._line("step", f"{SIGNS[state]} {text}{took}", style)
            case CommentEdited(markdown=markdown, created=created):
                self._comment_changed(markdown, created=created)
            case CommitPushed(branch=branch, sha=sha, subject=subject, author=author):
                self._line("commit", f"{sha[:7]} on {branch} by {author}: {subject}")
            case PullRequestOpened(number=number, title=title, url=url, draft=draft):
                kind = "draft" if draft else "ready for review"
                self._line("pull request", f"#{number} {title} ({kind})", "bold green")
                self._line("", url)
            case TurnEnded(turn=turn, state=state, ok=ok, seconds=seconds, cost_usd=cost):
                words = f"{turn} {state.lower()} in {seconds:.1f} s, ${cost:.4f}"
                self._line("turn", words, "green" if ok else "red")
            case DiffShown(patch=patch):
                self._settle_comment()
                self._show(coloured(clean(patch)))
            case TestsRan(command=command, ok=ok, seconds=seconds, tail=tail):
                self._settle_comment()
                word = "pass" if ok else "FAIL"
                words = f"{word}: `{command}` in a fresh clone of the head ({seconds:.1f} s)"
                self._line("tests", words, "bold green" if ok else "bold red")
                self._show(Text(clean(tail).rstrip(), style="dim" if ok else ""))
            case WentWrong(what=what):
                self._settle_comment()
                self._line("stopped", what, "bold red")
            case Summary():
                self._settle_comment()
                self._summary(happening)
            case _:
                assert_never(happening)

    def _line(self, word: str, text: str, style: str = "") -> None:
        """Elapsed time, kind, words; cut to the terminal's width, whole in a pipe."""
        line = Text.assemble((f"{self._clock() - self._began:7.2f} s  ", "dim"))
        line.append(f"{word:<{WORD}}  ", style="cyan")
        line.append(" ".join(clean(text).split()), style=style or "none")
        if self._draw:
            line.truncate(self._console.width, overflow="ellipsis")
        self._print(line)

    def _show(self, text: Text) -> None:
        """A block of lines, set off by empty ones."""
        self._print(Text())
        for line in text.split("\n", allow_blank=True):
            self._print(Text("    ") + line if line.plain else Text())
        self._print(Text())

    def _print(self, what: RenderableType) -> None:
        self._console.print(what, soft_wrap=True, highlight=False)

    def _comment_changed(self, markdown: str, *, created: bool) -> None:
        self._comment = markdown
        if not self._draw:
            step = live_step(markdown)
            change = "created" if created else "edited"
            self._line(change, headline(markdown) + (f" · {step}" if step else ""))
            return
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(self._panel(), refresh=True)

    def _settle_comment(self) -> None:
        """End the drawing; the comment stays as it last read, once."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._console.print(self._panel())

    def _panel(self) -> Panel:
        words = Markdown(shown(self._comment), code_theme="ansi_dark", hyperlinks=False)
        title = "the status comment on GitHub"
        return Panel(words, title=title, title_align="left", border_style="blue", padding=(0, 1))

    def _summary(self, summary: Summary) -> None:
        self._print(Text())
        word, style = ("Done", "bold green") if summary.ok else ("Not done", "bold red")
        self._print(Text(f"{word} in {self._clock() - self._began:.1f} s", style=style))
        width = max((len(label) for label, _ in summary.facts), default=0)
        for label, value in summary.facts:
            self._print(Text.assemble((f"  {label:<{width}}  ", "cyan"), clean(value)))
        for heading, lines in (("Open", summary.open), ("Type next", summary.type)):
            if lines:
                self._print(Text.assemble("\n", (heading, "bold")))
                for line in lines:
                    self._print(Text(f"  {clean(line)}"))


def coloured(patch: str) -> Text:
    """A diff as git colours it."""
    text = Text()
    for line in patch.rstrip("\n").splitlines():
        match line[:1]:
            case _ if line.startswith(("diff ", "index ", "--- ", "+++ ")):
                style = "bold"
            case "@":
                style = "cyan"
            case "+":
                style = "green"
            case "-":
                style = "red"
            case _:
                style = "none"
        text.append(line + "\n", style=style)
    text.rstrip()
    return text
