"""Refusals: what was asked cannot be done now. The docstring is the sentence the person reads."""

from __future__ import annotations


class SessionError(Exception):
    """That cannot be done in this session now."""

    def __init__(self, **facts: object) -> None:
        super().__init__((type(self).__doc__ or "").format(**facts).strip())


class QueueFull(SessionError):
    """{waiting} prompts are waiting already, which is the most this session takes. Ask again when one has been answered, or `/openinspect stop` the running turn."""  # noqa: E501


class PromptTooLong(SessionError):
    """This prompt has {length:,} characters; {limit:,} is the most. Put the long part into a file or a gist and name it."""  # noqa: E501


class PromptEmpty(SessionError):
    """There is nothing after the mention. Say what to do, for example `@{name} fix the failing test`."""  # noqa: E501


class NothingRunning(SessionError):
    """Nothing is running in this session, so there is nothing to stop."""


class NothingToRetry(SessionError):
    """There is no finished turn in this session to run again."""


class NoSession(SessionError):
    """There is no session in this thread yet. Mention `@{name}` with what to do to start one."""


class StillBusy(SessionError):
    """Something runs or waits in this session, so it cannot be put away. `/openinspect stop` ends the running turn; `/openinspect cancel` ends all of it."""  # noqa: E501


class BudgetNotRaised(SessionError):
    """A budget can be raised by 0.01 to {most:g} dollars at a time, for example `/openinspect budget +2`."""  # noqa: E501


class SessionEnded(SessionError):
    """This session has ended. A new mention starts the next one."""
