"""Turns the agent's updates into reports: joined, slowed down, and held to a budget. Pure.

The caller gives the time with every call, and calls `tick` often; what is owed comes back as
reports in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..codec import MAX_PLAN
from ..reports import AgentSaid, PlanChanged, Report, StillWorking, ToolCalled, Warned
from .clipping import clipped, pieces
from .toolcall import ToolCall

SAY_SECONDS = 0.25
SAY_BYTES = 4 << 10
PIECE = 32 << 10
CALL_SECONDS = 0.1
OUTPUT_SECONDS = 1.0
"""Between reports of a running call that differ in its output only."""
BEAT_SECONDS = 15.0
TEXT_BUDGET = 4 << 20
"""Characters an agent may say in one turn."""
RUNNING_BUDGET = 8 << 20
"""Bytes of output told of calls that still run; what they end with is always told."""
CALL_BUDGET = 5000
"""Tool calls of one turn that are told of."""


class Recorder:
    """The reports of one turn."""

    def __init__(
        self,
        turn: int,
        emit: Callable[[Report], None],
        *,
        workspace: str,
        now: float,
        beat: float = BEAT_SECONDS,
    ) -> None:
        self.produced = False
        self._turn = turn
        self._emit = emit
        self._workspace = workspace
        self._beat = beat
        self._began = now
        self._said = ""
        self._said_since = 0.0
        self._said_bytes = 0
        self._message = 0
        self._message_id: object = None
        self._message_open = False
        self._calls: dict[str, ToolCall] = {}
        self._names: dict[str, str] = {}
        self._told: dict[str, tuple[float, ToolCalled]] = {}
        self._late: set[str] = set()
        self._spent = 0
        self._plan: PlanChanged | None = None
        self._plan_last: PlanChanged | None = None
        self._plan_told = now - SAY_SECONDS
        self._next_beat = now + beat
        self._alive = False
        self._warned: set[str] = set()

    def take(self, update: Mapping[str, object], now: float) -> None:
        """One `update` object of `session/update`; kinds we do not know are ignored."""
        self._alive = True
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                self._take_text(update, now)
            case "tool_call" | "tool_call_update":
                self._take_call(update, now)
            case "plan":
                self._take_plan(update.get("entries"))
                self.tick(now)
            case _:
                pass

    def streaming(self) -> None:
        """A model answer is on its way through the gateway."""
        self._alive = True

    def tick(self, now: float) -> None:
        """Say what has waited long enough."""
        if self._said and now - self._said_since >= SAY_SECONDS:
            self._say()
        if self._plan is not None and now - self._plan_told >= SAY_SECONDS:
            self._plan_told = now
            self._tell_plan()
        for call in sorted(self._late):
            self._tell_if_due(call, now)
        if now >= self._next_beat:
            self._next_beat = now + self._beat
            running = [call for call in self._calls.values() if not call.over]
            if running or self._alive:
                what = running[-1].title if running else "model"
                self._emit(StillWorking(turn=self._turn, what=what, seconds=now - self._began))
            self._alive = False

    def finish(self, now: float) -> None:
        """The turn is over: nothing is held back any more."""
        for call in sorted(self._late):
            self._tell(call, now)
        self._tell_plan()
        self._say()

    # ----------------------------------------------------------------------------------------

    def _take_text(self, update: Mapping[str, object], now: float) -> None:
        content = update.get("content")
        text = content.get("text") if isinstance(content, dict) else None
        if not isinstance(text, str) or not text:
            return
        self.produced = True
        if (named := update.get("messageId")) != self._message_id:
            self._end_message()
            self._message_id = named
        room = TEXT_BUDGET - self._said_bytes
        if len(text) > room:
            self._warn(f"the agent said more than {TEXT_BUDGET >> 20} MiB; the rest is left out")
        if room <= 0:
            return
        if not self._said:
            self._said_since = now
        self._said += text[:room]
        self._said_bytes += min(len(text), room)
        self._message_open = True
        if len(self._said) >= SAY_BYTES:
            self._say()

    def _take_call(self, update: Mapping[str, object], now: float) -> None:
        said = update.get("toolCallId")
        if not isinstance(said, str) or not said:
            return
        self.produced = True
        self._take_todos(update.get("rawInput"))
        name = self._names.get(said, said)
        call = self._calls.get(name)
        if call is not None and call.over:
            if update.get("sessionUpdate") != "tool_call":
                return
            # Some models count their calls from 0 in every answer: an id that begins again.
            call = None
            name = self._names[said] = f"{said}#{len(self._calls)}"
        if call is None:
            if len(self._calls) >= CALL_BUDGET:
                self._warn(f"more than {CALL_BUDGET} tool calls; the rest is left out")
                return
            self._end_message()
            call = self._calls[name] = ToolCall(self._turn, name, now, self._workspace)
        call.learn(update, now)
        self._late.add(name)
        self._tell_if_due(name, now)

    def _take_todos(self, raw_input: object) -> None:
        """OpenCode 1.18 says its plan as a tool's input, not as a `plan` update."""
        if isinstance(raw_input, dict) and isinstance(raw_input.get("todos"), list):
            self._take_plan(raw_input["todos"])

    def _take_plan(self, entries: object) -> None:
        plan: list[tuple[str, str]] = []
        for entry in (entries if isinstance(entries, list) else [])[:MAX_PLAN]:
            match entry:
                case {
                    "content": str(content),
                    "status": ("pending" | "in_progress" | "completed") as status,
                }:
                    plan.append((clipped(content, 1 << 10), str(status)))
                case _:
                    pass
        self._plan = PlanChanged(turn=self._turn, entries=tuple(plan))

    def _tell_plan(self) -> None:
        if self._plan is not None:
            plan, self._plan = self._plan, None
            if plan != self._plan_last:
                self._plan_last = plan
                self._emit(plan)

    def _tell_if_due(self, name: str, now: float) -> None:
        """Tell of a call now, unless it was told of just before."""
        told = self._told.get(name)
        if told is not None and not self._calls[name].over:
            if now - told[0] < CALL_SECONDS:
                return
            report = self._calls[name].report()
            only_output = replace(report, output_tail=told[1].output_tail) == told[1]
            if only_output and (now - told[0] < OUTPUT_SECONDS or self._spent > RUNNING_BUDGET):
                return
        self._tell(name, now)

    def _tell(self, name: str, now: float) -> None:
        self._late.discard(name)
        report = self._calls[name].report()
        told = self._told.get(name)
        if told is None or told[1] != report:
            self._told[name] = (now, report)
            self._spent += 0 if self._calls[name].over else len(report.output_tail)
            self._emit(report)

    def _end_message(self) -> None:
        self._say()
        if self._message_open:
            self._message += 1
            self._message_open = False

    def _say(self) -> None:
        said, self._said = self._said, ""
        for piece in pieces(said, PIECE):
            self._emit(AgentSaid(turn=self._turn, message=self._message, text=piece))

    def _warn(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._emit(Warned(scope="agent", message=message))
