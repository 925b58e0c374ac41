"""A canary in two hundred disguises: none leaves. Ordinary text stays as it is."""

from __future__ import annotations

import base64
import json
import random
import string
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.outgoing import REMOVED, Outgoing
from orchestrator.secret import Secret

_random = random.Random(20261124)


def canary(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_random.choice(alphabet) for _ in range(length))


CANARIES = {
    "plain": canary(40),
    "with punctuation": "cnry-" + canary(38, string.ascii_letters + string.digits + "-_./+"),
    "short": canary(16),
    "long": "cnry_" + canary(400, string.ascii_letters + string.digits + "._-"),
    "hexadecimal": canary(64, "0123456789abcdef"),
}

Disguise = Callable[[str], str]


def _b64(before: bytes, after: bytes) -> Disguise:
    return lambda s: base64.b64encode(before + s.encode() + after).decode()


def _pieces(size: int, between: str) -> Disguise:
    return lambda s: between.join(s[at : at + size] for at in range(0, len(s), size))


def _bytes(form: str, between: str = "") -> Disguise:
    return lambda s: between.join(form.format(byte) for byte in s.encode())


DISGUISES: dict[str, Disguise] = {
    "itself": lambda s: s,
    "quoted": lambda s: f'"{s}"',
    "in a URL": lambda s: f"https://x:{s}@github.com/a/b",
    "as an assignment": lambda s: f"export TOKEN={s};",
    "twice": lambda s: s + s,
    "reversed": lambda s: s[::-1],
    "first characters cut": lambda s: s[3:],
    "last characters cut": lambda s: s[:-3],
    "twelve from the middle": lambda s: s[2:14],
    "JSON": lambda s: json.dumps({"t": s}),
    "URL encoded": lambda s: quote(s, safe=""),
    "percent, every byte": _bytes("%{:02X}"),
    "percent, lower case": _bytes("%{:02x}"),
    "base64": _b64(b"", b""),
    "base64, one before": _b64(b"x", b""),
    "base64, two before": _b64(b"xy", b""),
    "base64, around": _b64(b"user:", b"\n"),
    "base64, two around": _b64(b"ab", b"cd"),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64 in lines": lambda s: base64.encodebytes((s * 3).encode()).decode(),
    "hex": _bytes("{:02x}"),
    "hex, upper case": _bytes("{:02X}"),
    "hex with blanks": _bytes("{:02x}", " "),
    "hex with colons": _bytes("{:02x}", ":"),
    "hex, odd start": lambda s: "f" + s.encode().hex(),
    "hex dump": lambda s: "\n".join(
        f"{s.encode()[at : at + 8].hex(' ', 2)}" for at in range(0, len(s), 8)
    ),
    "\\x escapes": _bytes("\\x{:02x}"),
    "\\u escapes": _bytes("\\u{:04x}"),
    "0x list": _bytes("0x{:02x}", ", "),
    "HTML entities": _bytes("&#{};"),
    "HTML entities, hex": _bytes("&#x{:x};"),
    "decimal list": lambda s: str(list(s.encode())),
    "spaced out": _pieces(1, " "),
    "dashed": _pieces(1, "-"),
    "in lines": _pieces(7, "\n"),
    "in concatenated pieces": _pieces(6, '" + "'),
    "in a list": _pieces(5, "', '"),
    "with colours": _pieces(4, "\x1b[31m"),
    "with zero bytes": _pieces(3, "\x00"),
    "with backspaces": _pieces(5, "\x08"),
    "with a title sequence": lambda s: f"{s[:9]}\x1b]0;x\x07{s[9:]}",
    "in Markdown": _pieces(6, "**"),
}


def pieces_of(secret: str) -> set[str]:
    return {secret[at : at + 12] for at in range(len(secret) - 11)}


