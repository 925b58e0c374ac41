"""The record: sessions on an orphan branch of a git repository, over HTTP.

The check of versions is git's own: a push names the tip it builds on, and is refused where
somebody else has moved it. Then the new tip is fetched, and what does not concern our sessions
is built upon; only where our session itself has moved is there a `Conflict`.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import pygit2
import structlog

from orchestrator.clock import SystemClock
from orchestrator.codec import with_text
from orchestrator.courier.hostgit import HostGit, Remote
from orchestrator.ports import Clock, Conflict, StoredSession
from orchestrator.session.events import Event, PullRequestOpened
from orchestrator.session.values import RepositoryId, SessionId, parse_session_id, session_id

from .chain import Head, Keys
from .commits import Building, Known, Result, Tip
from .layout import BRANCH, OPEN, open_path, pull_path, session_folder
from .reading import NOTHING, Read, read_session
from .record import Batch, RecordUnavailable, StateRefused
from .remotebranch import FETCHED, TIP, Lost, RemoteBranch, tip_of
from .trees import blob_at, folder_at, leads_past, names_in, tree_of

T = TypeVar("T")
log = structlog.get_logger(__name__)
TRIES: Final = 8
TIDY_EVERY: Final = 200
"""Pushes between two packings of the local copy's loose objects."""


