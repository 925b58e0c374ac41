"""What a person does on GitHub by hand: write, answer, push, click. Webhooks follow by themselves.

These return at once; `deliver_pending` or `wait_for` wait for what they set in motion.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from . import changes_git, changes_issues, changes_pulls, changes_reviews
from .accounts import Person
from .gitstore import ZERO, Signature
from .hooks import Hooks
from .hunks import Side
from .model import Actor, CheckRun, Comment, Issue, Pull, Reaction, Repo, Review, ReviewComment


class PeopleActions:
    """The half of `EmbeddedGitHub` that acts; needs `hooks`."""

    hooks: Hooks

    async def open_issue(
        self,
        repo: Repo,
        *,
        by: Person,
        title: str,
        body: str = "",
        labels: Sequence[str] = (),
        assignees: Sequence[Person] = (),
    ) -> Issue:
        return changes_issues.open_issue(
            self.hooks,
            repo,
            Actor(by),
            title=title,
            body=body,
            labels=labels,
            assignees=assignees,
        )

    async def edit_issue(
        self,
        repo: Repo,
        number: int,
        *,
        by: Person,
        title: str | None = None,
        body: str | None = None,
        state: Literal["open", "closed"] | None = None,
    ) -> None:
        """Also for pull requests, to rename, close and reopen them."""
        changes_issues.edit_thread(
            self.hooks, repo, repo.issues[number], Actor(by), title=title, body=body, state=state
        )

    async def comment(self, repo: Repo, number: int, *, by: Person, body: str) -> Comment:
        return changes_issues.add_comment(self.hooks, repo, number, Actor(by), body)

    async def edit_comment(self, repo: Repo, comment: Comment, *, by: Person, body: str) -> None:
        changes_issues.edit_comment(self.hooks, repo, comment, Actor(by), body)

    async def delete_comment(self, repo: Repo, comment: Comment, *, by: Person) -> None:
        changes_issues.delete_comment(self.hooks, repo, comment, Actor(by))

    async def add_label(self, repo: Repo, number: int, *, by: Person, name: str) -> None:
        changes_issues.add_labels(self.hooks, repo, repo.issues[number], Actor(by), [name])

    async def remove_label(self, repo: Repo, number: int, *, by: Person, name: str) -> None:
        changes_issues.remove_label(self.hooks, repo, repo.issues[number], Actor(by), name)

    async def assign(self, repo: Repo, number: int, *, by: Person, to: Sequence[Person]) -> None:
        changes_issues.assign(self.hooks, repo, repo.issues[number], Actor(by), to)

    def join(
        self,
        org: str,
        team: str,
        person: Person,
        state: Literal["active", "pending"] = "active",
    ) -> None:
        """`pending` is an invitation that the person has not accepted."""
        self.hooks.world.teams[(org.lower(), team.lower(), person.id)] = state
        self.hooks.world.touch()

    async def react(
        self, repo: Repo, on: Issue | Comment | ReviewComment, *, by: Person, content: str
    ) -> Reaction:
        return changes_issues.react(self.hooks, repo, on, Actor(by), content)[0]

    # -- code

    async def push_commit(
        self,
        repo: Repo,
        branch: str,
        *,
        files: Mapping[str, str | bytes | None],
        message: str,
        by: Person,
        parent: str | None = None,
    ) -> str:
        """One commit on a branch, which begins at the default branch when it is new.

        None as content deletes a file. `parent` other than the branch's head is a force-push.
        """
        before = repo.git.head(branch)
        start = parent or before or repo.git.head(repo.default_branch)
        author = Signature(name=by.name, email=by.email, when=self.hooks.world.now())
        made = repo.git.commit_files(branch, files, message, author, start)
        update = changes_git.RefUpdate(
            ref=f"refs/heads/{branch}", before=before or ZERO, after=made
        )
        changes_git.after_push(self.hooks, repo, Actor(by), [update])
        return made

    async def delete_branch(self, repo: Repo, branch: str, *, by: Person) -> None:
        before = repo.git.head(branch)
        assert before is not None, f"no branch {branch}"
        repo.git.delete_ref(f"refs/heads/{branch}")
        update = changes_git.RefUpdate(ref=f"refs/heads/{branch}", before=before, after=ZERO)
        changes_git.after_push(self.hooks, repo, Actor(by), [update])

    # -- pull requests

    async def open_pull_request(
        self,
        repo: Repo,
        *,
        by: Person,
        head: str,
        base: str | None = None,
        title: str,
        body: str = "",
        draft: bool = False,
        head_repo: Repo | None = None,
    ) -> Pull:
        return changes_pulls.open_pull(
            self.hooks,
            repo,
            Actor(by),
            title=title,
            body=body,
            head=head,
            base=base or repo.default_branch,
            draft=draft,
            head_repo=head_repo,
        )

    async def merge(self, repo: Repo, number: int, *, by: Person) -> str:
        return changes_pulls.merge(self.hooks, repo, _pull(repo, number), Actor(by))

    async def mark_ready(self, repo: Repo, number: int, *, by: Person) -> None:
        changes_pulls.mark_ready(self.hooks, repo, _pull(repo, number), Actor(by))

    async def review_comment(
        self,
        repo: Repo,
        number: int,
        *,
        by: Person,
        body: str,
        path: str | None = None,
        line: int | None = None,
        side: Side = "RIGHT",
        start_line: int | None = None,
        in_reply_to: int | None = None,
    ) -> ReviewComment:
        """On a line of the diff, or (`in_reply_to`) in the thread of that comment."""
        found, actor = _pull(repo, number), Actor(by)
        if in_reply_to is not None:
            to = repo.review_comments[in_reply_to]
            first = repo.review_comments[to.in_reply_to] if to.in_reply_to is not None else to
            return changes_reviews.reply(self.hooks, repo, found, actor, first, body)
        assert path is not None, "a new review comment needs a path"
        remark = changes_reviews.Remark(
            path=path,
            body=body,
            line=line,
            side=side,
            start_line=start_line,
            whole_file=line is None,
        )
        _, made = changes_reviews.add_review(
            self.hooks, repo, found, actor, body="", event="COMMENT", remarks=[remark]
        )
        return made[0]

    async def review(
        self,
        repo: Repo,
        number: int,
        *,
        by: Person,
        body: str,
        event: Literal["COMMENT", "APPROVE", "REQUEST_CHANGES"] = "COMMENT",
        remarks: Sequence[changes_reviews.Remark] = (),
    ) -> Review:
        made, _ = changes_reviews.add_review(
            self.hooks,
            repo,
            _pull(repo, number),
            Actor(by),
            body=body,
            event=event,
            remarks=remarks,
        )
        return made

    async def press(self, repo: Repo, run: CheckRun, *, by: Person, identifier: str) -> None:
        """Click one of the buttons that a completed check run shows."""
        changes_git.press_button(self.hooks, repo, Actor(by), run, identifier)


def _pull(repo: Repo, number: int) -> Pull:
    found = repo.issues[number]
    assert isinstance(found, Pull), f"#{number} is an issue"
    return found
