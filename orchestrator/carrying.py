"""A session's code in motion: what moved on its branch comes in, its work goes out."""

from __future__ import annotations

from orchestrator.branches import allowed_branches, beside, known_head, left_at
from orchestrator.courier import (
    AlreadyThere,
    CourierRefused,
    Mirror,
    Mirrors,
    Moved,
    Pushed,
    Rejected,
    TakePolicy,
    bring,
    push,
    remote_tip,
    take,
)
from orchestrator.github.repository import Repository
from orchestrator.rights import lost_rights
from orchestrator.session import Session
from orchestrator.session.state import Turn
from orchestrator.session.values import Home, Person, Work
from orchestrator.settle import EffectImpossible
from orchestrator.shown import newest_work
from sandbox.commands import GitIdentity
from sandbox.provider import Link

WORKFLOWS = ".github/workflows"


class Carrying:
    """Between one mirror per repository, the remote, and a sandbox."""

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors = mirrors

    def mirror(self, repository: int) -> Mirror:
        return self._mirrors.of(repository)

    async def start_commit(self, repository: Repository, s: Session) -> str:
        """Where the work goes on: the session's branch if it is there, else the base branch. Of a
        fork, the commit that was named and no other, until there is work of our own."""
        assert s.opened is not None
        name = s.opened.plan.base_branch
        if s.opened.start and newest_work(s) is None:
            reading = await repository.git_credentials(write=False)
            mirror = self._mirrors.of(repository.id)
            await mirror.fetch(reading, branches=[name], commits=[s.opened.start])
            return s.opened.start
        commit = None
        for branch in left_at(s):
            commit = await repository.branch_head(branch)
            if commit is not None:
                name = branch
                break
        if commit is None and s.opened.home is Home.PULL_REQUEST:
            raise EffectImpossible(
                f"the branch `{s.branch}` of this pull request is gone. Restore it, or ask in an"
                " issue."
            )
        commit = commit or await repository.branch_head(name)
        if commit is None:
            raise EffectImpossible(
                f"the branch `{name}` does not exist (`base_branch` in the configuration)."
            )
        credentials = await repository.git_credentials(write=False)
        branches = list(dict.fromkeys((name, s.opened.plan.base_branch)))
        mirror = self._mirrors.of(repository.id)
        await mirror.fetch(credentials, branches=branches, commits=[commit])
        return commit

    async def bring_what_moved(self, s: Session, link: Link, repository: Repository) -> str:
        """Commits that the workspace does not have, brought into it: those that others pushed to
        the branch, or the base branch once the work was merged. A sentence for the agent, or
        empty where nothing moved."""
        assert s.opened is not None
        known, base = known_head(s), s.opened.plan.base_branch
        branch = base if s.merged else s.branch
        tip = await repository.branch_head(branch)
        if not known or tip is None or tip == known:
            return ""
        mirror = self._mirrors.of(repository.id)
        credentials = await repository.git_credentials(write=False)
        await mirror.fetch(credentials, branches=[branch], commits=[tip])
        await bring(link, mirror, branch=branch, commit=tip, have=known)
        what = (
            f"What was done here before has been merged into `{base}`, whose"
            if s.merged
            else f"Others have pushed to `{branch}` meanwhile: its"
        )
        return (
            f"{what} head is now {tip[:12]}, here as `origin/{branch}`."
            f" Before anything else run `git rebase origin/{branch}`."
        )

    async def take(
        self,
        s: Session,
        turn: Turn,
        link: Link,
        repository: Repository,
        commit_message: str | None,
    ) -> Work | None:
        """Raises `CourierRefused` in words where the work breaks a rule or cannot be pushed."""
        assert s.opened is not None
        mirror = self._mirrors.of(repository.id)
        branch, base = s.branch, known_head(s)
        if not await mirror.has(base):
            reading = await repository.git_credentials(write=False)
            await mirror.fetch(reading, branches=[s.opened.plan.base_branch], commits=[base])
        taken = await take(
            link,
            mirror=mirror,
            turn=turn.number,
            base=base,
            commit_message=commit_message,
            policy=TakePolicy(author=identity_of(turn.prompt.author), people=_people(s)),
        )
        if taken is None:
            return None
        if (why := await lost_rights(repository, turn.prompt)) is not None:
            raise CourierRefused(why)
        await self._hold_workflows(s, mirror)
        unborn = bool(s.opened.start) and newest_work(s) is None
        credentials = await repository.git_credentials(write=True)
        for target in (branch, *beside(s, branch, turn.number)):
            expected = await remote_tip(credentials, target)
            on_pull = s.opened.home is Home.PULL_REQUEST and not unborn
            if target == branch and expected is None and on_pull:
                continue  # whoever deleted it does not want it back
            outcome = await push(
                credentials,
                taken,
                branch=target,
                expected=expected,
                allowed=allowed_branches(s),
            )
            match outcome:
                case Pushed() | AlreadyThere():
                    note = taken.note
                    if target != branch:
                        note = f"{note} `{branch}` had moved, so this is on `{target}`.".strip()
                    return taken.work(branch=target, note=note)
                case Rejected(reason=reason):
                    raise CourierRefused(reason)
                case Moved():
                    continue
        raise CourierRefused(f"`{branch}` keeps moving, and so do the branches beside it.")

    async def _hold_workflows(self, s: Session, mirror: Mirror) -> None:
        """Commits of a fork come to a branch of this repository with the work that is on top of
        them, and workflows of that branch would run with this repository's rights."""
        assert s.opened is not None
        start = s.opened.start
        if not start:
            return
        base = f"refs/remotes/origin/{s.opened.plan.base_branch}"
        fork_point = await mirror.fork_point(start, base)
        ours = {await mirror.tree(commit, WORKFLOWS) for commit in (base, fork_point) if commit}
        if await mirror.tree(start, WORKFLOWS) not in ours:
            raise CourierRefused(
                f"The commits of this pull request change `{WORKFLOWS}`, so what was made on top of"
                " them is not pushed to this repository."
            )


def _people(s: Session) -> tuple[GitIdentity, ...]:
    """Everyone who has prompted this session: their commits of earlier turns are theirs."""
    return tuple(dict.fromkeys(identity_of(turn.prompt.author) for turn in s.turns))


def identity_of(person: Person) -> GitIdentity:
    """GitHub's no-reply address, which links the commit to the account and tells no e-mail.

    https://docs.github.com/account-and-profile/reference/email-addresses-reference
    """
    return GitIdentity(
        name=person.name or person.login,
        email=f"{person.id}+{person.login}@users.noreply.github.com",
    )
