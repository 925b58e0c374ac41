"""What an API token may see: its repositories, and the sessions of those, to its person only."""

from __future__ import annotations

from orchestrator.access import Access
from orchestrator.apitokens import ApiToken, Scope
from orchestrator.engine import Engine
from orchestrator.github.errors import AccessError, NotFound
from orchestrator.github.repository import Repository
from orchestrator.session import Session, SessionId
from orchestrator.session.values import Person, RepositoryId, UserId, parse_session_id

MOST_LISTED = 100


class RequestRefused(Exception):
    """What was asked is not done: `rule` says by which rule, `reason` why in words, `decision` is
    the id of the record, if one was left."""

    def __init__(self, rule: str, reason: str, decision: str = "") -> None:
        self.rule = rule
        self.reason = reason
        self.decision = decision
        super().__init__(reason)


class Looking:
    """Every answer is asked of GitHub afresh. What is not there and what is not to be seen are
    refused alike, so that a token tells nobody what else there is."""

    def __init__(self, *, engine: Engine, access: Access) -> None:
        self._engine = engine
        self._access = access

    async def session(self, token: ApiToken, session: str) -> Session:
        """Raises `RequestRefused`."""
        need(token, Scope.READ)
        unknown = RequestRefused(
            "session", "There is no such session, or it is not one that this token may see."
        )
        try:
            number, _, _, _ = parse_session_id(session)
        except ValueError:
            raise unknown from None
        if not token.may_see(number):
            raise unknown
        listed = next((one for one in token.repositories or () if one.id == number), None)
        try:
            if listed is not None:
                repository = await self._access.repository(number, listed.full_name)
            else:
                repository = self._access.known(number)
            readable = await self.may_read(repository, token)
        except (AccessError, NotFound):
            raise unknown from None
        state = await self._engine.get(SessionId(session)) if readable else None
        if state is None or state.opened is None:
            raise unknown
        return state

    async def sessions(self, token: ApiToken, full_name: str) -> list[Session]:
        """Of one repository those that are not at rest, newest first. Raises `RequestRefused`."""
        need(token, Scope.READ)
        repository = await self.repository(token, full_name)
        if not await self.may_read(repository, token):
            raise RequestRefused("repository", unseen(full_name))
        ids = list(await self._engine.store.open_sessions(RepositoryId(repository.id)))
        states = [await self._engine.get(one) for one in reversed(ids[-MOST_LISTED:])]
        return [state for state in states if state.opened is not None]

    async def repository(self, token: ApiToken, full_name: str) -> Repository:
        """Raises `RequestRefused`."""
        listed = token.named(full_name)
        try:
            if listed is not None:
                return await self._access.repository(listed.id, listed.full_name)
            repository = await self._access.named(full_name)
        except (AccessError, NotFound) as error:
            raise RequestRefused("repository", unseen(full_name)) from error
        if not token.may_see(RepositoryId(repository.id)):
            raise RequestRefused("repository", unseen(full_name))
        return repository

    async def person(self, repository: Repository, token: ApiToken) -> Person | None:
        """Whoever has the token's number, under the login they have now; None if nobody has."""
        account = await repository.account(token.person.id)
        if account is None or account.type != "User":
            return None
        return Person(id=UserId(account.id), login=account.login)

    async def may_read(self, repository: Repository, token: ApiToken) -> bool:
        person = await self.person(repository, token)
        if person is None:
            return False
        permission = await repository.permission(person.login)
        return permission.user_id == person.id and permission.role not in ("", "none")

    def name_of(self, session: Session) -> str:
        """What the session's repository is called now, as far as we know."""
        number, _, _, _ = parse_session_id(session.id)
        try:
            return self._access.known(number).full_name
        except AccessError:
            return session.opened.repository if session.opened is not None else ""


def need(token: ApiToken, scope: Scope) -> None:
    if scope not in token.scopes:
        raise RequestRefused(
            "scope",
            f"This API token has not the scope `{scope}`. "
            f"`openinspect tokens create --scope {scope}` makes one that has.",
        )


def unseen(full_name: str) -> str:
    return (
        f"{full_name} is not a repository that this token may use: it is not among the token's, "
        "the App is not installed there, or the token's person does not see it."
    )
