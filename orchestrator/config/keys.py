"""Every key of `.openinspect/config.yml`, written out: type, range, default, and what it does.

The JSON Schema, the table in docs/configuration.md and the reader all follow from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CONFIG_PATH: Final = ".openinspect/config.yml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    least: float
    most: float
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    longest: int
    pattern: str = ""
    """Must match as a whole; `form` says it in words."""
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextList:
    most: int
    longest: int
    pattern: str = ""
    """Each must match as a whole; `form` says it in words."""
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberList:
    """Of ids: whole numbers from 1."""

    most: int


Type = Flag | Number | Text | Choice | TextList | NumberList
Value = bool | int | float | str | tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    path: str
    type: Type
    default: Value
    doc: str


# What git accepts everywhere in a branch name, less the characters that need quoting.
_REF = r"(?!/)(?!.*(//|\.\.|/\.|\.lock/))[A-Za-z0-9][A-Za-z0-9._/-]*"

_LOGIN = r"[A-Za-z0-9](?:-?[A-Za-z0-9_]){0,38}"
"""Underscores are in the logins of managed users:
https://docs.github.com/enterprise-cloud@latest/admin/managing-iam"""
_SLUG = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
MODEL = r"[A-Za-z0-9][A-Za-z0-9._:@-]*(/[A-Za-z0-9._:@-]+)+"
EFFORTS = ("default", "none", "minimal", "low", "medium", "high", "xhigh", "max")

