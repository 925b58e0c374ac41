"""How this process talks to GitHub: every call passes here, and comes back as one of our values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

import gidgethub

from .errors import BadAnswer, GitHubError, UncertainOutcome
from .fields import Fields, WrongShape
from .http import ACCEPT, Credentials, Line, Nature, OneCall
from .limits import Limiter

T = TypeVar("T")
Read = Callable[[Fields], T]
Json = Mapping[str, Any]
Query = Mapping[str, str | int]
Values = Mapping[str, str | int]
Method = Literal["POST", "PATCH", "DELETE"]
MOST_ITEMS = 10_000


def filled(template: str, values: Values) -> str:
    """`{name}` is one segment of a path; `{+name}` may hold slashes, as branches and paths do."""
    path = template
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        path = path.replace(f"{{+{name}}}", quote(str(value), safe="/"))
    return path


def with_query(path: str, query: Query) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def nothing(data: Fields) -> None:
    """Reads an answer that does not matter."""


class Caller:
    """Calls with one set of credentials, held back by one limiter."""

    def __init__(
        self,
        line: Line,
        *,
        credentials: Credentials,
        limiter: Limiter,
        owner: str,
        on_moved: Callable[[], None] | None = None,
    ) -> None:
        self._line = line
        self._credentials = credentials
        self._limiter = limiter
        self._owner = owner
        self._on_moved = on_moved

    async def get(
        self,
        template: str,
        read: Read[T],
        *,
        query: Query | None = None,
        new: bool = False,
        values: Values | None = None,
    ) -> T:
        nature = Nature(method="GET", template=template, repeatable=True, new=new)
        with self._call(nature) as call:
            url = with_query(filled(template, values or {}), query or {})
            return read(Fields(await call.getitem(url, accept=ACCEPT)))

    async def pages(
        self,
        template: str,
        read: Read[T],
        *,
        query: Query | None = None,
        items: str | None = None,
        new: bool = False,
        values: Values | None = None,
    ) -> list[T]:
        """Everything, 100 at a time. `items` names the list where pages are objects."""
        nature = Nature(method="GET", template=template, repeatable=True, new=new)
        found: list[T] = []
        with self._call(nature) as call:
            path = filled(template, values or {})
            url: str | None = with_query(path, {"per_page": 100, **(query or {})})
            while url is not None:
                data, url = await call.page(url)
                listed = Fields(data) if items is None else Fields(data)[items]
                found.extend(read(item) for item in listed)
                if len(found) > MOST_ITEMS:
                    raise BadAnswer(call=nature.name, reason="a list without end")
        return found

    async def page(
        self,
        template: str,
        read: Read[T],
        *,
        query: Query,
        items: str | None = None,
        values: Values | None = None,
    ) -> tuple[list[T], str | None]:
        """One page and the address of the next, for lists that are too long to take whole."""
        nature = Nature(method="GET", template=template, repeatable=True)
        with self._call(nature) as call:
            url = with_query(filled(template, values or {}), query)
            data, following = await call.page(url)
            listed = Fields(data) if items is None else Fields(data)[items]
            return [read(item) for item in listed], following

    async def download(self, template: str, *, values: Values | None = None) -> bytes:
        """What GitHub sends elsewhere to fetch, such as a log. The token stays here: the address
        says by itself what it is good for."""
        nature = Nature(method="GET", template=template, repeatable=True, elsewhere=True)
        with self._call(nature) as call:
            await call.getitem(filled(template, values or {}), accept=ACCEPT)
            return await call.download()

    async def write(
        self,
        method: Method,
        template: str,
        read: Read[T],
        *,
        body: Json | None = None,
        repeatable: bool = False,
        creates: bool = False,
        new: bool = False,
        headers: Mapping[str, str] | None = None,
        values: Values | None = None,
    ) -> T:
        """`repeatable` says that doing it twice is the same as doing it once."""
        nature = Nature(
            method=method, template=template, repeatable=repeatable, creates=creates, new=new
        )
        url, data = filled(template, values or {}), b"" if body is None else dict(body)
        extra = dict(headers or {})
        answer: Any = None
        with self._call(nature) as call:
            match method:
                case "POST":
                    answer = await call.post(url, data=data, accept=ACCEPT, extra_headers=extra)
                case "PATCH":
                    answer = await call.patch(url, data=data, accept=ACCEPT, extra_headers=extra)
                case "DELETE":
                    await call.delete(url, data=data, accept=ACCEPT, extra_headers=extra)
            return read(Fields(answer))

    async def graphql(
        self, name: str, query: str, variables: Json, read: Read[T], *, reads: bool
    ) -> T:
        """`read` gets the whole answer: what was found under `data`, perhaps `errors` beside it."""
        nature = Nature(method="POST", template=f"/graphql#{name}", repeatable=reads, graphql=True)
        with self._call(nature) as call:
            answer = await call.post(
                self._line.endpoints.graphql_url,
                data={"query": query, "variables": dict(variables)},
                accept=ACCEPT,
            )
            return read(Fields(answer))

    @contextmanager
    def _call(self, nature: Nature) -> Iterator[OneCall]:
        """What cannot be read becomes `BadAnswer`; after a write, which may have happened all the
        same, an `UncertainOutcome`."""
        call = OneCall(
            self._line,
            nature=nature,
            credentials=self._credentials,
            limiter=self._limiter,
            owner=self._owner,
        )
        try:
            yield call
        except WrongShape as problem:
            raise _unreadable(nature, str(problem)) from problem
        except (ValueError, LookupError, TypeError, RecursionError):
            # From the decoder. Not chained, since it holds the whole answer.
            raise _unreadable(nature, "it is not the JSON it says it is") from None
        except gidgethub.GitHubException:
            raise _unreadable(nature, "its status is not a known one") from None
        finally:
            if call.moved and self._on_moved is not None:
                self._on_moved()


def _unreadable(nature: Nature, reason: str) -> GitHubError:
    if nature.repeatable:
        return BadAnswer(call=nature.name, reason=reason)
    return UncertainOutcome(call=nature.name, reason=reason)
