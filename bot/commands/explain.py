"""`openinspect explain`: why a delivery started work, or did not, from the server's journal."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from pathlib import Path

from bot import settings as deployment
from bot.settings import SettingsError
from orchestrator.explaining import Explained, explain_lines, explained, place_from
from orchestrator.stores.deliveries import Decision
from orchestrator.stores.lookup import DecisionLookup, Undecided
from orchestrator.stores.schema import JournalRefused

from .word import DONE, FAILED, USAGE, Word

_UNDECIDED = {
    "waiting": "taken, and waiting to be decided. Is the server running? Its log says what it "
    "waits for",
    "repeat": "says the same as a delivery that was taken before; that one was decided",
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="DELIVERY|URL",
        help="a delivery's id or its beginning, or the address of an issue, pull request, "
        "comment or review",
    )
    parser.add_argument("--json", action="store_true", help="print the records as JSON lines")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, metavar="DIR", help="the server's data directory")
    where.add_argument(
        "--settings", type=Path, metavar="FILE", help="the server's settings, which name it"
    )


def _run(arguments: argparse.Namespace) -> int:
    try:
        data = arguments.data or deployment.data_directory(arguments.settings)
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return USAGE
    try:
        with DecisionLookup(data / "journal.sqlite3") as lookup:
            found = _found(lookup, arguments.what)
    except (OSError, JournalRefused, sqlite3.Error) as error:
        print(f"{error}\n\n{_other_data(data)}", file=sys.stderr)
        return FAILED
    if not found:
        print(_unknown(arguments.what, data), file=sys.stderr)
        return FAILED
    for number, one in enumerate(found):
        if arguments.json:
            print(_json(one))
        else:
            print("\n".join([*([""] if number else []), *_lines(one)]))
    return DONE


def _found(lookup: DecisionLookup, what: str) -> list[Explained | Undecided]:
    place = place_from(what)
    if place is None:
        return [_explained(one) for one in lookup.by_id(what.strip())]
    decided = [_of(one) for one in lookup.of_thread(place.repository, place.number)]
    if place.source is None:
        return list(decided)
    return [one for one in decided if _is_about(one, place.source)]


def _is_about(one: Explained, source: str) -> bool:
    if one.record is not None:
        return one.record.source == source
    place = place_from(one.url)
    return place is not None and place.source == source


def _explained(one: Decision | Undecided) -> Explained | Undecided:
    return one if isinstance(one, Undecided) else _of(one)


def _of(decision: Decision) -> Explained:
    return explained(decision.guid, decision.decided_at, decision.record)


def _lines(one: Explained | Undecided) -> list[str]:
    if isinstance(one, Explained):
        return explain_lines(one)
    moment = one.received_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return [f"Delivery {one.guid} ({one.event}, {moment}) → {one.state}", f"  {_says(one)}."]


def _says(one: Undecided) -> str:
    return _UNDECIDED[one.state]


def _json(one: Explained | Undecided) -> str:
    if isinstance(one, Undecided):
        return json.dumps(
            {
                "delivery": one.guid,
                "event": one.event,
                "received_at": one.received_at.isoformat(),
                "outcome": one.state,
                "reason": _says(one),
            }
        )
    kept: dict[str, object] = (
        one.record.to_json()
        if one.record is not None
        else {
            "delivery": one.delivery,
            "event": one.event,
            "outcome": one.outcome,
            "reason": one.reason,
        }
    )
    return json.dumps(kept | {"decided_at": one.decided_at.isoformat()}, ensure_ascii=False)


def _unknown(what: str, data: Path) -> str:
    return (
        f"Nothing is known of {what} here. What to check:\n"
        "- Was it delivered? The App's settings on GitHub, Advanced, Recent deliveries, show each "
        "delivery with its id and our answer.\n"
        "- Does the App see that repository, and is it subscribed to that kind of event? A text "
        "of which GitHub tells nothing leaves no trace.\n"
        "- Was it more than 30 days ago? Decisions are kept that long.\n"
        f"- {_other_data(data)}"
    )


def _other_data(data: Path) -> str:
    return (
        f"Looked in {data}. Another server keeps its own: name it with --data, --settings or "
        "OPENINSPECT_DATA."
    )


WORD = Word(
    name="explain",
    help="say why something started work, or did not",
    description="Print what was decided about a delivery, rule by rule, newest first.\n"
    "Reads the journal of a server on this machine, running or not, and changes nothing.",
    epilog="""examples:
  openinspect explain 72d3162e-cc78-11e3-81ab-4c9367dc0958
  openinspect explain https://github.com/acme/app/issues/41#issuecomment-987
  openinspect explain acme/app#41 --json
""",
    arguments=_arguments,
    run=_run,
)