KEYS: Final[tuple[Key, ...]] = (
    Key(
        path="agent.command",
        type=TextList(most=32, longest=1000),
        default=(),
        doc="Command of any agent that speaks the Agent Client Protocol; empty means OpenCode.",
    ),
    Key(
        path="agent.model",
        type=Text(
            longest=200,
            pattern=rf"{MODEL}|",
            form="provider/name",
        ),
        default="",
        doc="Model as `provider/name`; empty means the deployment's default.",
    ),
    Key(
        path="agent.effort",
        type=Choice(options=EFFORTS),
        default="default",
        doc="How hard the model thinks, where it offers a choice.",
    ),
    Key(
        path="agent.instructions",
        type=Text(longest=16_000),
        default="",
        doc="Told to the agent in every session of this repository.",
    ),
    Key(
        path="triggers.mention.enabled",
        type=Flag(),
        default=True,
        doc="Start work when the App is mentioned by someone who may ask.",
    ),
    Key(
        path="triggers.mention.permission",
        type=Choice(options=("write", "maintain", "admin")),
        default="write",
        doc="Least permission of whoever asks, in whichever way.",
    ),
    Key(
        path="triggers.mention.users",
        type=TextList(most=200, longest=40, pattern=_LOGIN, form="a GitHub login without `@`"),
        default=(),
        doc="Only these people may ask, and the members of `teams`; empty means everyone with the "
        "permission.",
    ),
    Key(
        path="triggers.mention.teams",
        type=TextList(
            most=20, longest=100, pattern=_SLUG, form="a team's slug, without its organization"
        ),
        default=(),
        doc="Only members of these teams of the repository's organization may ask, and `users`.",
    ),
    Key(
        path="triggers.label.name",
        type=Text(longest=50, pattern=r"(?:\S(?:.*\S)?)?", form="a label's name"),
        default="",
        doc="Adding this label to an issue asks for what the issue says; empty means none does.",
    ),
    Key(
        path="triggers.assign.user",
        type=Text(longest=40, pattern=rf"(?:{_LOGIN})?", form="a GitHub login without `@`"),
        default="",
        doc="Assigning an issue to this account, the App's alias, asks for what the issue says; "
        "Apps themselves cannot be assigned.",
    ),
    Key(
        path="triggers.refusals",
        type=Choice(options=("once", "silent")),
        default="once",
        doc="Whether people who may not ask are told so: once in a thread, or never.",
    ),
    Key(
        path="triggers.apps",
        type=NumberList(most=50),
        default=(),
        doc="Ids of GitHub Apps that may ask as people do.",
    ),
    Key(
        path="branch_prefix",
        type=Text(longest=100, pattern=_REF, form="the beginning of a git branch name"),
        default="openinspect/",
        doc="Branches for new work begin with this.",
    ),
    Key(
        path="base_branch",
        type=Text(
            longest=200,
            pattern=rf"({_REF})?(?<!/)(?<!\.)(?<!\.lock)",
            form="a git branch name",
        ),
        default="",
        doc="Branch that new work starts from; empty means the repository's default branch.",
    ),
    Key(
        path="pull_request",
        type=Choice(options=("draft", "ready", "none")),
        default="draft",
        doc="What to open when there is work: a draft, a pull request ready for review, nothing.",
    ),
    Key(
        path="sandbox.provider",
        type=Choice(options=("local",)),
        default="local",
        doc="Where the agent runs; `local` is the machine of the deployment.",
    ),
    Key(
        path="sandbox.cpu",
        type=Number(least=0.25, most=64, whole=False),
        default=2.0,
        doc="Processors that the sandbox may use.",
    ),
    Key(
        path="sandbox.memory_mib",
        type=Number(least=512, most=131_072, whole=True),
        default=4096,
        doc="Memory of the sandbox in MiB.",
    ),
    Key(
        path="sandbox.idle_minutes",
        type=Number(least=0, most=1440, whole=False),
        default=10.0,
        doc="How long a sandbox waits for the next prompt before its state is put away.",
    ),
    Key(
        path="sandbox.lifetime_minutes",
        type=Number(least=5, most=1440, whole=False),
        default=120.0,
        doc="Longest life of one sandbox; the session goes on in another one.",
    ),
    Key(
        path="sandbox.network",
        type=Choice(options=("none",)),
        default="none",
        doc="What the sandbox reaches; `none` leaves the model and nothing else.",
    ),
    Key(
        path="setup_timeout_seconds",
        type=Number(least=1, most=3600, whole=False),
        default=300.0,
        doc="Longest run of `.openinspect/setup.sh`.",
    ),
    Key(
        path="start_timeout_seconds",
        type=Number(least=1, most=3600, whole=False),
        default=120.0,
        doc="Longest run of `.openinspect/start.sh`.",
    ),
    Key(
        path="limits.turn_minutes",
        type=Number(least=1, most=1440, whole=False),
        default=90.0,
        doc="Longest turn; then the agent is stopped and its work kept.",
    ),
    Key(
        path="limits.silence_seconds",
        type=Number(least=10, most=3600, whole=False),
        default=120.0,
        doc="A turn without any sign from the agent for so long is ended.",
    ),
    Key(
        path="limits.turn_usd",
        type=Number(least=0.01, most=10_000, whole=False),
        default=5.0,
        doc="Most that the model calls of one turn may cost, in US dollars.",
    ),
    Key(
        path="limits.session_usd",
        type=Number(least=0.01, most=100_000, whole=False),
        default=25.0,
        doc="Most that the model calls of one session may cost, in US dollars.",
    ),
    Key(
        path="limits.thread_per_hour",
        type=Number(least=1, most=1000, whole=True),
        default=20,
        doc="Most that is taken in one thread within an hour; `stop` and `cancel` always are.",
    ),
)


def allowed(type_: Type) -> str:
    """What a value of this type may be, in words."""
    match type_:
        case Flag():
            return "true or false"
        case Number(whole=True):
            return f"a whole number from {type_.least:g} to {type_.most:g}"
        case Number():
            return f"a number from {type_.least:g} to {type_.most:g}"
        case Text(form=form) if form:
            return f"{form}, at most {type_.longest:,} characters"
        case Text():
            return f"a text of at most {type_.longest:,} characters"
        case Choice(options=options):
            return f"one of {', '.join(options)}" if len(options) > 1 else f"`{options[0]}`"
        case TextList(form=form) if form:
            return f"a list of at most {type_.most}, each {form}"
        case TextList():
            return f"a list of at most {type_.most} texts"
        case NumberList():
            return f"a list of at most {type_.most} ids"