@pytest.mark.parametrize("name", CANARIES)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_disguise_helps(name: str, disguise: str) -> None:
    secret = CANARIES[name]
    shown = DISGUISES[disguise](secret)
    said = Outgoing([Secret(secret)]).clean(f"before <<\n{shown}\n>> after")
    assert REMOVED in said, said
    assert not any(piece in said for piece in pieces_of(secret))
    # No more than the edges of what was shown is left.
    assert len(said.replace(REMOVED, "")) <= len("before <<\n\n>> after") + 28
    assert said.startswith("bef") and said.endswith("ter")


def test_there_are_at_least_two_hundred_cases() -> None:
    assert len(CANARIES) * len(DISGUISES) >= 200


@pytest.mark.parametrize("disguise", ["itself", "base64", "hex", "in lines", "reversed"])
def test_every_border_of_two_chunks(disguise: str) -> None:
    secret = CANARIES["plain"]
    shown = f"before {DISGUISES[disguise](secret)} after"
    outgoing = Outgoing([secret])
    whole = outgoing.clean(shown)
    for at in range(len(shown) + 1):
        stream = outgoing.stream()
        said = stream.feed(shown[:at]) + stream.feed(shown[at:]) + stream.flush()
        assert said == whole


def test_a_long_stream_with_secrets_at_any_place() -> None:
    secret = CANARIES["with punctuation"]
    outgoing = Outgoing([secret])
    noise = "some words that say nothing, "
    parts: list[str] = []
    for number in range(40):
        parts += [noise * _random.randrange(1, 60), secret[number % 5 :], "\x1b[1m"]
    text = "".join(parts)
    stream, said, at = outgoing.stream(), "", 0
    while at < len(text):
        size = _random.randrange(1, 3_000)
        said += stream.feed(text[at : at + size])
        at += size
    said += stream.flush()
    assert said == outgoing.clean(text)
    assert said.count(REMOVED) == 40
    assert not any(piece in said for piece in pieces_of(secret))


def test_a_secret_at_the_border_of_what_a_stream_lets_go() -> None:
    """A stream keeps its last 4,096 characters back; here that border is inside the secret."""
    secret = CANARIES["plain"]
    outgoing = Outgoing([secret])
    for inside in range(1, len(secret)):
        text = "word " * 2_000 + secret + ("tail " * 1_000)[: 4_096 - inside]
        stream = outgoing.stream()
        said = stream.feed(text) + stream.flush()
        assert said == text.replace(secret, REMOVED)


FAKE = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0"
KNOWN_SHAPES = [
    f"ghs_{FAKE}",
    f"ghs_123456_eyJ{FAKE}.eyJ{FAKE}-x.{FAKE}_y-z",
    f"ghp_{FAKE}",
    f"gho_{FAKE}",
    f"ghu_{FAKE}",
    f"ghr_{FAKE}",
    f"github_pat_{FAKE}_{FAKE}",
    f"sk-ant-api03-{FAKE}",
    f"sk-proj-{FAKE}",
    f"sk-{FAKE}",
    "AKIA" + "ABCDEFGHIJKLMNOP",
    f"xoxb-1234567890-{FAKE}",
    f"eyJ{FAKE}.eyJ{FAKE}.{FAKE}",
    f"glpat-{FAKE}",
    f"npm_{FAKE}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{FAKE}\n{FAKE}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{FAKE}",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{FAKE}\n-----END OPENSSH PRIVATE KEY-----",
    f"https://x-access-token:{FAKE}@github.com/acme/app",
]


@pytest.mark.parametrize("shape", KNOWN_SHAPES)
def test_what_looks_like_a_credential_goes_without_being_known(shape: str) -> None:
    said = Outgoing().clean(f"text {shape} text")
    assert REMOVED in said
    assert FAKE[:12] not in said


