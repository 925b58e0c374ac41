"""A hostile agent has the supervisor's uid: it may kill it, play it, or write its files.

So the boundary is the wire. Whatever comes over it concerns this one session; the host believes
none of it, is not led anywhere by it, and is not worn out by it. Here a real sandbox does its
worst and the host's end is the provider as it is.
"""

from __future__ import annotations

import asyncio
import json
import resource

import pytest
from support.attached import attach, drained
from support.cell import Cell
from support.sandboxes import (
    Boxes,
    names,
    needs_bwrap,
    until,
)

from sandbox.commands import StopTurn
from sandbox.frames import Frame, FrameType, encode, fragments
from sandbox.provider import SandboxError, SandboxGone

pytestmark = [pytest.mark.sandboxed, needs_bwrap]

HELLO = b'{"v":1,"phase":"ready","last_seq":0,"running_turn":null,"finished_turn":null}'


def framed(kind: FrameType, payload: bytes = b"", stream: int = 0) -> bytes:
    return encode(Frame(kind, stream, payload))


GREETED = framed(FrameType.HELLO, HELLO)


def report(seq: int, **words: object) -> bytes:
    said = {"seq": seq, "at": 0.0, "report": "warned", "scope": "x", "message": "y", **words}
    return framed(FrameType.CONTROL, json.dumps(said).encode())


OPENED = framed(FrameType.OPEN, b'{"kind":"http","meta":{}}', 2)
PLAYS: dict[str, tuple[bytes, bytes]] = {
    # what is said once, and what is said again and again after it
    "garbage": (b"GET / HTTP/1.1\r\n\r\n" * 100, b""),
    "endless garbage": (b"", bytes(range(256)) * 200),
    "an unknown frame": (GREETED + b"\x63\x00\x00\x00\x00\x00\x00", b""),
    "a hello of the wrong version": (framed(FrameType.HELLO, HELLO.replace(b":1", b":9")), b""),
    "a hello with wrong types": (framed(FrameType.HELLO, b'{"v":1,"phase":7}'), b""),
    "a hello without an end": (b"", encode(Frame(FrameType.HELLO, 0, b"[" * 65535, more=True))),
    "a hello nested deep": (b"".join(fragments(FrameType.HELLO, b'{"a":' * 180_000)), b""),
    "a control message without an end": (
        GREETED,
        encode(Frame(FrameType.CONTROL, 0, b" " * 65535, more=True)),
    ),
    "json that is not json": (GREETED + framed(FrameType.CONTROL, b"\xff{]"), b""),
    "a number that is infinite": (GREETED + report(1, at=float("inf")), b""),
    "a giant number": (GREETED + framed(FrameType.CONTROL, b'{"seq":' + b"9" * 60000 + b"}"), b""),
    "json nested deep": (GREETED + framed(FrameType.CONTROL, b"[" * 60000), b""),
    "a report out of turn": (GREETED + report(7), b""),
    "a report twice": (GREETED + report(1) + report(1), b""),
    "a report that does not exist": (GREETED + report(1, report="owned"), b""),
    "a report with too much text": (
        GREETED + b"".join(fragments(FrameType.CONTROL, report(1, message="x" * 60000)[7:] * 8)),
        b"",
    ),
    "pings without end": (GREETED, framed(FrameType.PING, b"8 bytes!") * 4000),
    "a stream with our number": (
        GREETED + framed(FrameType.OPEN, b'{"kind":"http","meta":{}}', 1),
        b"",
    ),
    "data on a stream nobody opened": (GREETED + framed(FrameType.DATA, b"x", 4), b""),
    "data beyond the credit": (GREETED + OPENED, framed(FrameType.DATA, b"x" * 65535, 2)),
    "streams without end": (
        GREETED
        + b"".join(
            framed(FrameType.OPEN, b'{"kind":"http","meta":{}}', 2 * n) for n in range(1, 400)
        ),
        b"",
    ),
    "nothing at all": (b"", b""),
}
HELD_BACK = {"pings without end"}
"""Allowed as it is, but the host stops reading while its answers are not read."""

PLAYER = """
import os, socket, sys
once, again = (bytes.fromhex(open(f"/tmp/{name}").read()) for name in ("once", "again"))
os.path.exists("/run/openinspect/wire.sock") and os.unlink("/run/openinspect/wire.sock")
listener = socket.socket(socket.AF_UNIX)
listener.bind("/run/openinspect/wire.sock")
listener.listen(4)
open("/tmp/playing", "w").close()
while True:
    connection = listener.accept()[0]
    try:
        connection.sendall(once)
        while again:
            connection.sendall(again)
        while connection.recv(65536):
            pass
    except OSError:
        pass
"""


