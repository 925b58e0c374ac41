"""What the deployment sets. The one reader of the environment; wrong values stop the start."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from orchestrator.secret import Secret


class SettingsError(Exception):
    """Wrong or missing settings: one line each, saying which, why and what to do."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUpstream:
    """Where the calls for one provider's models go."""

    key: Secret | None
    own_address: str | None
    """None for the provider's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    app_id: int
    client_id: str | None
    private_key: Secret
    webhook_secrets: tuple[Secret, ...]
    api_url: str
    graphql_url: str
    server_url: str
    host: str
    port: int
    data: Path
    name: str | None
    """What people mention; None takes the App's slug."""
    state_key: Secret | None
    log_format: Literal["json", "text"]
    log_level: str
    model: str
    agent: tuple[str, ...]
    tools: Path | None
    anthropic: ModelUpstream
    openai: ModelUpstream
    opencode: ModelUpstream
    sandbox_user: int | None
    creates_per_minute: int
    creates_per_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    name: str
    doc: str
    default: str = ""


ALL = (
    _Setting(name="GITHUB_APP_ID", doc="the App's id, a number (its settings page, top)"),
    _Setting(name="GITHUB_APP_CLIENT_ID", doc="the App's client id; signs in place of the number"),
    _Setting(name="GITHUB_APP_PRIVATE_KEY", doc="the App's private key, the PEM text itself"),
    _Setting(name="GITHUB_APP_PRIVATE_KEY_FILE", doc="or the file that holds it"),
    _Setting(
        name="GITHUB_WEBHOOK_SECRET",
        doc="the App's webhook secret, required; two with a comma between while rotating",
    ),
    _Setting(name="GITHUB_API_URL", doc="REST API", default="https://api.github.com"),
    _Setting(
        name="GITHUB_GRAPHQL_URL", doc="GraphQL API", default="https://api.github.com/graphql"
    ),
    _Setting(name="GITHUB_SERVER_URL", doc="web and git", default="https://github.com"),
    _Setting(
        name="GITHUB_CREATES_PER_MINUTE",
        doc="comments and the like that an installation writes at most",
        default="40",
    ),
    _Setting(name="GITHUB_CREATES_PER_HOUR", doc="and in an hour", default="300"),
    _Setting(name="OPENINSPECT_HOST", doc="address to listen on", default="127.0.0.1"),
    _Setting(name="OPENINSPECT_PORT", doc="port to listen on", default="8080"),
    _Setting(
        name="OPENINSPECT_DATA",
        doc="directory of the journal, caches and sandboxes",
        default="~/.local/share/openinspect",
    ),
    _Setting(
        name="OPENINSPECT_NAME", doc="what people mention (without @); default: the App's slug"
    ),
    _Setting(
        name="OPENINSPECT_STATE_KEY",
        doc="signs state and comment markers; 32 or more random characters",
    ),
    _Setting(name="OPENINSPECT_LOG_FORMAT", doc="json or text", default="json"),
    _Setting(name="OPENINSPECT_LOG_LEVEL", doc="debug, info, warning or error", default="info"),
    _Setting(
        name="OPENINSPECT_MODEL",
        doc="model where a repository names none, provider/name; local/NAME is OPENAI_BASE_URL's",
        default="anthropic/claude-sonnet-4-6",
    ),
    _Setting(name="OPENINSPECT_AGENT", doc="command of another ACP agent, words split at spaces"),
    _Setting(name="OPENINSPECT_TOOLS", doc="directory where `make setup` put OpenCode"),
    _Setting(
        name="OPENINSPECT_SANDBOX_UID",
        doc="user id that sandboxes run as when the server runs as root",
    ),
    _Setting(name="ANTHROPIC_API_KEY", doc="key for Anthropic models"),
    _Setting(
        name="ANTHROPIC_BASE_URL", doc="or a proxy's address", default="https://api.anthropic.com"
    ),
    _Setting(name="OPENAI_API_KEY", doc="key for OpenAI-compatible models"),
    _Setting(
        name="OPENAI_BASE_URL",
        doc="or a proxy's or a local model's address",
        default="https://api.openai.com/v1",
    ),
    _Setting(name="OPENCODE_API_KEY", doc="key for OpenCode Zen models"),
    _Setting(
        name="OPENCODE_BASE_URL", doc="OpenCode Zen's address", default="https://opencode.ai/zen/v1"
    ),
)
CLIENT = (
    _Setting(name="OPENINSPECT_SERVER", doc="the server to ask", default="http://127.0.0.1:8080"),
    _Setting(name="OPENINSPECT_TOKEN", doc="an API token, from `openinspect tokens create`"),
)
"""What `openinspect run` reads, on whatever machine that is."""
_KNOWN = {setting.name: setting for setting in ALL}


