"""What every sandbox provider promises. One suite: a provider joins by a line in `PLACES`.

Everything is done through the port. The agent travels in the repository: it speaks the Agent
Client Protocol and does what a prompt says with a shell, so a test can look around inside.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from support.sandboxes import Silence, make_mirror, until
from support.shell_agent import AGENT

from sandbox.commands import AgentProgram, Boot, BootMode, GitIdentity, Prompt, Shutdown, StopTurn
from sandbox.provider import (
    LaunchRefused,
    Link,
    Provider,
    SandboxError,
    SandboxGone,
    StreamHandler,
    WireStream,
)
from sandbox.providers.local import LocalProvider
from sandbox.reports import AgentReady, AgentSaid, Booted, Numbered, TurnFinished
from sandbox.spec import (
    Checkout,
    Launched,
    Resources,
    SandboxId,
    SandboxSpec,
    SnapshotId,
)

PATIENCE = 60.0
ALICE = GitIdentity(name="Alice", email="1+alice@users.noreply.github.com")
FILES = {"agent.py": AGENT, "README.md": "# Sample\n", "docs/a.md": "a\n", "docs/b.md": "b\n"}


class Place:
    """One provider; `another` stands for us after a crash: nothing remembered but the disk."""

    def __init__(self, make: Callable[[], Provider]) -> None:
        self._make = make
        self.providers: list[Provider] = []
        self.provider = self.another()

    def another(self) -> Provider:
        self.providers.append(self._make())
        return self.providers[-1]


@asynccontextmanager
async def local(folder: Path) -> AsyncIterator[Place]:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is missing")
    place = Place(lambda: LocalProvider(folder / "sandboxes", tools=None, log=Silence()))
    try:
        yield place
    finally:
        for info in await place.provider.list({}):
            await place.provider.terminate(info.id)
        for provider in place.providers:
            assert isinstance(provider, LocalProvider)
            await provider.sweep()
            await provider.close()


PLACES: dict[str, Callable[[Path], AbstractAsyncContextManager[Place]]] = {"local": local}

pytestmark = [pytest.mark.sandboxed]


@pytest.fixture(params=sorted(PLACES))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with PLACES[request.param](tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return make_mirror(tmp_path_factory.mktemp("sample"), FILES)


def spec(name: str, **more: Any) -> SandboxSpec:
    resources = Resources(memory_mib=512, disk_mib=512, processes=256)
    return SandboxSpec(
        name=name, tags={"session": name, "us": "contract"}, resources=resources, **more
    )


@dataclass(kw_only=True)
class Talk:
    """A link with its reports, kept in the order they came."""

    link: Link
    seen: list[Numbered] = field(default_factory=list)

    async def until(self, kind: type) -> Any:
        async with asyncio.timeout(PATIENCE):
            async for numbered in self.link.reports():
                self.seen.append(numbered)
                if isinstance(numbered.report, kind):
                    return numbered.report
        raise AssertionError

    async def sh(self, turn: int, script: str) -> tuple[int, str, str]:
        await self.link.send(Prompt(turn=turn, text=f"RUN:{script}", author=ALICE))
        finished = await self.until(TurnFinished)
        assert finished.turn == turn and finished.reason == "end_turn", finished
        said = [each.report for each in self.seen if isinstance(each.report, AgentSaid)]
        text = "".join(each.text for each in said if each.turn == turn)
        code, out, err = json.loads(text)
        return code, out, err


async def attach(
    provider: Provider,
    sandbox: SandboxId,
    *,
    epoch: int = 1,
    after: int = 0,
    handlers: Mapping[str, StreamHandler] | None = None,
) -> Talk:
    link = await provider.attach(sandbox, epoch=epoch, after=after, handlers=handlers or {})
    return Talk(link=link)


async def booted(
    provider: Provider, launched: Launched, checkout: Checkout, *, epoch: int = 1
) -> Talk:
    """Attached, with the repository in place by whatever way, and the agent ready."""
    talk = await attach(provider, launched.id, epoch=epoch)
    mode: BootMode = "snapshot_restore" if launched.restored else "fresh"
    boot = Boot(
        mode=mode,
        branch="openinspect/1",
        commit=checkout.commit,
        pack_follows=not launched.workspace_present,
        agent=AgentProgram(command=("python3", "agent.py")),
    )
    await talk.link.send(boot)
    if boot.pack_follows:
        await send_repository(talk.link, boot, checkout)
    assert (await talk.until(Booted)).mode == mode
    await talk.until(AgentReady)
    return talk


async def send_repository(link: Link, boot: Boot, checkout: Checkout) -> None:
    pack = subprocess.run(
        ["git", "-C", str(checkout.mirror), "pack-objects", "--revs", "--stdout", "-q"],
        input=checkout.commit.encode(),
        capture_output=True,
        check=True,
    ).stdout
    meta = {"branch": boot.branch, "commit": boot.commit, "shallow": [], "url": None}
    stream = await link.open("repository", meta)
    await stream.write(pack)
    await stream.close()
    assert json.loads(await everything(stream)) == {"ok": True}


async def everything(stream: WireStream) -> bytes:
    heard = b""
    while piece := await stream.read():
        heard += piece
    return heard


async def test_a_launch_is_listed_by_its_tags_until_it_is_terminated(place: Place) -> None:
    one = await place.provider.launch(spec("one"))
    two = await place.provider.launch(spec("two"))
    assert one.id != two.id and not one.restored and not one.workspace_present
    both = await place.provider.list({"us": "contract"})
    assert {info.id for info in both} == {one.id, two.id}
    (found,) = await place.provider.list({"us": "contract", "session": "two"})
    assert (found.id, found.name, found.tags["session"]) == (two.id, "two", "two")
    assert await place.provider.list({"us": "somebody else"}) == []
    await place.provider.terminate(one.id)
    await place.provider.terminate(one.id)
    assert [info.id for info in await place.provider.list({})] == [two.id]


async def test_the_same_name_is_launched_once(place: Place) -> None:
    providers = [place.provider, place.another()]
    found = await asyncio.gather(*(each.launch(spec("one")) for each in providers * 3))
    assert len({launched.id for launched in found}) == 1
    assert len(await place.provider.list({})) == 1


async def test_the_agent_works_in_the_commit_and_says_what_it_does(
    place: Place, checkout: Checkout
) -> None:
    launched = await place.provider.launch(spec("one", checkout=checkout))
    talk = await booted(place.provider, launched, checkout)
    code, out, _ = await talk.sh(1, "pwd; git rev-parse HEAD; git branch --show-current; ls")
    assert (code, out.splitlines()[:3]) == (0, ["/workspace", checkout.commit, "openinspect/1"])
    assert out.splitlines()[3:] == ["README.md", "agent.py", "docs"]
    assert [numbered.seq for numbered in talk.seen] == list(range(1, len(talk.seen) + 1))


async def test_without_a_checkout_the_repository_comes_over_the_wire(
    place: Place, checkout: Checkout
) -> None:
    launched = await place.provider.launch(spec("one"))
    talk = await booted(place.provider, launched, checkout)
    _, out, _ = await talk.sh(1, "git rev-parse HEAD; ls docs")
    assert out.split() == [checkout.commit, "a.md", "b.md"]


async def test_there_is_no_network(place: Place, checkout: Checkout) -> None:
    launched = await place.provider.launch(spec("one", checkout=checkout))
    talk = await booted(place.provider, launched, checkout)
    probe = "exec 3<>/dev/tcp/1.1.1.1/443"
    code, _, err = await talk.sh(1, f"timeout 5 bash -c '{probe}'")
    assert code != 0 and "unreachable" in err


async def test_the_collected_commits_are_the_turns_authors(
    place: Place, checkout: Checkout, tmp_path: Path
) -> None:
    launched = await place.provider.launch(spec("one", checkout=checkout))
    talk = await booted(place.provider, launched, checkout)
    await talk.sh(1, "echo changed >> README.md; git commit -qam 'Change it'; echo left > new.txt")
    meta = {"turn": 1, "exclude": [checkout.commit], "message": "The rest"}
    stream = await talk.link.open("collect", meta)
    await stream.close()
    heard = await everything(stream)
    line, _, pack = heard.partition(b"\n")
    answer = json.loads(line)
    assert answer["commits"] == 2 and answer["committed"] and not answer["error"]
    copy = tmp_path / "copy.git"
    subprocess.run(["git", "clone", "-q", "--bare", checkout.mirror, copy], check=True)
    index = ["git", "-C", copy, "index-pack", "--stdin", "--fix-thin", "--strict"]
    subprocess.run(index, input=pack, check=True, capture_output=True)
    log = ["git", "-C", copy, "log", "--format=%s by %an", "-2", answer["head"]]
    said = subprocess.run(log, check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == ["The rest by Alice", "Change it by Alice"]


async def test_after_our_crash_no_report_is_missed_and_none_comes_twice(
    place: Place, checkout: Checkout
) -> None:
    launched = await place.provider.launch(spec("one", checkout=checkout))
    before = await booted(place.provider, launched, checkout)
    await before.sh(1, "echo one")
    await before.link.acknowledge(before.seen[-2].seq)
    await before.link.send(Prompt(turn=2, text="RUN:echo two", author=ALICE))
    await before.link.close()
    ours = place.another()
    (found,) = await ours.list({"session": "one"})
    after = await attach(ours, found.id, epoch=2, after=before.seen[-2].seq)
    await after.link.send(Prompt(turn=2, text="RUN:echo two", author=ALICE))  # once only
    finished = [await after.until(TurnFinished) for _ in range(2)]
    assert [each.turn for each in finished] == [1, 2]
    assert after.seen[0] == before.seen[-1]
    seqs = [numbered.seq for numbered in after.seen]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    said = [each.report for each in after.seen if isinstance(each.report, AgentSaid)]
    assert "".join(each.text for each in said if each.turn == 2) == json.dumps([0, "two\n", ""])


async def test_a_newer_attach_evicts_an_older_and_an_older_is_refused(place: Place) -> None:
    launched = await place.provider.launch(spec("one"))
    old = await attach(place.provider, launched.id, epoch=4)
    new = await attach(place.another(), launched.id, epoch=5)
    with pytest.raises(SandboxGone):
        await old.until(TurnFinished)
    with pytest.raises(SandboxError):
        await attach(place.provider, launched.id, epoch=4)
    assert new.link.hello.phase == "waiting"
    await new.link.send(StopTurn(turn=1))


async def test_the_end_of_a_sandbox_is_noticed_on_its_link(place: Place) -> None:
    launched = await place.provider.launch(spec("one"))
    talk = await attach(place.provider, launched.id)
    await place.another().terminate(launched.id)
    async with asyncio.timeout(15):
        with pytest.raises(SandboxGone):
            await talk.until(TurnFinished)
    for provider in (place.provider, place.another()):
        with pytest.raises(SandboxGone):
            await attach(provider, launched.id, epoch=9)
        with pytest.raises(SandboxGone):
            await provider.snapshot(launched.id)
    with pytest.raises(SandboxGone):
        await attach(place.provider, SandboxId("never-launched"))


async def test_shutdown_ends_it_and_frees_the_name(place: Place) -> None:
    launched = await place.provider.launch(spec("one"))
    talk = await attach(place.provider, launched.id)
    await talk.link.send(Shutdown())

    async def gone() -> bool:
        return await place.provider.list({}) == []

    await until(gone, within=15)
    again = await place.provider.launch(spec("one"))
    assert again.id != launched.id


async def test_a_model_call_goes_out_over_the_wire_and_its_answer_comes_back(
    place: Place, checkout: Checkout
) -> None:
    asked: list[Mapping[str, object]] = []

    async def http(stream: WireStream) -> None:
        asked.append(stream.meta)
        body = await everything(stream)
        await stream.write(b'{"status":200,"headers":[["content-type","text/plain"]]}\n')
        await stream.write(b"you said " + body)
        await stream.close()

    launched = await place.provider.launch(spec("one", checkout=checkout))
    first = await booted(place.provider, launched, checkout)
    await first.link.close()
    after = first.seen[-1].seq
    talk = await attach(place.provider, launched.id, epoch=2, after=after, handlers={"http": http})
    _, out, err = await talk.sh(
        1,
        "python3 -c 'import urllib.request as u; "
        'print(u.urlopen("http://127.0.0.1:4870/anthropic/v1/messages", b"hello").read())\'',
    )
    assert out == "b'you said hello'\n", err
    assert (asked[0]["method"], asked[0]["path"]) == ("POST", "/anthropic/v1/messages")


async def test_a_snapshot_brings_back_workspace_and_home_and_the_sandbox_goes_on(
    place: Place, checkout: Checkout
) -> None:
    launched = await place.provider.launch(spec("one", checkout=checkout))
    talk = await booted(place.provider, launched, checkout)
    await talk.sh(
        1, "echo kept > ~/kept; rm -r docs; mkdir docs; echo c > docs/c.md; ln -s c docs/l"
    )
    snapshot = await place.provider.snapshot(launched.id)
    _, out, _ = await talk.sh(2, "rm ~/kept; echo on")
    assert out == "on\n"
    await place.provider.terminate(launched.id)
    again = await place.another().launch(spec("two", snapshot=snapshot))
    assert again.restored and again.workspace_present
    talk = await booted(place.provider, again, checkout)
    _, out, _ = await talk.sh(1, "cat ~/kept; ls docs; readlink docs/l; git status -s")
    assert out.splitlines()[:4] == ["kept", "c.md", "l", "c"]
    changed = {line.split()[-1] for line in out.splitlines()[4:]}
    assert changed == {"docs/a.md", "docs/b.md", "docs/c.md", "docs/l"}


async def test_without_its_snapshot_it_starts_from_the_checkout_and_says_so(
    place: Place, checkout: Checkout
) -> None:
    launched = await place.provider.launch(spec("one", checkout=checkout))
    snapshot = await place.provider.snapshot(launched.id)
    await place.provider.delete_snapshot(snapshot)
    await place.provider.delete_snapshot(snapshot)
    for gone in (snapshot, SnapshotId("never-taken"), SnapshotId("../etc")):
        again = await place.provider.launch(spec(f"again {gone}", checkout=checkout, snapshot=gone))
        assert not again.restored and "snapshot" in again.note
    await booted(place.provider, again, checkout)


async def test_a_launch_that_can_never_work_is_refused_for_good(
    place: Place, checkout: Checkout
) -> None:
    bad = replace(checkout, commit="--upload-pack=evil")
    with pytest.raises(LaunchRefused):
        await place.provider.launch(spec("one", checkout=bad))
    assert await place.provider.list({}) == []
