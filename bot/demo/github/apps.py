"""GitHub Apps: registration, installations, App JWTs and installation tokens."""

import base64
import json
import secrets
import string
from collections.abc import Mapping, Sequence
from datetime import timedelta

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .accounts import App, Person
from .hooks import Hooks
from .model import Installation, Repo, Token
from .shapes import installation as installation_shape
from .shapes import short_repository
from .world import World

# https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
TOKEN_LIVES = timedelta(hours=1)
JWT_LIVES_AT_MOST = timedelta(minutes=10)
CLOCK_SKEW = timedelta(seconds=60)

_LEVELS = ("none", "read", "write", "admin")
_KEYS: list[tuple[str, str]] = []


class Unauthorized(Exception):
    """401, with GitHub's message."""


class CannotNarrow(Exception):
    """422: the token would get more than the installation has."""


def covers(has: Mapping[str, str], name: str, level: str) -> bool:
    """Metadata is always readable."""
    if name == "metadata" and level == "read":
        return True
    return _LEVELS.index(has.get(name, "none")) >= _LEVELS.index(level)


def create_app(
    world: World,
    *,
    slug: str,
    name: str,
    owner: Person,
    bot: Person,
    webhook_url: str | None,
    webhook_secret: str,
    permissions: Mapping[str, str],
    long_tokens: bool,
) -> App:
    private, public = _key_pair(len(world.apps))
    number = world.next_id("app")
    app = App(
        id=number,
        slug=slug,
        name=name,
        client_id=f"Iv23li{number:014d}",
        owner=owner,
        bot=bot,
        permissions={"metadata": "read", **permissions},
        private_key_pem=private,
        public_key_pem=public,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        hook_id=world.next_id("hook"),
        created_at=world.now(),
        long_tokens=long_tokens,
    )
    world.apps[app.id] = app
    return app


def _key_pair(index: int) -> tuple[str, str]:
    """Generating RSA keys takes a while, so worlds of one process share them."""
    while len(_KEYS) <= index:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        _KEYS.append((private.decode(), public.decode()))
    return _KEYS[index]


def install(hooks: Hooks, app: App, repositories: Sequence[Repo]) -> Installation:
    """On the account that owns the repositories; a second call adds repositories."""
    world, account = hooks.world, repositories[0].owner
    for found in world.installations.values():
        if found.app is app and found.account is account:
            added = [r for r in repositories if r not in found.repositories]
            found.repositories.extend(added)
            _repositories_changed(hooks, found, added, [])
            return found
    made = Installation(
        id=world.next_id("installation"),
        app=app,
        account=account,
        repositories=list(repositories),
        permissions=dict(app.permissions),
        created_at=world.now(),
    )
    world.installations[made.id] = made
    parts = {
        "installation": installation_shape(world, made),
        "repositories": [short_repository(r) for r in repositories],
    }
    hooks.emit_installation("created", made, parts)
    world.touch()
    return made


def uninstall(hooks: Hooks, found: Installation, repositories: Sequence[Repo] | None) -> None:
    """From some repositories, or (None) altogether; tokens die with it."""
    world = hooks.world
    if repositories is not None:
        found.repositories = [r for r in found.repositories if r not in repositories]
        _repositories_changed(hooks, found, [], list(repositories))
        return
    parts = {
        "installation": installation_shape(world, found),
        "repositories": [short_repository(r) for r in found.repositories],
    }
    hooks.emit_installation("deleted", found, parts)
    del world.installations[found.id]
    for token in world.tokens.values():
        token.revoked = token.revoked or token.installation is found
    world.touch()


def _repositories_changed(
    hooks: Hooks, found: Installation, added: list[Repo], removed: list[Repo]
) -> None:
    parts = {
        "installation": installation_shape(hooks.world, found),
        "repository_selection": "selected",
        "repositories_added": [short_repository(r) for r in added],
        "repositories_removed": [short_repository(r) for r in removed],
        "requester": None,
    }
    hooks.emit_installation("added" if added else "removed", found, parts)
    hooks.world.touch()


# -- who is calling


def app_of_jwt(world: World, token: str) -> App:
    """RS256, issued by an App's id or client id, valid now and for at most ten minutes."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise Unauthorized("A JSON web token could not be decoded") from None
    issuer = str(claims.get("iss", ""))
    app = next((a for a in world.apps.values() if issuer in (str(a.id), a.client_id)), None)
    if app is None:
        raise Unauthorized("Integration not found")
    try:
        jwt.decode(
            token,
            app.public_key_pem,
            algorithms=["RS256"],
            # Checked below against the world's own clock.
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        issued, expires = int(claims["iat"]), int(claims["exp"])
    except (jwt.PyJWTError, KeyError, ValueError):
        raise Unauthorized("A JSON web token could not be decoded") from None
    now = world.now().timestamp()
    if issued > now + CLOCK_SKEW.total_seconds():
        raise Unauthorized("'Issued at' claim ('iat') must be an Integer representing the past")
    if expires <= now:
        raise Unauthorized("'Expiration time' claim ('exp') must be in the future")
    if expires > now + JWT_LIVES_AT_MOST.total_seconds() + 1:
        raise Unauthorized("'Expiration time' claim ('exp') is too far in the future")
    return app


def mint(
    world: World,
    found: Installation,
    *,
    repositories: Sequence[Repo] | None = None,
    permissions: Mapping[str, str] | None = None,
    long_form: bool | None = None,
) -> Token:
    """A token for the installation or for less than that, never for more."""
    for name, level in (permissions or {}).items():
        if not covers(found.permissions, name, level):
            raise CannotNarrow("The permissions requested are not granted to this installation.")
    if any(r not in found.repositories for r in repositories or ()):
        raise CannotNarrow(
            "There is at least one repository that does not exist or is not accessible to the "
            "parent installation."
        )
    long = found.app.long_tokens if long_form is None else long_form
    token = Token(
        value=_long_value(world, found) if long else _value("ghs_"),
        user=found.app.bot,
        expires_at=(world.now() + TOKEN_LIVES).replace(microsecond=0),
        installation=found,
        repositories=None if repositories is None else tuple(repositories),
        permissions={**(permissions or found.permissions), "metadata": "read"},
    )
    world.tokens[token.value] = token
    return token


def personal_token(world: World, person: Person) -> Token:
    """What a person uses with git or the API; it can do whatever the person can."""
    token = Token(value=_value("ghp_"), user=person, expires_at=None)
    world.tokens[token.value] = token
    return token


def _value(prefix: str) -> str:
    letters = string.ascii_letters + string.digits
    return prefix + "".join(secrets.choice(letters) for _ in range(36))


def _long_value(world: World, found: Installation) -> str:
    """`ghs_APPID_JWT`, about 520 characters with dots and hyphens, as issued since 2026:
    https://github.blog/changelog/2026-05-15-github-app-installation-tokens-per-request-override-header/
    """

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    claims = {"iss": "simulated", "sub": found.id, "jti": secrets.token_hex(16)}
    header = part(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
    body = part(json.dumps(claims).encode())
    return f"ghs_{found.app.id}_{header}.{body}.{part(secrets.token_bytes(256))}"


def token_of(world: World, value: str) -> Token:
    token = world.tokens.get(value)
    if token is None or token.revoked:
        raise Unauthorized("Bad credentials")
    if token.expires_at is not None and token.expires_at <= world.now():
        raise Unauthorized("Bad credentials")
    if token.installation is not None and token.installation.suspended:
        raise Unauthorized("This installation has been suspended")
    return token
