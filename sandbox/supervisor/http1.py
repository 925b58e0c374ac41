"""As much of HTTP/1.1 (RFC 9112) as a proxy on the loopback needs, from bytes up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from ..strict_json import bytes_from_object

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_MAX_HEAD = 48 << 10
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class HttpError(Exception):
    """This is not a request we serve."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    version: str
    headers: tuple[tuple[str, str], ...]
    length: int | None
    """Of the body; None where it is chunked."""

    def meta(self) -> dict[str, object]:
        """What the host is told; the hop's own headers stay here."""
        kept = [[name, value] for name, value in self.headers if name.lower() not in _HOP_BY_HOP]
        return {"method": self.method, "path": self.path, "headers": kept}

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def keep_alive(self) -> bool:
        words = {word.strip().lower() for v in self.values("connection") for word in v.split(",")}
        return "close" not in words and (self.version == "HTTP/1.1" or "keep-alive" in words)


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request's head; None where the client is done. Raises `HttpError`."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise HttpError(431, "the request's head is too large") from None
    if len(head) > _MAX_HEAD:
        raise HttpError(431, "the request's head is too large")
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]):
        raise HttpError(400, "not a request line")
    method, path, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise HttpError(505, "only HTTP/1.1 is spoken here")
    if not path.startswith("/"):
        raise HttpError(400, "only paths are served here")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or "\0" in value:
            raise HttpError(400, "not a header")
        headers.append((name, value.strip(" \t")))
    return Request(
        method=method,
        path=path,
        version=version,
        headers=tuple(headers),
        length=_body_length(headers),
    )


def _body_length(headers: list[tuple[str, str]]) -> int | None:
    codings = [value.lower() for name, value in headers if name.lower() == "transfer-encoding"]
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    if codings:
        if codings != ["chunked"] or lengths:
            raise HttpError(400, "a body whose length is unclear")
        return None
    if not lengths:
        return 0
    length = lengths.pop()
    if lengths or not re.fullmatch(r"\d{1,12}", length):
        raise HttpError(400, "a body whose length is unclear")
    return int(length)


class Body:
    """A request's body in pieces. Keeps the first `keep` bytes, so that it can be sent again."""

    def __init__(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        keep: int,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._chunked = request.length is None
        self._left = request.length or 0
        self._continue = any("100-continue" in v.lower() for v in request.values("expect"))
        self._keep = keep
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._again: list[bytes] = []
        self.finished = not self._chunked and not self._left

    @property
    def repeatable(self) -> bool:
        return self._kept_size <= self._keep

    def rewind(self) -> None:
        """Begin again with what was kept."""
        self._again = list(self._kept)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises `HttpError` where the client breaks off or talks nonsense."""
        while self._again:
            yield self._again.pop(0)
        if self._continue and not self.finished:
            self._continue = False
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self.finished:
            if self._chunked and not self._left:
                await self._next_chunk()
                continue
            piece = await self._reader.read(min(self._left, 64 << 10))
            if not piece:
                raise HttpError(400, "the request's body broke off")
            self._left -= len(piece)
            self._kept_size += len(piece)
            if self.repeatable:
                self._kept.append(piece)
            else:
                self._kept.clear()
            if self._chunked and not self._left:
                await self._line()
            self.finished = not self._chunked and not self._left
            yield piece

    async def _next_chunk(self) -> None:
        size = (await self._line()).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
            raise HttpError(400, "not a chunk")
        self._left = int(size, 16)
        if not self._left:
            while await self._line():
                pass  # trailers
            self.finished = True

    async def _line(self) -> bytes:
        try:
            return (await self._reader.readuntil(b"\r\n"))[:-2]
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise HttpError(400, "the request's body broke off") from None


class Responder:
    """Writes one response; chunked where its length is not known."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._old = False
        self._bodyless = False
        self._chunked = False
        self._left: int | None = None
        self.begun = False
        self.reusable = False

    def answers(self, request: Request) -> None:
        self._old = request.version == "HTTP/1.0"
        self._bodyless = request.method == "HEAD"
        self.reusable = request.keep_alive and not self._old

    async def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.begun = True
        self._bodyless = self._bodyless or status in (204, 304)
        lines = [f"HTTP/1.1 {status} {_phrase(status)}"]
        for name, value in headers:
            if name.lower() in _HOP_BY_HOP or not _TOKEN.fullmatch(name):
                continue
            if name.lower() == "content-length" and value.isdigit() and self._left is None:
                self._left = int(value)
            elif name.lower() == "content-length":
                continue
            lines.append(f"{name}: {value.translate({10: ' ', 13: ' ', 0: ' '})}")
        if not self._bodyless and self._left is None:
            if self._old:
                self.reusable = False
            else:
                self._chunked = True
                lines.append("Transfer-Encoding: chunked")
        if not self.reusable:
            lines.append("Connection: close")
        self._writer.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        await self._writer.drain()

    async def piece(self, data: bytes) -> None:
        if self._bodyless or not data:
            return
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        if self._chunked:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self._writer.write(data)
        await self._writer.drain()

    async def end(self) -> None:
        if self._left and not self._bodyless:
            self._cut()
        elif self._chunked:
            self._writer.write(b"0\r\n\r\n")
            await self._writer.drain()

    async def error(self, status: int, message: str) -> None:
        """A whole answer of our own, in the shape that model clients read; then close."""
        body = bytes_from_object({"error": {"type": "openinspect", "message": message}})
        self.reusable = False
        await self.head(
            status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        await self.piece(body)

    async def broken(self, status: int, message: str) -> None:
        """Tell of a failure if nothing was said yet, else break off so that it shows."""
        if self.begun:
            self._cut()
        else:
            await self.error(status, message)

    def _cut(self) -> None:
        self.reusable = False
        self._writer.transport.abort()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
