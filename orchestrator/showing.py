"""The effects that people see on GitHub. Each can be repeated: before a create is tried again,
the world is looked at, and doubles of our own are taken away, keeping the lowest id."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog

from orchestrator import messages
from orchestrator.access import Access
from orchestrator.checking import Checking
from orchestrator.engine import Engine
from orchestrator.github.errors import AlreadyExists, GitHubError, NotFound
from orchestrator.github.repository import Repository
from orchestrator.github.values import (
    OnIssue,
    OnIssueComment,
    OnReview,
    OnReviewComment,
    Pull,
    Subject,
)
from orchestrator.once import Once
from orchestrator.outgoing import Outgoing
from orchestrator.ports import Clock
from orchestrator.publisher import Publisher
from orchestrator.rights import lost_rights
from orchestrator.secret import Secret
from orchestrator.session import Session, view
from orchestrator.session.commands import NotePullRequest
from orchestrator.session.effects import (
    STATUS_KEY,
    Announce,
    CreateStatus,
    FinishCheck,
    OpenPullRequest,
    React,
    Reply,
    ReplyResult,
    SetLabel,
    ShowFinal,
    StartCheck,
    pull_request_key,
)
from orchestrator.session.values import (
    PullRequest,
    Source,
    SourceKind,
    parse_session_id,
)
from orchestrator.settle import EffectDeferred, EffectImpossible
from orchestrator.shown import home_number, newest_work, shown_turn, turn_of

log = structlog.get_logger()

LABEL = "openinspect: working"
LABEL_COLOR = "1f6feb"
LABEL_TEXT = "A coding agent is working on this"

Shown = (
    React
    | Announce
    | CreateStatus
    | ShowFinal
    | SetLabel
    | StartCheck
    | FinishCheck
    | OpenPullRequest
    | ReplyResult
    | Reply
)


class Showing:
    def __init__(
        self,
        *,
        engine: Engine,
        access: Access,
        publisher: Publisher,
        outgoing: Outgoing,
        marker_key: Secret,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._access = access
        self._publisher = publisher
        self._outgoing = outgoing
        self._once = Once(clock)
        self._checking = Checking(outgoing.clean, self._once)
        self._key = marker_key
        self._clock = clock

    async def perform(self, s: Session, effect: Shown, *, again: bool) -> str:
        """Raises `GitHubError`; the caller sorts out whether to try again."""
        repository = await self.repository(s)
        match effect:
            case React(source=source):
                await repository.react(_subject(source), "eyes")
                return ""
            case Announce(prompt=prompt, key=key):
                marker = self._marker(s, key)
                body = self._cleaned(messages.announcement(prompt, marker=marker))
                return await self._comment(repository, s, prompt.source.thread, body, key, again)
            case CreateStatus():
                body, home = self.render(s), home_number(s)
                made = await self._comment(repository, s, home, body, STATUS_KEY, again)
                self._publisher.posted(s, body)
                return made
            case ShowFinal():
                if s.ref(STATUS_KEY) is not None:
                    await self._publisher.show_now(s)
                return ""
            case SetLabel(working=working):
                return await self._set_label(repository, s, working=working)
            case StartCheck(turn=turn, key=key):
                return await self._checking.start(repository, s, turn, key, again=again)
            case FinishCheck():
                return await self._checking.finish(repository, s, effect, again=again)
            case OpenPullRequest(turn=turn):
                return await self._open_pull_request(repository, s, turn)
            case ReplyResult(turn=turn, key=key):
                marker = self._marker(s, key)
                body = messages.result(view(s, turn), shown_turn(s, turn), marker=marker)
                source = turn_of(s, turn).prompt.source
                return await self._reply(repository, s, source, self._cleaned(body), key, again)
            case Reply(source=source, text=text, key=key, to=to):
                marker = self._marker(s, key)
                body = messages.reply(text, login=to.login, marker=marker)
                return await self._reply(repository, s, source, self._cleaned(body), key, again)

    async def repository(self, s: Session) -> Repository:
        assert s.opened is not None
        return await self._access.repository(parse_session_id(s.id)[0], s.opened.repository)

    def render(self, s: Session) -> str:
        """The status comment: cleaned, under GitHub's limit, its signed marker the last line."""
        marker = self._marker(s, STATUS_KEY)
        return self._cleaned(messages.status(view(s), now=self._clock.now(), marker=marker))

    def _cleaned(self, body: str) -> str:
        """All but the marker, which is the last line and no secret."""
        text, _, marker = body.rpartition("\n")
        return f"{self._outgoing.clean(text)}\n{marker}"

    async def edit_status(self, s: Session, body: str) -> None:
        """The one edit that the publisher makes."""
        comment = s.ref(STATUS_KEY)
        if comment is None:
            return
        repository = await self.repository(s)
        await repository.edit_comment(int(comment), body)

    def _marker(self, s: Session, key: str) -> str:
        return messages.marker(s.id, key, self._key.reveal().encode())

    async def _comment(
        self, repository: Repository, s: Session, thread: int, body: str, key: str, again: bool
    ) -> str:
        """One comment, whatever happened before; of doubles the oldest stays."""
        assert s.opened is not None
        since = s.opened.at - timedelta(minutes=5)

        async def find() -> str | None:
            marker = self._marker(s, key)
            ours = await repository.find_own_comments(thread, containing=marker, since=since)
            for double in ours[1:]:
                await repository.delete_comment(double.id)
            return str(ours[0].id) if ours else None

        async def make() -> str:
            return str((await repository.create_comment(thread, body)).id)

        return await self._once.create(s, key, again=again, find=find, make=make)

    async def _reply(
        self, repository: Repository, s: Session, source: Source, body: str, key: str, again: bool
    ) -> str:
        """In the thread where it was asked; a review comment's answer stays in its thread."""
        if source.kind is not SourceKind.REVIEW_COMMENT:
            return await self._comment(repository, s, source.thread, body, key, again)

        async def find() -> str | None:
            marker = self._marker(s, key)
            found = await repository.review_comments(source.thread)
            return next((str(c.id) for c in found if marker in c.body), None)

        async def make() -> str:
            top = source.in_reply_to or source.id
            return str((await repository.reply_to_review_comment(source.thread, top, body)).id)

        try:
            return await self._once.create(s, key, again=again, find=find, make=make)
        except NotFound:
            # The review thread was deleted: the answer still reaches the pull request.
            return await self._comment(repository, s, source.thread, body, key, again)

    async def _set_label(self, repository: Repository, s: Session, *, working: bool) -> str:
        if working:
            await repository.ensure_label(LABEL, LABEL_COLOR, LABEL_TEXT)
            await repository.add_label(home_number(s), LABEL)
        else:
            await repository.remove_label(home_number(s), LABEL)
        return ""

    async def _open_pull_request(self, repository: Repository, s: Session, number: int) -> str:
        assert s.opened is not None
        work = newest_work(s)
        if work is None:
            raise EffectImpossible("There is no branch to open a pull request from.")
        pull = await self._open_pull(repository, work.branch)
        if pull is None:
            if (why := await lost_rights(repository, turn_of(s, number).prompt)) is not None:
                raise EffectImpossible(why)
            template = await self._template(repository)
            shown, turn = view(s, number), shown_turn(s, number)
            subject = work.subject
            proposal = turn_of(s, number).proposal
            if proposal is not None:
                subject, turn = proposal.title or subject, replace(turn, said=proposal.body)
            title = messages.pull_request_title(shown, turn, commit_subject=subject)
            body = messages.pull_request_body(
                shown,
                turn,
                marker=self._marker(s, pull_request_key(number)),
                asked_at=turn_of(s, number).prompt.source.url,
                template=messages.Template(text=template) if template else None,
            )
            try:
                pull = await repository.create_pull(
                    title=self._outgoing.clean(title),
                    body=self._cleaned(body),
                    head=work.branch,
                    base=s.opened.plan.base_branch,
                    draft=s.opened.plan.pull_request == "draft",
                )
            except AlreadyExists:
                pull = await self._open_pull(repository, work.branch)
                if pull is None:
                    raise EffectDeferred("The pull request is there, but not listed yet.") from None
        opened = PullRequest(number=pull.number, url=pull.html_url, draft=pull.draft)
        await self._engine.tell(
            s.id, NotePullRequest(at=self._clock.now(), turn=number, pull_request=opened)
        )
        return str(pull.number)

    @staticmethod
    async def _open_pull(repository: Repository, branch: str) -> Pull | None:
        pulls = await repository.pulls_with_head(branch)
        return next((pull for pull in pulls if pull.state == "open"), None)

    @staticmethod
    async def _template(repository: Repository) -> str | None:
        try:
            return await repository.pull_request_template()
        except GitHubError as error:
            log.warning("no_template", reason=str(error))
            return None


def _subject(source: Source) -> Subject:
    match source.kind:
        case SourceKind.ISSUE | SourceKind.PULL_REQUEST:
            return OnIssue(number=source.thread)
        case SourceKind.ISSUE_COMMENT:
            return OnIssueComment(id=source.id)
        case SourceKind.REVIEW_COMMENT:
            return OnReviewComment(id=source.id)
        case SourceKind.REVIEW:
            return OnReview(id=source.id)
        case SourceKind.API:
            raise EffectImpossible("What was asked through the API is on no page of GitHub.")
