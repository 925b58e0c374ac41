"""What the agent is told when a call is refused or fails, in the error shape of its provider."""

from __future__ import annotations

import json
from enum import StrEnum


class Dialect(StrEnum):
    """Which API a call speaks; decides the shape of errors, of usage and of the key's header."""

    MESSAGES = "messages"
    CHAT = "chat"
    RESPONSES = "responses"


class Refused(Exception):
    """This call is not made, or its answer is not passed on. `message` is read by people.

    Messages must not contain words that agents take for a passing trouble (OpenCode matches
    `rate limit`, `overloaded`, `server error`, `503`, ... in any error text and tries again).
    """

    def __init__(self, status: int, message: str, *, final: bool = True) -> None:
        """`final`: the same call would be refused again."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.final = final


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}


def error_object(dialect: Dialect, status: int, message: str) -> dict[str, object]:
    """The JSON of an error answer. https://platform.claude.com/docs/en/api/errors and
    https://platform.openai.com/docs/guides/error-codes show the two shapes."""
    if dialect is Dialect.MESSAGES:
        kind = _ANTHROPIC_TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}}
    kind = "invalid_request_error" if status < 500 else "api_error"
    code = {402: "insufficient_quota", 403: "not_allowed"}.get(status)
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error_event(dialect: Dialect, message: str) -> bytes:
    """An error as the last event of a stream that has begun."""
    match dialect:
        case Dialect.MESSAGES:
            data: dict[str, object] = error_object(dialect, 500, message)
            return f"\n\nevent: error\ndata: {json.dumps(data)}\n\n".encode()
        case Dialect.CHAT:
            data = error_object(dialect, 500, message)
            return f"\n\ndata: {json.dumps(data)}\n\n".encode()
        case Dialect.RESPONSES:
            data = {"type": "error", "code": "stream_ended", "message": message, "param": None}
            return f"\n\nevent: error\ndata: {json.dumps(data)}\n\n".encode()
