"""`openinspect tokens`: who may ask through the API, for how long, and for which repositories."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from bot import settings as deployment
from bot.settings import Settings, SettingsError
from orchestrator.apitokens import DEFAULT_LIFE, LONGEST_LIFE, NAME, ApiToken, Scope
from orchestrator.clock import SystemClock
from orchestrator.stores.tokenbook import FILE, NameTaken, TokenBook, TokensUnavailable

from .word import DONE, FAILED, USAGE, Word


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    create = actions.add_parser(
        "create",
        help="make a token and show it once",
        description="Make a token that acts for one person. It is printed once, on standard\n"
        "output; only its SHA-256 is kept.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    create.add_argument("name", type=_name, metavar="NAME", help="what you call it")
    create.add_argument(
        "--login", required=True, help="the GitHub account it acts for, bound by its number"
    )
    create.add_argument(
        "--scope",
        action="append",
        choices=[str(scope) for scope in Scope],
        help="what it is good for; may be repeated [both]",
    )
    where = create.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--repo", action="append", metavar="OWNER/NAME", help="good for this one; may be repeated"
    )
    where.add_argument(
        "--all-repos", action="store_true", help="good for all that the App and the person see"
    )
    create.add_argument(
        "--days",
        type=_days,
        default=DEFAULT_LIFE.days,
        metavar="N",
        help=f"how long [{DEFAULT_LIFE.days}], at most {LONGEST_LIFE.days}",
    )
    create.add_argument(
        "--settings", type=Path, metavar="FILE", help="the server's settings, as for `serve`"
    )
    create.set_defaults(act=_create)

    listed = actions.add_parser("list", help="show all tokens, never their text")
    _data(listed)
    listed.set_defaults(act=_list)

    revoke = actions.add_parser("revoke", help="end a token now", allow_abbrev=False)
    revoke.add_argument("which", metavar="NAME|ID")
    _data(revoke)
    revoke.set_defaults(act=_revoke)


def _data(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, metavar="DIR", help="the server's data directory")
    where.add_argument(
        "--settings", type=Path, metavar="FILE", help="the server's settings, which name it"
    )


def _name(text: str) -> str:
    if NAME.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("letters, digits, `.`, `_` and `-`, at most 60")
    return text


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LONGEST_LIFE.days:
        raise argparse.ArgumentTypeError(f"a number from 1 to {LONGEST_LIFE.days}")
    return int(text)


def _run(arguments: argparse.Namespace) -> int:
    try:
        code: int = arguments.act(arguments)
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return USAGE
    except TokensUnavailable as error:
        print(error, file=sys.stderr)
        return FAILED
    return code


def _create(arguments: argparse.Namespace) -> int:
    settings = deployment.from_environment(arguments.settings)
    return asyncio.run(create(settings, arguments))


async def create(settings: Settings, arguments: argparse.Namespace) -> int:
    """Who the login is now is asked of GitHub, through the App."""
    from bot.deployment import secrets_of
    from bot.issuing import CannotIssue, issued
    from bot.logging import set_up
    from orchestrator.outgoing import Outgoing

    outgoing = Outgoing(secrets_of(settings))
    # Standard output is the token's alone.
    set_up(style="text", level="warning", clean=outgoing.clean)
    try:
        person, repositories = await issued(settings, outgoing, arguments.login, arguments.repo)
    except CannotIssue as error:
        print(outgoing.clean(str(error)), file=sys.stderr)
        return FAILED
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    book = TokenBook(settings.data / FILE)
    try:
        token, secret = book.create(
            name=arguments.name,
            person=person,
            scopes=frozenset(Scope(word) for word in arguments.scope or Scope),
            repositories=repositories,
            now=SystemClock().now(),
            life=timedelta(days=arguments.days),
        )
    except NameTaken as error:
        print(error, file=sys.stderr)
        return FAILED
    finally:
        book.close()
    print(f"{_line(token)}\nKeep it now, it is not shown again:", file=sys.stderr)
    print(secret.reveal())
    return DONE


def _list(arguments: argparse.Namespace) -> int:
    now = SystemClock().now()
    tokens = [] if (book := _book(arguments)) is None else book.all()
    if book is not None:
        book.close()
    for token in tokens:
        state = "revoked" if token.revoked_at else "ended" if now >= token.expires_at else "good"
        used = token.last_used_at.strftime("%Y-%m-%d %H:%M") if token.last_used_at else "never"
        print(f"{state:<8} {_line(token)}, used {used}")
    if not tokens:
        print("There are no tokens. `openinspect tokens create` makes one.", file=sys.stderr)
    return DONE


def _revoke(arguments: argparse.Namespace) -> int:
    book = _book(arguments)
    token = None
    if book is not None:
        token = book.revoke(arguments.which, SystemClock().now())
        book.close()
    if token is None:
        print(f"No token in use is called {arguments.which}.", file=sys.stderr)
        return FAILED
    print(f"Revoked {_line(token)}. It is refused from now on.")
    return DONE


def _book(arguments: argparse.Namespace) -> TokenBook | None:
    """None where no token was ever made; looking makes no file."""
    data: Path = arguments.data or deployment.data_directory(arguments.settings)
    path = data / FILE
    return TokenBook(path) if path.exists() else None


def _line(token: ApiToken) -> str:
    where = "all repositories"
    if token.repositories is not None:
        where = ", ".join(repository.full_name for repository in token.repositories)
    return (
        f"{token.name} ({token.id}): {token.person.login} ({token.person.id}), "
        f"{' '.join(sorted(token.scopes))}, {where}, until {token.expires_at:%Y-%m-%d %H:%M} UTC"
    )


WORD = Word(
    name="tokens",
    help="make, list and revoke API tokens",
    description="API tokens for people's own tools. Each acts for one person, as far as that\n"
    "person may at that moment.",
    epilog="""example:
  openinspect tokens create ci --login octocat --repo acme/app --settings openinspect.env
""",
    arguments=_arguments,
    run=_run,
)