def test_a_key_of_several_lines_is_known_by_its_lines() -> None:
    body = "\n".join(canary(64) for _ in range(6))
    outgoing = Outgoing([f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"])
    said = outgoing.clean(f"x {body.splitlines()[3]} y")
    assert said == f"x {REMOVED} y"
    # The lines around the key are no secret.
    assert (
        outgoing.clean("BEGIN RSA PRIVATE KEY is a header") == "BEGIN RSA PRIVATE KEY is a header"
    )


ORDINARY = [
    "The token expired; a new one was made.",
    "sk-learn, sk-image and task-runner-with-a-long-name-1234",
    "ghs_short ghp_ github_pat_",
    "AKIAshort and MAKIAVELLI",
    "commit 3f2a91c0d6f98b4e56a254aae6963f37fb3f60cf2",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "def test_retry_waits(): assert clock.now() == 12.5",
    "Grüße, 日本語, 😀, ‹quotes› and «others»",
    "a\tb\nc",
    "-----BEGIN CERTIFICATE-----",
    "eyJhbGciOiJIUzI1NiJ9 alone",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert Outgoing(CANARIES.values()).clean(text) == text


def test_no_false_alarm_in_megabytes_of_code_and_noise() -> None:
    outgoing = Outgoing([canary(40) for _ in range(20)])
    source = "".join(
        p.read_text() for p in sorted(Path(json.__file__).parents[1].glob("*.py"))[:80]
    )
    for text in (source[:1_500_000], canary(500_000), _random.randbytes(300_000).hex()):
        shown = outgoing.clean(text)
        assert shown.count(REMOVED) == text.count(REMOVED)


def test_words_too_short_to_be_secrets_are_not_learnt() -> None:
    outgoing = Outgoing(["main", "", "secret7"])
    assert outgoing.clean("on main, secret7") == "on main, secret7"


def test_of_tokens_that_expire_the_newest_are_known() -> None:
    outgoing = Outgoing([CANARIES["plain"]])
    tokens = [canary(40) for _ in range(130)]
    for token in tokens:
        outgoing.learn(Secret(token))
        outgoing.learn(token)
    assert outgoing.clean(tokens[-1]) == REMOVED
    assert outgoing.clean(tokens[40]) == REMOVED
    assert outgoing.clean(tokens[0]) == tokens[0]
    assert outgoing.clean(CANARIES["plain"]) == REMOVED


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;aGk=\x1b\\x", "x"),
        ("\x1bP1;2q\x1b\\x", "x"),
        ("\x9b1mx", "x"),
        ("\x1bcx", "x"),
        ("\x1b", ""),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\x00b\x07c\x08d\x7fe", "abcde"),
        ("tab\tline\n", "tab\tline\n"),
    ],
)
def test_nothing_that_a_terminal_would_obey_is_left(raw: str, shown: str) -> None:
    assert Outgoing().clean(raw) == shown
    stream = Outgoing().stream()
    assert "".join(stream.feed(c) for c in raw) + stream.flush() == shown


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=40),
    st.text(max_size=40),
    st.sampled_from(sorted(DISGUISES)),
    st.integers(min_value=0, max_value=200),
)
def test_whatever_stands_around_and_wherever_it_is_cut(
    before: str, after: str, disguise: str, at: int
) -> None:
    secret = CANARIES["with punctuation"]
    outgoing = Outgoing([secret])
    text = before + DISGUISES[disguise](secret) + after
    stream = outgoing.stream()
    said = stream.feed(text[:at]) + stream.feed(text[at:]) + stream.flush()
    for shown in (said, outgoing.clean(text)):
        assert not any(piece in shown for piece in pieces_of(secret))


def test_a_megabyte_is_cleaned_fast() -> None:
    """What an agent prints: logs and code. 50 ms where it was measured, on two busy cores."""
    outgoing = Outgoing(CANARIES.values())
    for _ in range(30):
        outgoing.learn("ghs_" + canary(560, string.ascii_letters + string.digits + "._-"))
    line = "2026-11-24 14:02:11 INFO retry.py:41 waiting 0.25 s before attempt 3 of 5 (deadline)\n"
    text = (line * (1_000_000 // len(line) + 1))[:1_000_000]
    best = min(_timed(outgoing, text) for _ in range(5))
    assert best < 0.15


def _timed(outgoing: Outgoing, text: str) -> float:
    start = time.process_time()
    assert outgoing.clean(text) == text
    return time.process_time() - start
