"""No secret of ours is in anything that we write, keep, log or show to a sandbox."""

from __future__ import annotations

import base64
import re
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bot.logging import set_up
from orchestrator.codec import encode

from .conftest import SECRET, STATE_KEY, World
from .model import KEY

FAKE_TOKEN = "ghs_" + "AnObviouslyFakeToken0123456789abcdef"


def canaries(world: World) -> dict[str, str]:
    lines = world.app.private_key_pem.splitlines()
    return {
        "webhook secret": SECRET,
        "state key": STATE_KEY,
        "model key": KEY,
        "private key": lines[len(lines) // 2],
        **{f"token {n}": token.value for n, token in enumerate(world.github.tokens)},
    }


def forms(secret: str) -> Iterator[str]:
    """The secret as it is, and as it is usually disguised."""
    raw = secret.encode()
    yield secret
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield raw.hex()
    yield urllib.parse.quote(secret, safe="")


def found(world: World, text: str | bytes) -> list[str]:
    raw = text if isinstance(text, bytes) else text.encode()
    named = canaries(world)
    assert len(named) > 5, "tokens were given out"
    return [
        name
        for name, secret in named.items()
        if any(form.encode() in raw for form in forms(secret))
    ]


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    yield capfd
    structlog.reset_defaults()


def split(secret: str) -> str:
    """Shell words that print the secret without holding it: nobody typed it anywhere."""
    middle = len(secret) // 2
    return f"printf '%s%s\\n' '{secret[:middle]}' '{secret[middle:]}'"


async def test_what_a_hostile_agent_prints_and_says_goes_nowhere(
    world: World, logged: pytest.CaptureFixture[str]
) -> None:
    assert world.outgoing is not None
    set_up(style="json", level="debug", clean=world.outgoing.clean)
    number = await world.issue()
    await world.say("@openinspect say: Tokens are given out.", on=number)
    await world.until_status(number, "Done")
    token = world.github.tokens[-1].value
    middle = len(KEY) // 2
    hostile = [
        "sh: env; cat /proc/*/environ; cat /proc/1/cmdline; ls -la / ~ /run/openinspect; false",
        f"sh: {split(KEY)}; false",
        f"sh: {split(KEY)} | base64 -w0; false",
        f"sh: {split(KEY)} | od -An -tx1 | tr -d ' \\n'; false",
        f"sh: {split(token)}; {split(token)} >&2; false",
        f"sh: {split(SECRET)}; {split(STATE_KEY)}; false",
        f"say: One half is {KEY[:middle]}",
        "sh: true",
        f"say: A token: {FAKE_TOKEN}. The whole: {KEY[:middle]}",
        f"say: {KEY[middle:]}",
        f'sh: {split(FAKE_TOKEN)} > leak.txt; git add -A; git commit -qm "$({split(KEY)})"',
    ]
    await world.say("@openinspect " + "\n".join(hostile), on=number)
    await world.until(lambda: "turn 2" in world.status(number))
    await world.until_status(number, "Done", seconds=60)
    await world.at_rest(number)
    kept = await journal(world, number)
    await world.stop()

    by_us = [entry for entry in world.github.ledger if entry.app is not None]
    ours = [entry.body for entry in by_us if "refs/heads/openinspect/1-" not in entry.kind]
    ours += [
        str(run.text) + str(run.summary) + str(run.title) for run in world.repo.checks.values()
    ]
    ours += [f"{pull.title}\n{pull.body}" for pull in world.github.pulls(world.repo)]
    for text in ours:
        assert found(world, text) == []
        assert FAKE_TOKEN not in text
    shown = world.status(number)
    assert "Failed" not in shown.splitlines()[0]
    assert len(re.findall(r"exit 1\b", shown)) >= 6, "the commands ran and are shown"
    log = logged.readouterr()
    assert '"event": "decided"' in log.err
    assert found(world, log.err + log.out) == []
    assert found(world, kept) == []
    assert found(world, state_branch(world)) == []


async def journal(world: World, number: int) -> bytes:
    """Every line that has been in it, and what was decided. What GitHub itself delivered is not
    among them: it tells of the very commit messages that the agent made."""
    assert world.server is not None
    stored = await world.server.engine.store.load(world.session(number))
    lines = [encode(event) for event in stored.events]
    assert any("work_taken" in line for line in lines)
    for delivery in world.github.deliveries:
        decision = await world.server.journal.decision(delivery.guid)
        lines.append("" if decision is None else decision.record)
    return "\n".join(lines).encode()


def state_branch(world: World) -> bytes:
    """Every object that the branch reaches, commit messages and all."""
    git = ("git", "-C", str(world.repo.path))
    listed = subprocess.run(
        [*git, "rev-list", "--objects", "refs/heads/openinspect/state"],
        capture_output=True,
        check=True,
    ).stdout
    names = b"".join(line.split()[0] + b"\n" for line in listed.splitlines())
    objects = subprocess.run(
        [*git, "cat-file", "--batch"], input=names, capture_output=True, check=True
    ).stdout
    assert b"turn" in objects
    return objects


async def test_no_secret_is_on_the_servers_disk_or_in_a_sandbox(world: World) -> None:
    number = await world.issue()
    await world.say(
        "@openinspect sh: sleep 600 >/dev/null 2>&1 &\nmodel: hm\nsh: echo x > x.txt\nsay: Kept.",
        on=number,
    )
    await world.until_status(number, "Done")
    state = await world.at_rest(number)
    assert world.model.keys == [KEY]
    box = state.sandbox
    assert box is not None

    inside = [f for f in Path("/proc").iterdir() if f.name.isdigit() and in_sandbox(f, box.id)]
    assert inside, "it is running"
    for process in inside:
        for name in ("environ", "cmdline"):
            assert found(world, (process / name).read_bytes()) == []
    files = [f for f in (world.root / "server").rglob("*") if f.is_file() and not f.is_symlink()]
    assert any(f.name == "x.txt" for f in files), "the sandbox's own files are among them"
    for file in files:
        assert found(world, file.read_bytes()) == [], file
    assert found(world, await journal(world, number)) == []


def in_sandbox(process: Path, sandbox: str) -> bool:
    try:
        return sandbox.encode() in (process / "cmdline").read_bytes() or sandbox in (
            process / "cgroup"
        ).read_text(encoding="utf-8")
    except OSError:
        return False
