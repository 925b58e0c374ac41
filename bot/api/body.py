"""The body of `POST /api/sessions`, read strictly: what it may hold, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from orchestrator.config.keys import EFFORTS, MODEL
from orchestrator.triggers.requested import SessionRequest

from .problems import Fault, Problem

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_MODEL = re.compile(MODEL)
KEY = re.compile(r"[\x21-\x7e]{1,255}")
LARGEST_NUMBER = 2**31 - 1
LONGEST_TITLE = 256
"""GitHub takes no longer one: https://github.com/dead-claudia/github-limits"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    request: SessionRequest
    key: str | None


def body_from(data: bytes) -> Body:
    """Raises a `Problem` that names every fault at once."""
    document = _document(data)
    faults = [
        Fault(pointer=_pointer(name), detail=_unknown(name))
        for name in document.keys() - _FIELDS.keys()
    ]
    for name, field in _FIELDS.items():
        if name in document:
            wrong = field.wrong(document[name])
            if wrong:
                faults.append(Fault(pointer=f"/{name}", detail=wrong))
    faults += _together(document)
    if faults:
        faults.sort(key=lambda fault: fault.pointer)
        detail = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults)
        raise Problem(422, "body", detail, faults=faults)
    issue, effort = document.get("issue"), _text(document.get("effort"))
    return Body(
        request=SessionRequest(
            repository=str(document["repository"]),
            issue=issue if isinstance(issue, int) else None,
            pull_request=_number(document.get("pull_request")),
            title=str(document.get("title", "")).strip(),
            prompt=str(document["prompt"]),
            model=_text(document.get("model")),
            effort=None if effort == "default" else effort,
        ),
        key=_text(document.get("key")),
    )


def _document(data: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
        )
        json.dumps(document, ensure_ascii=False).encode("utf-8")  # no half of a surrogate pair
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, _NotOurs) else "it is not JSON in UTF-8"
        raise Problem(400, "json", f"The body cannot be read: {said}.") from None
    if not isinstance(document, dict):
        raise Problem(400, "json", "The body is not a JSON object.")
    return document


class _NotOurs(ValueError):
    """JSON that parsers do not agree on."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _NotOurs(f"the field {name[:60]!r} is there twice")
        found[name] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise _NotOurs(f"{name} is not JSON")


def _together(document: Mapping[str, object]) -> list[Fault]:
    """What only shows when fields are looked at side by side."""
    faults = [
        Fault(pointer=f"/{name}", detail="is missing")
        for name in ("repository", "prompt")
        if name not in document
    ]
    named = [name for name in ("issue", "pull_request") if name in document]
    if len(named) != 1:
        what = "name an issue or a pull request, not both" if named else "is missing"
        hint = "" if named else ': a number, or "new"; or give `pull_request`'
        faults.append(Fault(pointer="/issue", detail=what + hint))
    if document.get("issue") == "new" and "title" not in document:
        faults.append(Fault(pointer="/title", detail="is missing: a new issue needs one"))
    if document.get("issue") != "new" and "title" in document:
        faults.append(Fault(pointer="/title", detail='is only for a new issue: `"issue": "new"`'))
    return faults


@dataclass(frozen=True, slots=True)
class _Field:
    """`good` says whether a value is one; `form` what it must be, in words."""

    good: Callable[[object], bool]
    form: str

    def wrong(self, value: object) -> str:
        return "" if self.good(value) else f"must be {self.form}"


def _is_number(value: object) -> bool:
    return type(value) is int and 0 < value <= LARGEST_NUMBER


def _matches(pattern: re.Pattern[str], longest: int) -> Callable[[object], bool]:
    def good(value: object) -> bool:
        return isinstance(value, str) and len(value) <= longest and bool(pattern.fullmatch(value))

    return good


def _is_title(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= LONGEST_TITLE


_FIELDS: dict[str, _Field] = {
    "repository": _Field(_matches(_REPOSITORY, 140), "a repository as owner/name"),
    "issue": _Field(lambda value: value == "new" or _is_number(value), 'a number, or "new"'),
    "pull_request": _Field(_is_number, "a number"),
    "title": _Field(_is_title, f"a text of 1 to {LONGEST_TITLE} characters"),
    "prompt": _Field(lambda value: isinstance(value, str), "a text"),
    "model": _Field(_matches(_MODEL, 200), "a model as provider/name"),
    "effort": _Field(lambda value: value in EFFORTS, f"one of {', '.join(EFFORTS)}"),
    "key": _Field(_matches(KEY, 255), "1 to 255 visible ASCII characters"),
}


def _unknown(name: str) -> str:
    close = get_close_matches(name[:40], _FIELDS, n=1)
    hint = f"; did you mean `{close[0]}`?" if close else ""
    return f"is not a field of a request{hint}"


def _pointer(name: str) -> str:
    return "/" + name[:60].replace("~", "~0").replace("/", "~1")


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
