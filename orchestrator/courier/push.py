"""Put taken work on one branch of the remote: by object id, forward only, and only if the branch
is where it was expected."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import CourierRefused, GitError, GitFailed, GitTimedOut, PushUncertain
from .hostgit import HostGit, Output, Remote
from .refs import AllowedBranches, branch_ref, is_commit
from .take import Taken

PUSH_SECONDS = 120.0
LOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyThere:
    """The branch is at our head: an earlier push has arrived."""

    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The branch is somewhere else than expected: at `tip`, or gone where that is None."""

    tip: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The remote will not have it; asking again does not help. `reason` is for people."""

    reason: str


PushOutcome = Pushed | AlreadyThere | Moved | Rejected


async def remote_tip(remote: Remote, branch: str, *, git: HostGit | None = None) -> str | None:
    """Where the branch is now; None where there is none. Raises `GitError`."""
    ref = branch_ref(branch)
    listing = await (git or HostGit()).run(
        "ls-remote", "--refs", "--end-of-options", remote.url, ref,
        remote=remote, seconds=LOOK_SECONDS,
    )  # fmt: skip
    for line in listing.text.splitlines():
        commit, _, name = line.partition("\t")
        if name == ref and is_commit(commit):
            return commit
    return None


async def push(
    remote: Remote,
    taken: Taken,
    *,
    branch: str,
    expected: str | None,
    allowed: AllowedBranches,
    seconds: float = PUSH_SECONDS,
) -> PushOutcome:
    """Move `branch` from `expected` (None: it does not exist) to the taken head.

    Safe to repeat. Raises `CourierRefused` for a branch that this session may not push to, and
    `PushUncertain` where neither arrival nor refusal could be seen.
    """
    if not allowed.allows(branch):
        raise CourierRefused(f"`{branch[:80]}` is not a branch that this session may push to.")
    if expected is not None and not is_commit(expected):
        raise ValueError("not a commit")
    mirror, head = taken.mirror, taken.head
    if expected == head:
        return AlreadyThere(head=head)
    if expected is not None and not await mirror.is_ancestor(expected, head):
        return Moved(tip=expected)
    ref = branch_ref(branch)
    try:
        answer = await mirror.git.run(
            "push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed",
            "--recurse-submodules=no", f"--force-with-lease={ref}:{expected or ''}",
            "--end-of-options", remote.url, f"{head}:{ref}",
            repository=mirror.path, remote=remote, seconds=seconds, ok=(0, 1),
        )  # fmt: skip
    except GitTimedOut as error:
        return await _look(remote, mirror.git, branch, head, expected, str(error))
    except GitFailed as error:
        if (refused := refusal(error.words)) is not None:
            return Rejected(reason=refused)
        return await _look(remote, mirror.git, branch, head, expected, error.words)
    return await _outcome(answer, remote, mirror.git, branch, head, expected)


async def _outcome(
    answer: Output, remote: Remote, git: HostGit, branch: str, head: str, expected: str | None
) -> PushOutcome:
    """From the one line that `--porcelain` prints for the one ref."""
    line = next((row for row in answer.text.splitlines() if row.count("\t") >= 2), "")
    match line[:1]:
        case " " | "*" | "+" if answer.code == 0:
            return Pushed(head=head)
        case "=":
            return AlreadyThere(head=head)
        case "!":
            said = "\n".join((answer.words, line.rpartition("\t")[2]))
            if (refused := refusal(said)) is not None:
                return Rejected(reason=refused)
            tip = await remote_tip(remote, branch, git=git)
            if tip == head:
                return AlreadyThere(head=head)
            if tip != expected:
                return Moved(tip=tip)
            return Rejected(reason=f"The push was refused: {_remote_said(said)}")
        case _:
            return await _look(remote, git, branch, head, expected, answer.words)


async def _look(
    remote: Remote, git: HostGit, branch: str, head: str, expected: str | None, why: str
) -> PushOutcome:
    """A push whose end was not seen: the branch itself tells."""
    try:
        tip = await remote_tip(remote, branch, git=git)
    except GitError as error:
        raise PushUncertain(f"{why}; looking again failed: {error}") from error
    if tip == head:
        return Pushed(head=head)
    if tip == expected:
        raise PushUncertain(f"the push has not arrived so far: {why}")
    return Moved(tip=tip)


_REFUSALS = (
    (
        r"without `?workflows?`? permission|workflow.{0,40}scope",
        "GitHub refuses changes of workflow files: the App has no `workflows` permission.",
    ),
    (
        r"cannot contain secrets|GH009",
        "GitHub refuses the push: its secret scanning found a secret in it.",
    ),
    (r"GH006|protected branch", "GitHub refuses the push: the branch is protected."),
    (r"GH013|rule violations", "GitHub refuses the push: a ruleset of the repository forbids it."),
    (
        r"GH001|exceeds GitHub's file size|larger than 100",
        "GitHub refuses the push: a file in it is too large.",
    ),
    (
        r"GH008|LFS objects",
        "GitHub refuses the push: files in Git LFS are missing their content.",
    ),
    (r"shallow update not allowed", "The server does not take a push from a shallow history."),
    (r"archived|read-only", "The repository is archived, so nothing can be pushed to it."),
    (
        r"error: 403|not granted|Permission to .* denied",
        "The App has no permission to push here (`contents: write`).",
    ),
    (
        r"error: 404|repository .{0,200}not found",
        "The repository is not there, or the App is not installed on it.",
    ),
)


def refusal(said: str) -> str | None:
    """What the remote means, in a sentence; None where it is not a refusal that is known.

    The codes are GitHub's own (`GH001` and so on), as its error messages show them.
    """
    for pattern, sentence in _REFUSALS:
        if re.search(pattern, said, re.IGNORECASE):
            return sentence
    return None


def _remote_said(said: str) -> str:
    lines = [line.removeprefix("remote:").strip() for line in said.splitlines()]
    told = [line for line in lines if line and not line.startswith(("To ", "Done", "!"))]
    return " ".join(told)[:300] or "it did not say why"
