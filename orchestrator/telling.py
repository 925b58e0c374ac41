"""What a turn's prompt becomes for the agent: frozen at acceptance, filled in when handed over.

Title and description come with the delivery, so they are frozen as they stood. Comments are read
when the sandbox is ready; those written or edited after the trigger are left out, so what is read
late says nothing that was not there in time.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import structlog

from orchestrator import pull_thread
from orchestrator.access import Access
from orchestrator.github.errors import GitHubError
from orchestrator.github.repository import Repository
from orchestrator.github.values import GHOST, Comment, Person, ReviewComment
from orchestrator.prompt import (
    MAX_BODY,
    MAX_HUNK,
    MAX_INSTRUCTIONS,
    Ask,
    Place,
    PullRequestFacts,
    Remark,
    ThreadTold,
    context,
    first_prompt,
    follow_up,
)
from orchestrator.sealing import Author
from orchestrator.session import Session
from orchestrator.session.state import Turn
from orchestrator.session.values import Home, SourceKind, parse_session_id
from orchestrator.triggers import Asked, PromptText

log = structlog.get_logger()

MOST_AUTHORS = 20
INSTRUCTIONS = "AGENTS.md"


def frozen_context(asked: Asked) -> str:
    """What the delivery showed of the thread, as `Prompt.context` keeps it."""
    thread, head, place = asked.thread, asked.head, asked.place
    author = thread.author.person if thread.author is not None else None
    frozen: dict[str, object] = {
        "v": 1,
        "title": thread.title[:500],
        "body": thread.body[: MAX_BODY + 1],
        "author": {"id": author.id, "login": author.login} if author is not None else None,
        "hidden": asked.ask.hidden if isinstance(asked.ask, PromptText) else 0,
    }
    if head is not None:
        frozen["head"] = [head.branch, head.commit, head.base_branch, head.base_commit]
    if place is not None:
        frozen["place"] = [place.path, place.line, place.diff_hunk[-MAX_HUNK:]]
    return json.dumps(frozen, ensure_ascii=False)


class Telling:
    def __init__(self, access: Access, app_id: int) -> None:
        self._access = access
        self._app_id = app_id

    async def prompt_text(self, s: Session, turn: Turn, *, moved: str, resumed: bool) -> str:
        """`moved` is a sentence about new commits on the branch, or empty. `resumed`: the agent
        remembers this session; where it does not, it is told everything again."""
        assert s.opened is not None
        repository = await self._access.repository(parse_session_id(s.id)[0], s.opened.repository)
        prompt = turn.prompt
        frozen = json.loads(prompt.context) if prompt.context else {}
        thread = await self._thread(repository, s, turn, frozen, since_last=resumed)
        ask = Ask(
            key=prompt.key,
            login=prompt.author.login,
            text=prompt.text,
            at=prompt.source.updated_at,
            hidden=frozen.get("hidden", 0),
            place=_place(frozen),
        )
        told = context(thread, ask)
        branch = s.branch
        if resumed:
            text = follow_up(ask, context=told, branch=branch)
        else:
            at = s.sandbox.base if s.sandbox is not None else ""
            text = first_prompt(
                ask,
                context=told,
                branch=branch,
                base_branch=s.opened.start[:12] or s.opened.plan.base_branch,
                instructions=s.opened.plan.instructions,
                repository_instructions=await self._instructions(
                    repository, _judged_commit(s, frozen) or at
                ),
            )
            text += _history(s, turn)
        return f"{text}\n\n{moved}" if moved else text

    async def _thread(
        self,
        repository: Repository,
        s: Session,
        turn: Turn,
        frozen: dict[str, object],
        *,
        since_last: bool,
    ) -> ThreadTold:
        assert s.opened is not None
        source = turn.prompt.source
        since = None
        if since_last and turn.number > 1:
            since = next(
                (t.prompt.source.updated_at for t in s.turns if t.number == turn.number - 1), None
            )
        # What an agent was asked that remembers it is no news to it: `since` is inclusive.
        known = {t.prompt.key for t in s.turns if since_last and t.number < turn.number}
        remarks = [
            remark
            for remark in await repository.comments(source.thread, since=since)
            if f"{SourceKind.ISSUE_COMMENT}-{remark.id}" not in known
        ]
        facts = _pull_request(s, frozen)
        reviews: list[ReviewComment] = []
        if facts is not None:
            found = await pull_thread.review_thread(repository, source.thread, since)
            reviews = [comment for comment in found if pull_thread.key_of(comment) not in known]
            if not since_last:
                facts = replace(facts, diff=await pull_thread.diff(repository, source.thread))
        said_by = [*(r.author for r in remarks), *(c.author for c in reviews)]
        people = {author.id: author for author in said_by if author.id != GHOST.id}
        writers = await self._writers(repository, list(people.values())[:MOST_AUTHORS])
        author = frozen.get("author")
        login, author_id = _author(author)
        return ThreadTold(
            repository=s.opened.repository,
            number=source.thread,
            title=str(frozen.get("title", s.opened.title)),
            body="" if since_last and turn.number > 1 else str(frozen.get("body", "")),
            author=Author(login=login, may_write=author_id in writers or None),
            remarks=[
                *(
                    _remark(f"{SourceKind.ISSUE_COMMENT}-{r.id}", r, writers)
                    for r in remarks
                    if not (r.app_id == self._app_id and "<!-- openinspect:" in r.body)
                ),
                *(
                    _remark(pull_thread.key_of(c), c, writers, pull_thread.where(c))
                    for c in reviews
                ),
            ],
            pull_request=facts,
        )

    async def _writers(self, repository: Repository, people: list[Person]) -> set[int]:
        """Ids of those who may write here now. Who cannot be asked about counts as one who may
        not; a login that changed hands does not answer for the id that wrote."""
        answers = await asyncio.gather(
            *(repository.permission(person.login) for person in people), return_exceptions=True
        )
        writers: set[int] = set()
        for person, answer in zip(people, answers, strict=True):
            if isinstance(answer, GitHubError):
                log.info("writer_unknown", login=person.login, reason=str(answer))
            elif isinstance(answer, BaseException):
                raise answer
            elif answer.can_push and answer.user_id == person.id:
                writers.add(person.id)
        return writers

    async def _instructions(self, repository: Repository, commit: str) -> list[tuple[str, str]]:
        if not commit:
            return []
        try:
            file = await repository.file(INSTRUCTIONS, ref=commit)
        except GitHubError as error:
            log.warning("instructions_unread", reason=str(error))
            return []
        if file is None or file.content is None:
            return []
        text = file.content[: MAX_INSTRUCTIONS * 4].decode("utf-8", "replace")
        return [(INSTRUCTIONS, text)]


def _remark(key: str, said: Comment | ReviewComment, writers: set[int], where: str = "") -> Remark:
    return Remark(
        key=key,
        author=Author(login=said.author.login, may_write=said.author.id in writers),
        body=said.body,
        created_at=said.created_at,
        updated_at=said.updated_at,
        where=where,
    )


def _author(author: object) -> tuple[str, int]:
    if isinstance(author, dict):
        return str(author.get("login", "ghost")), int(author.get("id", 0))
    return "ghost", 0


def _place(frozen: dict[str, object]) -> Place | None:
    place = frozen.get("place")
    if not isinstance(place, list):
        return None
    path, line, hunk = place
    return Place(path=path, line=line, diff_hunk=hunk)


def _pull_request(s: Session, frozen: dict[str, object]) -> PullRequestFacts | None:
    head = frozen.get("head")
    if not isinstance(head, list):
        return None
    assert s.opened is not None
    if s.opened.home is not Home.PULL_REQUEST and s.pull_request is None:
        return None
    branch, commit, base_branch, base_commit = head
    return PullRequestFacts(
        head_branch=branch, head_commit=commit, base_branch=base_branch, base_commit=base_commit
    )


def _judged_commit(s: Session, frozen: dict[str, object]) -> str:
    """Whose instructions hold on a pull request: those of its base, as it stood when it was
    asked. Those of its head are what is to be judged by them."""
    assert s.opened is not None
    head = frozen.get("head")
    if s.opened.home is not Home.PULL_REQUEST or not isinstance(head, list):
        return ""
    return str(head[3])


def _history(s: Session, turn: Turn) -> str:
    """For an agent that remembers nothing of the session: what was asked and done before."""
    earlier = [t for t in s.turns if t.number < turn.number and t.outcome is not None]
    if not earlier:
        return ""
    lines = ["\n\nEarlier in this session, which you may not remember:"]
    for t in earlier[-5:]:
        said = t.finished.summary if t.finished is not None else ""
        lines.append(f"- @{t.prompt.author.login} asked: {t.prompt.text[:2000]}")
        lines.append(f"  It ended ({t.outcome}) with: {said[:2000] or 'nothing'}")
    lines.append("What was done then is in the commits of the branch.")
    return "\n".join(lines)