def help_text() -> str:
    """All settings, for `openinspect serve --help`."""
    lines = ["Settings, from the environment or from a file of NAME=value lines (--settings):", ""]
    for setting in ALL:
        default = f" [{setting.default}]" if setting.default else ""
        lines.append(f"  {setting.name:<28} {setting.doc}{default}")
    return "\n".join(lines)


def from_environment(file: Path | None) -> Settings:
    """The process's environment over `file`'s lines. Secrets are taken out of the environment,
    so that no child process and no `/proc` listing of ours shows them for longer than needed."""
    values = dict(_from_file(file)) if file is not None else {}
    for name in _KNOWN:
        value = os.environ.pop(name, None) if _is_secret(name) else os.environ.get(name)
        if value is not None:
            values[name] = value
    return parse(values)


def data_directory(file: Path | None) -> Path:
    """Where the server keeps its files, for words that need no other setting."""
    values = _from_file(file) if file is not None else {}
    name = "OPENINSPECT_DATA"
    value = (os.environ.get(name) or values.get(name, "")).strip() or _KNOWN[name].default
    return Path(value).expanduser()


def client_from_environment() -> tuple[str, Secret | None]:
    """Server and token of `openinspect run`; the token is taken out of the environment."""
    server, token = CLIENT
    url = os.environ.get(server.name, "").strip() or server.default
    secret = os.environ.pop(token.name, "").strip()
    return url, Secret(secret) if secret else None


def _is_secret(name: str) -> bool:
    return name.endswith(("_KEY", "_SECRET"))


def _from_file(file: Path) -> Mapping[str, str]:
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{file}: cannot be read: {error}"]) from error
    problems: list[str] = []
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        problems.append(f"{file}: others may read it; `chmod 600 {file}` keeps the keys yours")
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, separator, value = stripped.partition("=")
        name = name.strip()
        if not separator:
            problems.append(f"{file}:{number}: not a NAME=value line")
        elif name not in _KNOWN:
            problems.append(f"{file}:{number}: unknown setting {name}; see `serve --help`")
        elif name in values:
            problems.append(f"{file}:{number}: {name} is set twice")
        elif re.search(r"\s#", value):
            problems.append(f"{file}:{number}: a comment needs a line of its own")
        else:
            values[name] = value.strip().strip("'\"").replace("\\n", "\n")
    if problems:
        raise SettingsError(problems)
    return values


def parse(values: Mapping[str, str]) -> Settings:
    """Raises `SettingsError` with every problem at once."""
    reader = _Reader(values)
    settings = Settings(
        app_id=reader.number("GITHUB_APP_ID", 1, 2**53),
        client_id=reader.optional("GITHUB_APP_CLIENT_ID"),
        private_key=reader.private_key(),
        webhook_secrets=reader.webhook_secrets(),
        api_url=reader.url("GITHUB_API_URL"),
        graphql_url=reader.url("GITHUB_GRAPHQL_URL"),
        server_url=reader.url("GITHUB_SERVER_URL"),
        host=reader.text("OPENINSPECT_HOST"),
        port=reader.number("OPENINSPECT_PORT", 0, 65535),
        data=Path(reader.text("OPENINSPECT_DATA")).expanduser(),
        name=reader.optional("OPENINSPECT_NAME"),
        state_key=reader.state_key(),
        log_format="text" if reader.choice("OPENINSPECT_LOG_FORMAT", "json", "text") else "json",
        log_level=reader.text("OPENINSPECT_LOG_LEVEL").lower(),
        model=reader.text("OPENINSPECT_MODEL"),
        agent=tuple(reader.text("OPENINSPECT_AGENT").split()),
        tools=reader.path("OPENINSPECT_TOOLS"),
        anthropic=reader.upstream("ANTHROPIC"),
        openai=reader.upstream("OPENAI"),
        opencode=reader.upstream("OPENCODE"),
        sandbox_user=reader.number("OPENINSPECT_SANDBOX_UID", 1, 2**31)
        if reader.optional("OPENINSPECT_SANDBOX_UID")
        else None,
        creates_per_minute=reader.number("GITHUB_CREATES_PER_MINUTE", 1, 100_000),
        creates_per_hour=reader.number("GITHUB_CREATES_PER_HOUR", 1, 1_000_000),
    )
    if settings.log_level not in ("debug", "info", "warning", "error"):
        reader.problem("OPENINSPECT_LOG_LEVEL", "is not debug, info, warning or error")
    if "/" not in settings.model:
        reader.problem(
            "OPENINSPECT_MODEL", "must be provider/name, as in anthropic/claude-sonnet-4-6"
        )
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


