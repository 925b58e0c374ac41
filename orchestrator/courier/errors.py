"""The ways in which moving code fails. Refusals are read by people; the others are retried."""

from __future__ import annotations


class CourierRefused(Exception):
    """This work is not taken or not pushed; the message says why, in a person's words."""


class GitError(Exception):
    """git could not do it. The message holds its own last words, without credentials."""


class GitFailed(GitError):
    """git ended with an error."""

    def __init__(self, command: str, code: int, words: str) -> None:
        super().__init__(f"git {command}: {words or f'it ended with {code}'}")
        self.command = command
        self.code = code
        self.words = words


class GitTimedOut(GitError):
    """git did not end in time and was killed with everything that it had started."""


class GitTooLarge(GitError):
    """git's output passed the bound that was set for it."""


class PushUncertain(GitError):
    """Whether the push arrived is not known yet: look again before anything else."""
