"""The effects that people see on GitHub. Each can be repeated: before a create is tried again,
the world is looked at, and doubles of our own are taken away, keeping the lowest id."""

from __future__ import annotations

from datetime import timedelta

import structlog

from orchestrator import messages
from orchestrator.access import Access
from orchestrator.engine import Engine
from orchestrator.github.errors import AlreadyExists, GitHubError, NotFound
from orchestrator.github.repository import Repository
from orchestrator.github.values import (
    CheckOutput,
    OnIssue,
    OnIssueComment,
    OnReview,
    OnReviewComment,
    Pull,
    Subject,
)
from orchestrator.outgoing import Outgoing
from orchestrator.ports import Clock
from orchestrator.publisher import Publisher
from orchestrator.secret import Secret
from orchestrator.session import Session, view
from orchestrator.session.commands import NotePullRequest
from orchestrator.session.effects import (
    STATUS_KEY,
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
from orchestrator.session.state import Turn
from orchestrator.session.values import (
    Home,
    PullRequest,
    Source,
    SourceKind,
    Work,
    parse_session_id,
)
from orchestrator.session.view import TurnView
from orchestrator.settle import EffectImpossible

log = structlog.get_logger()

LABEL = "openinspect: working"
LABEL_COLOR = "1f6feb"
LABEL_TEXT = "A coding agent is working on this"
CHECK_NAME = "openinspect"

Shown = (
    React
    | CreateStatus
    | ShowFinal
    | SetLabel
    | StartCheck
    | FinishCheck
    | OpenPullRequest
    | ReplyResult
    | Reply
)


def home_number(session: Session) -> int:
    return parse_session_id(session.id)[1]


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
        self._key = marker_key
        self._clock = clock

    async def perform(self, s: Session, effect: Shown, *, again: bool) -> str:
        """Raises `GitHubError`; the caller sorts out whether to try again."""
        repository = await self.repository(s)
        match effect:
            case React(source=source):
                await repository.react(_subject(source), "eyes")
                return ""
            case CreateStatus():
                body = self.render(s)
                marker = self._marker(s, STATUS_KEY)
                return await self._comment_once(repository, s, home_number(s), body, marker, again)
            case ShowFinal():
                if s.ref(STATUS_KEY) is not None:
                    await self._publisher.show_now(s)
                return ""
            case SetLabel(working=working):
                return await self._set_label(repository, s, working=working)
            case StartCheck(turn=turn):
                return await self._start_check(repository, s, turn, again=again)
            case FinishCheck():
                return await self._finish_check(repository, s, effect)
            case OpenPullRequest(turn=turn):
                return await self._open_pull_request(repository, s, turn)
            case ReplyResult(turn=turn, key=key):
                marker = self._marker(s, key)
                body = messages.result(view(s, turn), shown_turn(s, turn), marker=marker)
                source = turn_of(s, turn).prompt.source
                return await self._reply(repository, s, source, self._cleaned(body), marker, again)
            case Reply(source=source, text=text, key=key, to=to):
                marker = self._marker(s, key)
                body = messages.reply(text, login=to.login, marker=marker)
                return await self._reply(repository, s, source, self._cleaned(body), marker, again)

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

    async def _comment_once(
        self,
        repository: Repository,
        s: Session,
        thread: int,
        body: str,
        marker: str,
        again: bool,
    ) -> str:
        if again:
            assert s.opened is not None
            since = s.opened.at - timedelta(minutes=5)
            ours = await repository.find_own_comments(thread, containing=marker, since=since)
            for double in ours[1:]:
                await repository.delete_comment(double.id)
            if ours:
                return str(ours[0].id)
        created = await repository.create_comment(thread, body)
        return str(created.id)

    async def _reply(
        self,
        repository: Repository,
        s: Session,
        source: Source,
        body: str,
        marker: str,
        again: bool,
    ) -> str:
        """In the thread where it was asked; a review comment's answer stays in its thread."""
        if source.kind is not SourceKind.REVIEW_COMMENT:
            return await self._comment_once(repository, s, source.thread, body, marker, again)
        if again:
            for comment in await repository.review_comments(source.thread):
                if marker in comment.body:
                    return str(comment.id)
        top = source.in_reply_to or source.id
        try:
            reply = await repository.reply_to_review_comment(source.thread, top, body)
        except NotFound:
            # The review thread was deleted: the answer still reaches the pull request.
            return await self._comment_once(repository, s, source.thread, body, marker, again)
        return str(reply.id)

    def _output(self, text: messages.CheckText) -> CheckOutput:
        return CheckOutput(
            title=self._outgoing.clean(text.title),
            summary=self._outgoing.clean(text.summary),
            text=self._outgoing.clean(text.text),
        )

    async def _set_label(self, repository: Repository, s: Session, *, working: bool) -> str:
        if working:
            await repository.ensure_label(LABEL, LABEL_COLOR, LABEL_TEXT)
            await repository.add_label(home_number(s), LABEL)
        else:
            await repository.remove_label(home_number(s), LABEL)
        return ""

    async def _head(self, repository: Repository, s: Session) -> str | None:
        number = pull_number(s)
        if number is None:
            return None
        return (await repository.pull(number)).head.sha

    async def _start_check(
        self, repository: Repository, s: Session, turn: int, *, again: bool
    ) -> str:
        head = await self._head(repository, s)
        if head is None:
            return ""
        external = f"{s.id}/{turn}"
        if again:
            for run in await repository.check_runs(head, CHECK_NAME):
                if run.external_id == external:
                    return str(run.id)
        output = self._output(messages.check_started(view(s, turn), shown_turn(s, turn)))
        run = await repository.create_check_run(
            name=CHECK_NAME,
            head_sha=head,
            external_id=external,
            status="in_progress",
            output=output,
        )
        return str(run.id)

    async def _finish_check(self, repository: Repository, s: Session, effect: FinishCheck) -> str:
        """The run that was started is completed; a head that moved gets one of its own, since a
        check belongs to one commit."""
        turn = shown_turn(s, effect.turn)
        conclusion = messages.conclusion(turn)
        output = self._output(messages.check_finished(view(s, effect.turn), turn))
        if effect.check_run:
            await repository.update_check_run(
                int(effect.check_run), status="completed", conclusion=conclusion, output=output
            )
        head = await self._head(repository, s)
        if head is None or (effect.check_run and (turn.work is None or turn.work.head != head)):
            return effect.check_run
        external = f"{s.id}/{effect.turn}"
        for run in await repository.check_runs(head, CHECK_NAME):
            if run.external_id == external and run.status == "completed":
                return str(run.id)
        run = await repository.create_check_run(
            name=CHECK_NAME,
            head_sha=head,
            external_id=external,
            status="in_progress",
            output=output,
        )
        await repository.update_check_run(run.id, status="completed", conclusion=conclusion)
        return str(run.id)

    async def _open_pull_request(self, repository: Repository, s: Session, number: int) -> str:
        assert s.opened is not None
        work = newest_work(s)
        if work is None:
            raise EffectImpossible("There is no branch to open a pull request from.")
        pull = await self._open_pull(repository, work.branch)
        if pull is None:
            template = await self._template(repository)
            shown, turn = view(s, number), shown_turn(s, number)
            title = messages.pull_request_title(shown, turn, commit_subject=work.subject)
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
                    raise
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


def turn_of(s: Session, number: int) -> Turn:
    return next(turn for turn in s.turns if turn.number == number)


def shown_turn(s: Session, number: int) -> TurnView:
    turn = view(s, number).turn
    assert turn is not None
    return turn


def newest_work(s: Session) -> Work | None:
    """What was pushed last, by any turn of this session."""
    return next((turn.work for turn in reversed(s.turns) if turn.work is not None), None)


def pull_number(s: Session) -> int | None:
    if s.opened is not None and s.opened.home is Home.PULL_REQUEST:
        return home_number(s)
    return s.pull_request.number if s.pull_request is not None else None
