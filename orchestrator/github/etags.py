"""What GitHub answered before, so that it may say "unchanged" instead of saying it all again.

An answer of 304 costs nothing of the primary limit: docs.github.com, "Best practices for using the
REST API".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from typing import Any

Entry = tuple[str | None, str | None, Any, str | None]
"""As `gidgethub` keeps them: ETag, last change, decoded body, next page."""


class EtagCache:
    """Bounded; what was not asked for longest goes first."""

    def __init__(self, size: int = 512) -> None:
        self._size = size
        self._entries: OrderedDict[tuple[str, str], Entry] = OrderedDict()

    def of(self, owner: str) -> MutableMapping[str, Entry]:
        """The part that answers to one installation gave; no other one is shown it."""
        return _Part(self, owner)

    def get(self, key: tuple[str, str]) -> Entry:
        self._entries.move_to_end(key)
        return self._entries[key]

    def put(self, key: tuple[str, str], entry: Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def drop(self, key: tuple[str, str]) -> None:
        del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)

    def urls(self, owner: str) -> list[str]:
        return [url for whose, url in self._entries if whose == owner]


class _Part(MutableMapping[str, Entry]):
    def __init__(self, cache: EtagCache, owner: str) -> None:
        self._cache = cache
        self._owner = owner

    def __getitem__(self, url: str) -> Entry:
        return self._cache.get((self._owner, url))

    def __setitem__(self, url: str, entry: Entry) -> None:
        self._cache.put((self._owner, url), entry)

    def __delitem__(self, url: str) -> None:
        self._cache.drop((self._owner, url))

    def __iter__(self) -> Iterator[str]:
        return iter(self._cache.urls(self._owner))

    def __len__(self) -> int:
        return len(self._cache.urls(self._owner))
