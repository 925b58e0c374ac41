"""The server was away: what GitHub tried to deliver meanwhile is found and decided, once."""

from __future__ import annotations

from bot.missed import OVERLAP
from orchestrator.triggers import EVENTS

from .conftest import World


def answers(world: World, number: int) -> list[str]:
    return [c.body for c in world.ours(number) if "effect=turn/" in c.body]


async def test_deliveries_of_an_outage_are_found_and_decided_once(world: World) -> None:
    numbers = [await world.issue(f"Number {n}") for n in range(3)]
    await world.say("@openinspect say: before", on=numbers[0])
    await world.until(lambda: answers(world, numbers[0]))
    await world.stop()
    for number in numbers[1:]:
        await world.say(f"@openinspect say: answer {number}", on=number)
    await world.github.deliver_pending()
    missed = [d for d in world.github.deliveries if not d.ok and d.event in EVENTS]
    assert len(missed) >= 2

    await world.start()
    for number in numbers[1:]:
        await world.until(lambda n=number: answers(world, n))  # type: ignore[misc]
    for number in numbers:
        assert len(answers(world, number)) == 1
    lists = [e for e in world.github.exchanges if e.path.endswith("/app/hook/deliveries")]
    reads = [e for e in world.github.exchanges if "/app/hook/deliveries/" in e.path]
    assert len(lists) <= 4, "one page holds 100 deliveries"
    assert len(reads) == len(missed), "only what was missed is read"


async def test_a_deleted_disk_decides_afresh_and_repeats_nothing(world: World) -> None:
    number = await world.issue()
    await world.say("@openinspect say: only once", on=number)
    await world.until(lambda: answers(world, number))
    await world.until(lambda: world.github.labels(world.repo, number) == [])
    assert world.server is not None
    await world.server.intake.idle()
    await world.stop()
    for name in ("journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"):
        (world.root / "server" / name).unlink(missing_ok=True)
    before = len(world.ours(number))

    await world.start()
    await world.say("@openinspect say: and then this", on=number)
    await world.until(lambda: len(answers(world, number)) == 2)
    assert len(world.ours(number)) == before + 1
    state = await world.state(number)
    assert [turn.said for turn in state.turns] == ["only once", "and then this"]


async def test_a_deleted_disk_leaves_what_followed_a_cancel_alone(world: World) -> None:
    number = await world.issue()
    for generation, text in ((1, "the first"), (2, "the second")):
        await world.say(f"@openinspect say: {text}", on=number)
        await world.until(lambda n=generation: len(answers(world, number)) == n)  # type: ignore[misc]
        if generation == 1:
            await world.say("/openinspect cancel", on=number)
            await world.at_rest(number)
    before = [await world.at_rest(number, generation) for generation in (1, 2)]
    assert [state.ended for state in before] == [True, False]
    assert world.server is not None
    await world.server.intake.idle()
    await world.stop()
    for name in ("journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"):
        (world.root / "server" / name).unlink(missing_ok=True)

    await world.start()
    await world.say("@openinspect say: the third", on=number)
    await world.until(lambda: len(answers(world, number)) == 3)
    first, second = [await world.at_rest(number, generation) for generation in (1, 2)]
    assert (first.asked.keys(), len(first.turns)) == (before[0].asked.keys(), 1)
    assert [turn.said for turn in second.turns] == ["the second", "the third"]
    assert not second.ended


def test_the_overlap_covers_clocks_that_differ() -> None:
    assert OVERLAP.total_seconds() >= 300