class BranchStore:
    """`folder` is our own bare copy, a cache that may be deleted; `remote` gives the address and
    a fresh credential for each call. `author` (name, e-mail) signs the commits of this branch.

    What is read may be `stale_after` seconds old, as long as nobody else writes; whoever pushes
    finds out. `clean` takes out of texts what must not be stored.
    """

    def __init__(
        self,
        folder: Path,
        remote: Callable[[], Awaitable[Remote]],
        *,
        git: HostGit,
        author: tuple[str, str],
        keys: Keys | None = None,
        clean: Callable[[str], str] | None = None,
        branch: str = BRANCH,
        stale_after: float = 60.0,
        clock: Clock | None = None,
        known_sessions: int = 500,
    ) -> None:
        self._remote = RemoteBranch(folder, remote, git, branch)
        self._author = author
        self._keys = keys or Keys()
        self._clean = clean
        self._stale_after = stale_after
        self._clock = clock or SystemClock()
        self._most_known = known_sessions
        self._known: OrderedDict[SessionId, Known] = OrderedDict()
        self._branch = branch
        self._tip = Tip()
        self._fetched_at: float | None = None
        self._network = asyncio.Lock()
        self._objects = asyncio.Lock()
        self._repository: pygit2.Repository | None = None
        self._broken = False
        self._flushes = 0
        self._pushes = 0
        self._writer = secrets.token_hex(4)

    # Reading

    async def load(self, session: SessionId) -> StoredSession:
        """Raises `StateRefused` where what is stored must not be believed."""
        found = await self._read_session(session)
        return StoredSession(events=found.events, version=found.head.n)

    async def head(self, session: SessionId) -> Head:
        """The last line's place and hash, for the marker in the status comment."""
        return (await self._read_session(session)).head

    async def _read_session(self, session: SessionId) -> Read:
        parse_session_id(session)
        tree = (await self._fresh_tip()).tree
        if tree is None:
            return NOTHING
        known = self._known.get(session)
        seen = known.head if known is not None else None
        return await self._git(lambda o: read_session(o, tree, session, self._keys, seen))

    async def open_sessions(self, repository: RepositoryId) -> Sequence[SessionId]:
        tree = (await self._fresh_tip()).tree

        def read(objects: pygit2.Repository) -> list[SessionId]:
            folder = folder_at(objects, tree, OPEN) if tree is not None else None
            if tree is None or folder is None:
                return []
            ours = [name for name in names_in(objects, folder) if _belongs(name, repository)]
            opened = {name: blob_at(objects, tree, open_path(SessionId(name))) for name in ours}
            return [SessionId(n) for n in sorted(ours, key=lambda n: (opened[n] or b"", n))]

        return await self._git(read)

    async def session_of_pull(self, repository: RepositoryId, number: int) -> SessionId | None:
        """Believed only where the session's own events say so too."""
        tree = (await self._fresh_tip()).tree
        if tree is None:
            return None
        path = pull_path(repository, number)
        found = await self._git(lambda objects: blob_at(objects, tree, path))
        name = (found or b"").decode("ascii", "replace").strip()
        if not _belongs(name, repository):
            return None
        session = SessionId(name)
        for event in (await self._read_session(session)).events:
            if isinstance(event, PullRequestOpened) and event.pull_request.number == number:
                return session
        return None

    async def generation(self, repository: RepositoryId, home: int) -> int:
        tree = (await self._fresh_tip()).tree

        def read(objects: pygit2.Repository) -> int:
            generation = 0
            while tree is not None:
                following = session_id(repository, home, generation=generation + 1)
                if folder_at(objects, tree, session_folder(following)) is None:
                    break
                generation += 1
            return generation

        return await self._git(read)

    # Writing

    async def append(self, session: SessionId, expected: int, events: Sequence[Event]) -> int:
        parse_session_id(session)
        batch = Batch(session=session, expected=expected, events=tuple(events))
        result = (await self._append([batch], journal=0, repeatable=False))[session]
        if isinstance(result, int):
            return result
        raise result

    async def append_many(
        self, batches: Sequence[Batch], *, journal: int = 0
    ) -> Mapping[SessionId, int | Conflict | StateRefused]:
        return await self._append(batches, journal=journal, repeatable=True)

    def as_recorded(self, event: Event) -> Event:
        return event if self._clean is None else with_text(event, self._clean)

    async def _append(
        self, batches: Sequence[Batch], *, journal: int, repeatable: bool
    ) -> Mapping[SessionId, Result]:
        cleaned = [replace(b, events=tuple(map(self.as_recorded, b.events))) for b in batches]
        async with self._network:
            fetched = self._fetched_at is None
            if fetched:
                await self._fetch()
            for attempt in range(TRIES):
                building = await self._build(cleaned, journal, repeatable)
                if building.behind and not fetched:
                    await self._fetch()
                    fetched = True
                    building = await self._build(cleaned, journal, repeatable)
                if building.commit is None or await self._push(building):
                    return building.results
                fetched = True
                await self._clock.sleep(random.uniform(0.5, 1.5) * 0.05 * 2**attempt)  # noqa: S311
        raise RecordUnavailable(f"somebody else was faster {TRIES} times")

    async def _build(self, batches: Sequence[Batch], journal: int, repeatable: bool) -> Building:
        self._flushes += 1
        flush = f"{self._writer}-{self._flushes}"
        as_recorded = self.as_recorded if repeatable else None

        def build(repository: pygit2.Repository) -> Building:
            building = Building(repository, self._tip, self._keys, self._known, as_recorded)
            for batch in batches:
                building.add(batch)
            building.finish(self._author, self._clock.now(), journal, flush)
            return building

        return await self._git(build)

    async def _push(self, building: Building) -> bool:
        """True once the commit is on the remote branch; False where others were faster. An
        answer that never came is found out by looking. Raises `RecordUnavailable`."""
        commit, lost = building.commit, None
        assert commit is not None
        try:
            await self._remote.push(commit, self._tip.commit)
        except Lost as answer:
            lost = answer
            await self._fetch()
            if not await self._git(lambda objects: leads_past(objects, self._tip.commit, commit)):
                if lost.race:
                    return False
                raise RecordUnavailable(str(lost)) from lost
        if lost is None:
            await self._move(Tip(commit=commit, tree=building.tree))
        for session, known in building.staged.items():
            self._known[session] = known
            self._known.move_to_end(session)
        while len(self._known) > self._most_known:
            self._known.popitem(last=False)
        self._pushes += 1
        if self._pushes % TIDY_EVERY == 0:
            await self._remote.tidy()
        return True

    # The tip

    async def _fresh_tip(self) -> Tip:
        """Where the remote cannot be reached, what was last seen goes on being read: whoever
        writes upon it finds out."""
        if self._is_fresh():
            return self._tip
        async with self._network:
            if not self._is_fresh():
                try:
                    await self._fetch()
                except RecordUnavailable as error:
                    if self._fetched_at is None:
                        raise
                    self._fetched_at = time.monotonic()
                    log.warning("state not fetched, reading what is here", reason=str(error))
        return self._tip

    def _is_fresh(self) -> bool:
        at = self._fetched_at
        return at is not None and time.monotonic() - at < self._stale_after

    async def _fetch(self) -> None:
        """Raises `RecordUnavailable`, and `StateRefused` where the branch was rewritten."""
        before = await self._git(tip_of)
        there = await self._remote.fetch(whole=before is not None)
        self._repository = None  # opened anew, or it would not know where a shallow history ends
        after = await self._git(lambda objects: tip_of(objects, FETCHED)) if there else None
        if after is None:
            if self._tip.commit is not None or before is not None:
                log.error("the state branch was deleted; the next push brings it back")
            self._tip = Tip(tree=self._tip.tree or await self._git(lambda o: tree_of(o, before)))
        elif not await self._git(lambda objects: leads_past(objects, after, before)):
            why = f"was rewritten: {after} does not lead past {before}, which was seen before"
            raise StateRefused(self._branch, why)
        else:
            await self._move(
                Tip(commit=after, tree=await self._git(lambda objects: tree_of(objects, after)))
            )
        self._fetched_at = time.monotonic()

    async def _move(self, tip: Tip) -> None:
        commit = tip.commit
        assert commit is not None
        await self._git(lambda objects: objects.references.create(TIP, commit, force=True))
        self._tip = tip
        self._fetched_at = time.monotonic()

    async def _git(self, act: Callable[[pygit2.Repository], T]) -> T:
        """In a thread, one at a time: a repository object is not to be shared."""

        def run() -> T:
            if self._repository is None:
                self._repository = self._remote.open(anew=self._broken)
                self._broken = False
            return act(self._repository)

        async with self._objects:
            try:
                return await asyncio.to_thread(run)
            except (pygit2.GitError, KeyError, OSError) as error:
                # A power cut may leave empty objects in what is only a copy: fetch it again.
                self._repository, self._broken = None, not isinstance(error, OSError)
                self._tip, self._fetched_at = Tip(), None
                raise RecordUnavailable(f"our copy of the state branch: {error}") from error


def _belongs(name: str, repository: RepositoryId) -> bool:
    try:
        return parse_session_id(name)[0] == repository
    except ValueError:
        return False
