"""What the host may ask of a supervisor. Standard library only: the supervisor carries this file.

Every command is safe to repeat. The host sends one again after it has attached anew, and the
supervisor, which remembers on disk what it has taken, does nothing the second time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

BootMode = Literal["build", "fresh", "repo_image", "snapshot_restore"]
"""How the workspace came to be; exported to scripts as `OPENINSPECT_BOOT_MODE`."""

GATEWAY_PORT = 4870
"""Where the agent finds its models inside a sandbox: `http://127.0.0.1:4870/<upstream>/...`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitIdentity:
    """Author and committer of what the agent commits.

    `email` is GitHub's no-reply form `<id>+<login>@users.noreply.github.com`.
    """

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A repository's own script: run if it exists, killed with its whole group at the timeout."""

    path: str
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProgram:
    """An Agent Client Protocol program: how to start it, and what it is told over ACP."""

    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    model: str | None = None
    """ACP model id to choose after `session/new`; None leaves the agent's own default."""
    effort: str | None = None
    session: str | None = None
    """An ACP session to take up again with `session/load`; where that fails a new one begins
    and `AgentReady.resumed` is False."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOffer:
    """A tool of ours that the agent may call; the host answers it, on a stream of kind `tool`.

    Such a stream's `meta` is `{"tool": name}`. The supervisor writes one JSON object of arguments
    (at most `MAX_ARGUMENTS` bytes), the host one JSON object `{"text": str, "error": bool}` (at
    most `MAX_ANSWER`); each closes its direction after that.
    """

    name: str
    description: str
    schema: str
    """JSON Schema of the arguments, as text: an object."""


MAX_ARGUMENTS = 256 << 10
MAX_ANSWER = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """Prepare `/workspace` at `commit` on local branch `branch`, run scripts, start the agent.

    With `pack_follows` the host opens a stream of kind `repository` that carries the pack;
    otherwise the provider has put a checkout in place already.
    """

    mode: BootMode
    branch: str
    commit: str
    pack_follows: bool = False
    setup: Script | None = None
    start: Script | None = None
    env: dict[str, str] = field(default_factory=dict)
    agent: AgentProgram
    tools: tuple[ToolOffer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Give the agent one turn's prompt. A turn number is taken once, whatever is sent again."""

    turn: int
    text: str
    author: GitIdentity
    model: str | None = None
    effort: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTurn:
    """Cancel the running turn over ACP; after `grace_seconds` the agent is killed and restarted."""

    turn: int
    grace_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """End the agent, every process it started, and the supervisor itself."""


Command = Boot | Prompt | StopTurn | Shutdown
