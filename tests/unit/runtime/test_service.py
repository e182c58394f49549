import asyncio
import itertools
from collections.abc import Callable

import pytest

from runtime.clock import FakeClock
from runtime.errors import UnavailableError
from runtime.service import Restart, Service, ServiceFailedError


async def settle() -> None:
    """Let every task run as far as it can without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def forever() -> None:
    await asyncio.Event().wait()


async def test_run_returns_after_stop_and_ends_every_task() -> None:
    service = Service("test")
    tasks = [service.spawn(name, forever) for name in ("one", "two")]
    running = asyncio.create_task(service.run())
    await settle()
    service.stop()
    service.stop()
    await running
    assert service.is_stopping
    assert all(task.cancelled() for task in tasks)


async def test_a_task_that_dies_takes_its_service_down_and_is_named() -> None:
    async def dies() -> None:
        raise ValueError("broken")

    service = Service("worker")
    other = service.spawn("other", forever)
    service.spawn("fragile", dies)
    with pytest.raises(ServiceFailedError, match="worker: task 'fragile' died: broken") as failed:
        await service.run()
    assert isinstance(failed.value.__cause__, ValueError)
    assert other.cancelled()


async def test_a_task_that_comes_to_its_end_does_not_end_the_service() -> None:
    async def ends() -> None:
        return

    service = Service("test")
    service.spawn("short", ends)
    running = asyncio.create_task(service.run())
    await settle()
    assert not running.done()
    service.stop()
    await running


async def test_a_task_ended_by_a_cancellation_that_nobody_asked_for_is_a_death() -> None:
    async def awaits_a_cancelled_future() -> None:
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        await gone

    service = Service("test")
    service.spawn("reader", awaits_a_cancelled_future)
    with pytest.raises(ServiceFailedError, match="reader"):
        await asyncio.wait_for(service.run(), 1)


async def test_a_task_that_its_owner_cancels_is_no_death() -> None:
    service = Service("test")
    camera = service.spawn("camera", forever)
    running = asyncio.create_task(service.run())
    await settle()
    camera.cancel()
    await settle()
    assert camera.cancelled()
    assert not running.done()
    service.stop()
    await running


async def restarts(work: Callable[[], None]) -> tuple[FakeClock, Service, asyncio.Task[None]]:
    clock = FakeClock()
    service = Service("test", clock=clock)

    async def once() -> None:
        work()

    service.spawn("fragile", once, restart=Restart(first_s=1, max_s=8))
    running = asyncio.create_task(service.run())
    await settle()
    return clock, service, running


async def test_a_restarted_task_is_tried_again_after_its_delay_and_not_before() -> None:
    starts: list[float] = []

    def work() -> None:
        starts.append(0)
        raise UnavailableError("away")

    clock, service, running = await restarts(work)
    assert len(starts) == 1
    clock.advance(0.49)
    await settle()
    assert len(starts) == 1
    clock.advance(0.51)
    await settle()
    assert len(starts) == 2
    service.stop()
    await running
    assert len(starts) == 2


async def test_a_restarted_task_is_tried_for_ever_with_growing_delays() -> None:
    starts: list[float] = []

    def work() -> None:
        starts.append(clock_of[0].monotonic_s() if clock_of else 0.0)
        raise UnavailableError("away")

    clock_of: list[FakeClock] = []
    clock, service, running = await restarts(work)
    clock_of.append(clock)
    for _ in range(400):
        clock.advance(0.25)
        await settle()
    delays_s = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert len(delays_s) > 10
    assert max(delays_s) <= 8.25
    assert min(delays_s[4:]) >= 4
    service.stop()
    await running


async def test_a_restarted_task_survives_a_cancellation_that_nobody_asked_for() -> None:
    starts: list[int] = []

    async def work() -> None:
        starts.append(1)
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        await gone

    clock = FakeClock()
    service = Service("test", clock=clock)
    service.spawn("reader", work, restart=Restart(first_s=1))
    running = asyncio.create_task(service.run())
    await settle()
    clock.advance(1)
    await settle()
    assert len(starts) == 2
    service.stop()
    await running


async def test_a_task_that_ran_steadily_starts_again_from_the_shortest_delay() -> None:
    clock = FakeClock()
    service = Service("test", clock=clock)
    starts: list[float] = []

    async def work() -> None:
        starts.append(clock.monotonic_s())
        if len(starts) == 6:
            await clock.sleep(100)
        raise UnavailableError("away")

    service.spawn("fragile", work, restart=Restart(first_s=1, max_s=64))
    running = asyncio.create_task(service.run())
    while len(starts) < 7:
        await settle()
        clock.advance(0.5)
    assert starts[6] - starts[5] <= 100 + 1.5
    service.stop()
    await running


async def test_a_task_that_will_not_end_is_left_after_the_time_out() -> None:
    stubborn_may_end = asyncio.Event()

    async def stubborn() -> None:
        while not stubborn_may_end.is_set():
            try:
                await stubborn_may_end.wait()
            except asyncio.CancelledError:
                continue

    service = Service("test", stop_timeout_s=0.01)
    task = service.spawn("stubborn", stubborn)
    running = asyncio.create_task(service.run())
    await settle()
    service.stop()
    await asyncio.wait_for(running, 1)
    assert not task.done()
    stubborn_may_end.set()
    await task


async def test_a_task_spawned_while_the_service_stops_is_ended_too() -> None:
    service = Service("test")
    late: list[asyncio.Task[None]] = []

    async def spawns_when_cancelled() -> None:
        try:
            await forever()
        finally:
            late.append(service.spawn("late", forever))

    service.spawn("early", spawns_when_cancelled)
    running = asyncio.create_task(service.run())
    await settle()
    service.stop()
    await running
    assert late[0].cancelled()


async def test_cancelling_run_ends_every_task() -> None:
    service = Service("test")
    task = service.spawn("one", forever)
    running = asyncio.create_task(service.run())
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert task.cancelled()