@pytest.mark.parametrize("play", PLAYS)
async def test_a_false_supervisor_ends_its_own_wire_only_by(
    hosts: Boxes, play: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = await hosts.start("victim")
    honest = await hosts.start("honest")
    link = await attach(hosts, honest)
    once, again = PLAYS[play]
    for name, content in (("once", once), ("again", again)):
        await hosts.run(victim, ["tee", f"/tmp/{name}"], text=content.hex())
    await hosts.run(victim, ["tee", "/tmp/player.py"], text=PLAYER)
    await hosts.sh(
        victim, "rm -f /tmp/playing; setsid python3 /tmp/player.py </dev/null >&/dev/null &"
    )

    async def playing() -> bool:
        return (await hosts.sh(victim, "test -e /tmp/playing")).ok

    await until(playing)
    monkeypatch.setattr("sandbox.link.ATTACH_SECONDS", 3.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with asyncio.timeout(30):
        if play in HELD_BACK:
            false = await attach(hosts, victim)
            listening = asyncio.create_task(drained(false))
            await asyncio.wait([listening], timeout=2)
            await asyncio.wait_for(link.ping(), 5)
            await false.close()
            with pytest.raises(SandboxGone):
                await listening
        else:
            with pytest.raises(SandboxError):
                false = await attach(hosts, victim)
                try:
                    async with asyncio.timeout(15):
                        await drained(false)
                finally:
                    await false.close()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000, f"{grown} KiB"
    await asyncio.wait_for(link.ping(), 5)  # the honest one has noticed nothing
    await link.close()


@pytest.mark.parametrize(
    "bait",
    [
        "ln -s {named} wire.sock",
        "ln -s /var/run/docker.sock wire.sock",
        "mkfifo wire.sock",
        "mkdir wire.sock",
        "echo > wire.sock",
        "ln -s wire.sock wire.sock",
        "ln -s /proc/self/fd/0 wire.sock",
        "true",
    ],
)
async def test_the_host_is_led_nowhere_by(hosts: Boxes, cell: Cell, bait: str) -> None:
    sandbox = await hosts.start()
    await (await attach(hosts, sandbox)).close()
    before = len(cell.sink.heard)
    script = bait.format(named=cell.sink.path)
    assert (await hosts.sh(sandbox, f"cd /run/openinspect && rm -f wire.sock && {script}")).ok
    with pytest.raises(SandboxGone, match="does not listen"):
        await attach(hosts, sandbox, 2, hasty=True)
    assert cell.sink.heard[before:] == []
    await hosts.provider.terminate(sandbox)


async def test_an_agent_cannot_play_the_host(hosts: Boxes) -> None:
    sandbox = await hosts.start()
    link = await attach(hosts, sandbox)
    hello = framed(FrameType.HELLO, b'{"v":1,"epoch":99,"after":0}').hex()
    program = f"""
import os, socket, sys
if sys.argv[1:] == ["orphan"]:
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
s = socket.socket(socket.AF_UNIX)
s.connect("/run/openinspect/wire.sock")
s.settimeout(5)
try:
    s.sendall(bytes.fromhex("{hello}"))
    said = s.recv(4096)
except ConnectionError:
    said = b""
open("/tmp/said", "wb").write(said or b"nothing")
"""
    await hosts.run(sandbox, ["tee", "/tmp/play.py"], text=program)
    for how in ("", "orphan"):
        await hosts.sh(sandbox, f"rm -f /tmp/said; python3 /tmp/play.py {how}")

        async def answered() -> bool:
            return (await hosts.sh(sandbox, "test -s /tmp/said")).ok

        await until(answered)
        assert (await hosts.sh(sandbox, "cat /tmp/said")).out == "nothing"
    await link.send(StopTurn(turn=1))
    await link.close()
    await (await attach(hosts, sandbox, 2)).close()  # 99 has not been learnt


@pytest.mark.parametrize(
    "forgery",
    [
        "for f in *; do [ -f $f ] && echo forged > $f; done; true",
        "for f in *; do [ -f $f ] && head -c 30M /dev/zero > $f; done; true",
        "rm -rf -- *; true",
        "for f in *; do [ -f $f ] && ln -sf /etc/passwd $f; done; true",
        'for f in *; do [ -f $f ] && yes \'{"seq":1,"at":1,"report":"turn_finished"}\' '
        "| head -n 100000 > $f; done; true",
    ],
    ids=["nonsense", "huge", "gone", "links", "forged reports"],
)
async def test_forged_files_of_the_supervisor_harm_their_own_session_only(
    hosts: Boxes, forgery: str
) -> None:
    sandbox = await hosts.start("forger")
    honest = await hosts.start("honest")
    await (await attach(hosts, sandbox)).close()
    assert (await hosts.sh(sandbox, f"cd /run/openinspect && {forgery}")).ok
    try:
        async with asyncio.timeout(15):
            link = await attach(hosts, sandbox, 2, hasty=True)
            await link.close()
    except SandboxError:
        pass
    await (await attach(hosts, honest)).close()
    await hosts.provider.snapshot(sandbox)
    await hosts.provider.terminate(sandbox)
    assert names(hosts.root / "sandboxes") == [honest]