class _Reader:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.problems: list[str] = []

    def problem(self, name: str, what: str) -> None:
        self.problems.append(f"{name} {what}")

    def text(self, name: str) -> str:
        return self._values.get(name, "").strip() or _KNOWN[name].default

    def optional(self, name: str) -> str | None:
        return self.text(name) or None

    def path(self, name: str) -> Path | None:
        value = self.optional(name)
        return Path(value).expanduser() if value else None

    def number(self, name: str, low: int, high: int) -> int:
        value = self.text(name)
        if not value:
            self.problem(name, f"is missing: {_KNOWN[name].doc}")
            return low
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            self.problem(name, f"must be a number from {low} to {high}")
            return low
        return int(value)

    def choice(self, name: str, first: str, second: str) -> bool:
        """Whether it is `second`."""
        value = self.text(name).lower()
        if value not in (first, second):
            self.problem(name, f"must be {first} or {second}")
        return value == second

    def url(self, name: str, *, plain: bool = False) -> str:
        """`plain`: http is good enough, since no credential goes there."""
        value = self._address(name).rstrip("/")
        parts = urlsplit(value)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
            self.problem(name, "must be an https:// address without a user in it")
        elif parts.scheme == "http" and not local and not plain:
            self.problem(name, "must be https: over http, keys and tokens could be read on the way")
        return value

    def _address(self, name: str) -> str:
        """GitHub Enterprise Server has all three roots on one host: one that is not set follows
        from `GITHUB_API_URL`, so that no token goes to github.com by a forgotten line.
        https://docs.github.com/enterprise-server/rest/using-the-rest-api"""
        api = self.text("GITHUB_API_URL").rstrip("/")
        own = bool(self._values.get(name, "").strip())
        if own or api == _KNOWN["GITHUB_API_URL"].default or not api.endswith("/api/v3"):
            return self.text(name)
        root = api.removesuffix("/api/v3")
        derived = {"GITHUB_GRAPHQL_URL": f"{root}/api/graphql", "GITHUB_SERVER_URL": root}
        return derived.get(name) or self.text(name)

    def private_key(self) -> Secret:
        text = self.text("GITHUB_APP_PRIVATE_KEY").replace("\\n", "\n")
        file = self.path("GITHUB_APP_PRIVATE_KEY_FILE")
        if not text and file is not None:
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                self.problem("GITHUB_APP_PRIVATE_KEY_FILE", f"cannot be read: {error}")
                return Secret("")
        if not text:
            self.problem(
                "GITHUB_APP_PRIVATE_KEY_FILE",
                "is missing: name the .pem file that the App's settings page let you download",
            )
        elif "PRIVATE KEY-----" not in text:
            self.problem("GITHUB_APP_PRIVATE_KEY", "is not a PEM private key")
        return Secret(text)

    def webhook_secrets(self) -> tuple[Secret, ...]:
        given = [part.strip() for part in self.text("GITHUB_WEBHOOK_SECRET").split(",")]
        secrets = tuple(Secret(part) for part in given if part)
        if not secrets:
            self.problem(
                "GITHUB_WEBHOOK_SECRET",
                "is missing: without it anyone could send us events. Set one in the App's settings"
                " (for example from `openssl rand -hex 32`) and here",
            )
        elif any(len(secret.reveal()) < 16 for secret in secrets):
            self.problem("GITHUB_WEBHOOK_SECRET", "is shorter than 16 characters")
        return secrets

    def state_key(self) -> Secret | None:
        value = self.optional("OPENINSPECT_STATE_KEY")
        if value is not None and re.search(r"\s", value):
            self.problem("OPENINSPECT_STATE_KEY", "has white space in it")
        elif value is not None and len(value) < 32:
            self.problem("OPENINSPECT_STATE_KEY", "is shorter than 32 characters")
        return Secret(value) if value is not None else None

    def upstream(self, name: str) -> ModelUpstream:
        key = self.optional(f"{name}_API_KEY")
        if key is not None and re.search(r"\s", key):
            self.problem(f"{name}_API_KEY", "has white space in it")
        setting = f"{name}_BASE_URL"
        address = self.url(setting, plain=key is None)
        return ModelUpstream(
            key=Secret(key) if key else None,
            own_address=address if address != _KNOWN[setting].default else None,
        )
