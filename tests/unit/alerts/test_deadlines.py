"""Deadlines by name on a fake clock."""

import asyncio

from alerts.deadlines import SPARE_ENTRIES, Deadlines
from runtime.clock import FakeClock


async def pending(deadlines: Deadlines) -> "asyncio.Task[list[str]]":
    task = asyncio.create_task(deadlines.due())
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def test_names_are_due_in_the_order_of_their_times() -> None:
    clock = FakeClock()
    deadlines = Deadlines(clock)
    for name, in_s in (("late", 9.0), ("soon", 1.0), ("now", -5.0)):
        deadlines.set(name, in_s)
    assert await deadlines.due() == ["now"]
    clock.advance(10)
    assert await deadlines.due() == ["soon", "late"]


async def test_a_deadline_set_again_counts_from_then() -> None:
    clock = FakeClock()
    deadlines = Deadlines(clock)
    deadlines.set("a", 1)
    deadlines.set("a", 5)
    waiting = await pending(deadlines)
    clock.advance(2)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(3)
    assert await waiting == ["a"]


async def test_a_cancelled_deadline_never_comes() -> None:
    clock = FakeClock()
    deadlines = Deadlines(clock)
    deadlines.set("a", 1)
    deadlines.set("b", 2)
    deadlines.cancel("a")
    clock.advance(3)
    assert await deadlines.due() == ["b"]


async def test_an_earlier_deadline_wakes_the_waiter() -> None:
    clock = FakeClock()
    deadlines = Deadlines(clock)
    deadlines.set("a", 100)
    waiting = await pending(deadlines)
    deadlines.set("b", 1)
    for _ in range(5):
        await asyncio.sleep(0)
    clock.advance(1)
    assert await waiting == ["b"]


async def test_setting_one_name_for_ever_does_not_grow_memory() -> None:
    deadlines = Deadlines(FakeClock())
    for _ in range(3 * SPARE_ENTRIES):
        deadlines.set("a", 60)
    assert len(deadlines._heap) <= SPARE_ENTRIES + 3
